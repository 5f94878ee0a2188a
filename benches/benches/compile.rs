//! Compiling and loading: one file, and packages of growing size.
//!
//! `cargo bench -p chalk-benches --bench compile` prints medians of CPU time: text to artifact bytes, artifact file to linked program. The sizes are those of the
//! design's figures: a 1-file package (≤ 20 ms, load ≤ 1 ms) and 1,000 resolvers with 10,000 features (≤ 2 s).

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use chalk_benches::clock::medians;
use chalk_codegen::CompileOptions;
use chalk_engine::{Program, loader};

/// A package of `resolvers` resolvers, each over a class of ten features.
fn package(resolvers: usize) -> Vec<(String, String)> {
    let mut text = String::from("source updates = kafka(topic: \"updates\")\n");
    for n in 0..resolvers {
        let _ = write!(
            text,
            r#"
features Item{n} {{
  id: int
  name: string
  brand: string?
  price: float
  discounted: float
  in_stock: bool
  band: string
  tags: [string]
  sold_at: datetime?
  is_recent: bool? = sold_at > from_unix_seconds(1_700_000_000)
}}
message ItemMessage{n} {{ id: int, name: string, brand: string?, price: float, stock: int, tags: [string], sold_at: int? }}
stream items_{n}(msg: ItemMessage{n}) -> Item{n} from updates
where msg.price >= 0.0
{{
  id         = msg.id
  name       = trim(lower(msg.name))
  brand      = msg.brand
  price      = round(msg.price, 2)
  discounted = if msg.stock > 100 then msg.price * 0.9 else msg.price
  in_stock   = msg.stock > 0
  band       = match {{ msg.price < 10.0 => "low", msg.price < 100.0 => "middle", else => "high" }}
  tags       = msg.tags
  sold_at    = from_unix_seconds(msg.sold_at)
}}
"#
        );
    }
    vec![("package.chalk".to_owned(), text)]
}

fn artifact(files: &[(String, String)]) -> Vec<u8> {
    let checked = chalkc::compile::check(files);
    assert!(checked.is_ok(), "{}", chalk_diagnostics::render::plain(&checked.diagnostics, &checked.sources));
    let module = chalkc::compile::generate(&checked, &CompileOptions::default()).expect("the package compiles");
    module.to_artifact().expect("the artifact is written")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() {
    let users = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/users/users.chalk"))
        .expect("the example is there");
    let folder = std::env::temp_dir().join(format!("chalk-bench-compile-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder can be made");
    println!("| package | source | artifact | check ms | compile ms | load ms |");
    println!("|---|---|---|---|---|---|");
    let packages = [
        ("examples/users", vec![("users.chalk".to_owned(), users)], 21),
        ("10 resolvers", package(10), 11),
        ("100 resolvers, 1,000 features", package(100), 5),
        ("1,000 resolvers, 10,000 features", package(1_000), 3),
    ];
    for (name, files, rounds) in packages {
        let bytes = artifact(&files);
        let path = folder.join("app.chalkb");
        fs::write(&path, &bytes).expect("the artifact is written");
        let times = medians(
            rounds,
            &mut [
                ("check".to_owned(), Box::new(|| drop(std::hint::black_box(chalkc::compile::check(&files))))),
                ("compile".to_owned(), Box::new(|| drop(std::hint::black_box(artifact(&files))))),
                (
                    "load".to_owned(),
                    Box::new(|| {
                        let image = loader::load(&path).expect("the artifact loads");
                        drop(Program::link(image, chalkc::compile::catalog()).expect("it links"));
                    }),
                ),
            ],
        );
        let source_bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
        println!(
            "| {name} | {} kB | {} kB | {:.2} | {:.2} | {:.3} |",
            source_bytes / 1000,
            bytes.len() / 1000,
            ms(times[0]),
            ms(times[1]),
            ms(times[2])
        );
    }
    let _ = fs::remove_dir_all(&folder); // nothing depends on it
}
