//! Compiles simdjson (C++) for the decode bench, where the feature asks for it and it was fetched.
//!
//! It is no dependency, because no registry of Rust has it at its own best: `peers/fetch_simdjson.sh` fetches the amalgamation.
//! Where that was not done, the bench says so in its table.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_simdjson)");
    #[cfg(feature = "simdjson")]
    simdjson();
}

#[cfg(feature = "simdjson")]
fn simdjson() {
    use std::path::Path;

    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = here.join("../target/peers/simdjson");
    let wrapper = here.join("peers/on_demand.cpp");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-changed={}", wrapper.display());
    if !sources.join("simdjson.cpp").exists() {
        println!("cargo::warning=simdjson is not there: run benches/peers/fetch_simdjson.sh");
        return;
    }
    // As its authors benchmark it: all of the processor, no exceptions, no threads.
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(3)
        .flag("-march=native")
        .define("SIMDJSON_EXCEPTIONS", "0")
        .define("SIMDJSON_THREADS_ENABLED", "0")
        .define("NDEBUG", None)
        .include(&sources)
        .file(sources.join("simdjson.cpp"))
        .file(wrapper)
        .warnings(false)
        .compile("simdjson");
    println!("cargo::rustc-cfg=has_simdjson");
}
