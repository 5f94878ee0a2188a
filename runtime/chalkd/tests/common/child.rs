//! The program under test as a process of its own: the test binary, started anew.
//!
//! With `CHALKD_TEST_SOURCE` set, the test `child` runs `chalkd`'s own command line over the program of `common`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use chalkd::pipeline::Program;

use super::{UserProgram, source};

/// The body of the test `child`.
pub(crate) fn run() {
    let Ok(text) = std::env::var("CHALKD_TEST_SOURCE") else { return };
    // A test that is cut off must not leave this process behind.
    let parent = std::os::unix::process::parent_id();
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        std::process::exit(1);
    });
    let open = move |path: &Path| {
        assert_eq!(path, Path::new("app.chalkb"));
        let mut parts = text.split(' ');
        let connector = parts.next().unwrap();
        let options: Vec<_> = parts.map(|part| part.split_once('=').unwrap()).collect();
        Ok(Arc::new(UserProgram::new(source(connector, &options))) as Arc<dyn Program>)
    };
    let args = std::env::var("CHALKD_TEST_ARGS").unwrap();
    let args = ["chalkd".into()].into_iter().chain(args.split(' ').map(Into::into));
    let code = chalkd::cli::main(args, &open);
    std::process::exit(if code == std::process::ExitCode::SUCCESS { 0 } else { 1 });
}

/// Starts it with its data in `dir`; `source` is the connector and its options, `file path=x`; `settings` goes into
/// `chalk.toml`.
pub(crate) fn start(source: &str, dir: &Path, settings: &str) -> Child {
    start_with(source, dir, settings, "")
}

/// The same with further arguments.
pub(crate) fn start_with(source: &str, dir: &Path, settings: &str, more: &str) -> Child {
    let config = dir.join("chalk.toml");
    let text = format!(
        "data_dir = \"{}\"\nlisten = \"127.0.0.1:0\"\nworkers = 2\n[batch]\nmax_messages = 50\n\
         [commit]\ninterval = \"1ms\"\nfsync = \"group\"\nsegment_bytes = 65_536\n[checkpoint]\ninterval = \"30ms\"\n{settings}",
        dir.join("data").display()
    );
    std::fs::write(&config, text).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("CHALKD_TEST_SOURCE", source)
        .env("CHALKD_TEST_ARGS", format!("run app.chalkb --config {}{more}", config.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The address that the child says it listens on; the rest of its stderr is shown, and read so that it never blocks.
pub(crate) fn address_of(child: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("the child says where it listens").unwrap();
        if let Some((_, address)) = line.split_once("listening on http://") {
            break address.parse().unwrap();
        }
    };
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("child: {line}")));
    address
}
