//! A restart with state: how long until the first message is applied and can be asked for.
//!
//! `cargo bench -p chalk-benches --bench restart [-- KEYS]` reads a file with one message per key (1,000,000, or as many as given) into two
//! aggregates over three windows, stops, and starts again with one more line in the file. Entries are read from the store when a
//! message or a query needs them, so a start does not wait for all of them; how long the background needs to load them is told, too.
//! It is started twice more, because the first start may find the file system's cache as the writing left it.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chalk_decode::Tier;
use chalkd::app::App;
use chalkd::config::Config;
use chalkd::engine_pipeline::EngineProgram;

const PACKAGE: &str = r#"
source orders = file(path: env("ORDERS"), follow: true)
message Order { user_id: int, amount: float, at: datetime }
features User {
  id: int
  spent: float over [10m, 1h, 1d]
  bought: int over [10m, 1h, 1d]
}
stream orders_of_users(events: [Order]) -> User
  from orders
  timestamp events.at
  window continuous
  by events.user_id
{
  id     = key
  spent  = events.sum(amount)
  bought = events.count()
}
"#;

fn program() -> Arc<chalk_engine::Program> {
    let checked = chalkc::compile::check(&[("restart.chalk".to_owned(), PACKAGE.to_owned())]);
    assert!(checked.is_ok(), "the package is right");
    let image = chalkc::compile::jit(&checked).expect("the package compiles");
    chalk_engine::Program::link(image, chalkc::compile::catalog()).expect("the library has what it calls")
}

fn line(text: &mut String, user: u64, second: u64) {
    let at = chalk_types::format_datetime(1_767_225_600_000_000 + second as i64 * 1_000_000);
    writeln!(text, "{{\"user_id\":{user},\"amount\":{}.25,\"at\":\"{at}\"}}", user % 997).expect("to memory");
}

fn get(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let size = body.len();
    write!(stream, "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n{body}")
        .expect("to a socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn metric(address: SocketAddr, name: &str) -> u64 {
    let text = get(address, "GET /metrics", "");
    let values = text
        .lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

/// Starts, and waits until messages are committed; the time that takes, and the app.
fn start(program: &Arc<chalk_engine::Program>, dir: &Path, messages: u64) -> (Duration, App) {
    let config = Config {
        data_dir: dir.join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        commit_interval: Duration::from_millis(250),
        ..Config::default()
    };
    let orders = dir.join("orders.ndjson").to_string_lossy().into_owned();
    let environment = move |name: &str| (name == "ORDERS").then(|| orders.clone());
    let tier = Tier::detect().expect("a tier of this machine");
    let started = Instant::now();
    let served = Arc::new(EngineProgram::new(program.clone(), tier));
    let app = App::start(served, &config, &environment, false).expect("it starts");
    while metric(app.address(), "chalk_consumed_total{") < messages {
        std::thread::sleep(Duration::from_millis(2));
    }
    (started.elapsed(), app)
}

fn stop(app: App) -> Duration {
    let started = Instant::now();
    app.stop_handle().request();
    app.wait().expect("it stops");
    started.elapsed()
}

fn main() {
    let keys: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a folder");
    let program = program();
    let mut file = BufWriter::new(File::create(dir.path().join("orders.ndjson")).expect("a file"));
    let mut text = String::new();
    for user in 0..keys {
        text.clear();
        line(&mut text, user, user * 1_000 / keys);
        file.write_all(text.as_bytes()).expect("to a file");
    }
    let mut file = file.into_inner().expect("to a file");
    let (took, app) = start(&program, dir.path(), keys);
    println!("{keys} keys read in {:.1} s", took.as_secs_f64());
    println!("stopped, with a checkpoint, in {:.1} s", stop(app).as_secs_f64());
    for run in 0..2u64 {
        text.clear();
        line(&mut text, run * 7 + 3, 1_000);
        file.write_all(text.as_bytes()).expect("to a file");
        let (took, app) = start(&program, dir.path(), 1);
        println!("started again: the first message after {:.3} s", took.as_secs_f64());
        let started = Instant::now();
        while metric(app.address(), "chalk_state_entries{kind=\"aggregates\"}") < keys {
            std::thread::sleep(Duration::from_millis(10));
        }
        let bytes = metric(app.address(), "chalk_state_bytes{kind=\"aggregates\"}");
        println!(
            "  all of them in memory {:.1} s later, {} bytes a key",
            started.elapsed().as_secs_f64(),
            bytes / keys
        );
        println!("  stopped in {:.1} s", stop(app).as_secs_f64());
    }
}
