//! `chalkd` in a process of its own, over a package that is compiled here: what tests of whole programs share.
//!
//! The process is the test binary, started anew: with `CHALKD_ARGS` set, its test `child` is `chalkd`.
//!
//! This file must not know the programs.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use chalk_codegen::CompileOptions;
use chalk_diagnostics::SourceMap;
use serde_json::{Value as Json, json};

/// Compiles a package of one file to the bytes of an artifact.
pub(crate) fn artifact(text: &str) -> Vec<u8> {
    let mut sources = SourceMap::new();
    let id = sources.add("users.chalk", text);
    let (tree, mut diagnostics) = chalk_syntax::parse(id, text);
    let catalog = chalk_functions::catalog();
    let analysis = chalk_hir::analyze(&[&tree], catalog, &chalk_connectors::connector_defs());
    diagnostics.extend(analysis.diagnostics);
    assert!(!chalk_diagnostics::has_errors(&diagnostics), "{diagnostics:#?}");
    let module = chalk_codegen::compile(&analysis.program, &sources, catalog, &CompileOptions::default()).unwrap();
    module.to_artifact().unwrap()
}

/// The body of the test `child`, which runs only when it is started by `chalkd`.
pub(crate) fn child() {
    let Ok(args) = std::env::var("CHALKD_ARGS") else { return };
    // A test that is cut off must not leave this process behind.
    let parent = std::os::unix::process::parent_id();
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        std::process::exit(1);
    });
    let args = ["chalkd".into()].into_iter().chain(args.split(' ').map(Into::into));
    let code = chalkd::cli::main(args, &chalkd::engine_pipeline::open);
    std::process::exit(if code == std::process::ExitCode::SUCCESS { 0 } else { 1 });
}

pub(crate) fn chalkd(dir: &Path, more: &str) -> Child {
    chalkd_with(dir, 2, more)
}

pub(crate) fn chalkd_with(dir: &Path, workers: usize, more: &str) -> Child {
    chalkd_set(dir, workers, "", more)
}

/// With further settings, as `chalk.toml` has them.
pub(crate) fn chalkd_set(dir: &Path, workers: usize, settings: &str, more: &str) -> Child {
    // Whatever the machine does meanwhile, no partition is idle.
    let text = format!(
        "workers = {workers}\ndata_dir = \"{}\"\nlisten = \"127.0.0.1:0\"\n[batch]\nmax_messages = 100\n[commit]\ninterval = \"1ms\"\nfsync = \"group\"\n\
         [checkpoint]\ninterval = \"50ms\"\n[time]\nidle_after = \"1h\"\n{settings}",
        dir.join("data").display()
    );
    std::fs::write(dir.join("chalk.toml"), text).unwrap();
    let (app, config) = (dir.join("app.chalkb"), dir.join("chalk.toml"));
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("USERS_FILE", dir.join("users.ndjson"))
        .env("SCORES_FILE", dir.join("scores.ndjson"))
        .env("ORDERS_FILE", dir.join("orders.ndjson"))
        .env("CHALKD_ARGS", format!("run {} --config {}{more}", app.display(), config.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn finish(child: Child) -> (Output, String) {
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, stderr)
}

pub(crate) fn address_of(child: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("chalkd says where it listens").unwrap();
        if let Some((_, address)) = line.split_once("listening on http://") {
            break address.parse().unwrap();
        }
        eprintln!("chalkd: {line}");
    };
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("chalkd: {line}")));
    address
}

pub(crate) fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let size = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

pub(crate) fn values(answer: &Json) -> Vec<Json> {
    assert_eq!(answer["errors"], json!([]), "{answer}");
    answer["data"].as_array().unwrap().iter().map(|item| item["value"].clone()).collect()
}

/// The sum of a metric's lines.
pub(crate) fn metric(address: SocketAddr, name: &str, label: &str) -> u64 {
    http(address, "GET", "/metrics", "")
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(label))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}
