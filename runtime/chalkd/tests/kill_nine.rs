//! `kill -9` in the middle of a file, several times, and a restart each time: the online values are those of a straight
//! run.

mod common;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use common::child::{address_of, start, start_with};
use common::{http, query, wait_until};
use serde_json::{Value as Json, json};

const KEYS: i64 = 200;
const MESSAGES: i64 = 60_000;

/// Runs only when it is started by `start`.
#[test]
fn child() {
    common::child::run();
}

fn file(path: &Path) -> String {
    format!("file path={}", path.display())
}

fn write_input(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut seed = 7u64;
    for number in 0..MESSAGES {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (seed >> 33) as i64;
        let id = random % KEYS;
        // Event times jump about, and collide.
        let at = 1_700_000_000_000_000 + random % 5_000;
        if number % 97 == 13 {
            writeln!(file, "broken {number}").unwrap();
        } else if number % 2 == 0 {
            writeln!(file, "{{\"id\":{id},\"name\":\"n{number}\",\"at\":{at}}}").unwrap();
        } else {
            writeln!(file, "{{\"id\":{id},\"score\":{number},\"at\":{at}}}").unwrap();
        }
    }
}

/// All online values.
fn values(address: SocketAddr) -> Vec<Json> {
    (0..KEYS)
        .map(|id| {
            let request =
                json!({ "inputs": { "user.id": id }, "outputs": ["user.name", "user.score"], "staleness": { "user": "all" } });
            query(address, &request)["data"].clone()
        })
        .collect()
}

/// Messages of this process's life that are in the metrics.
fn consumed(address: SocketAddr) -> u64 {
    let (_, text) = http(address, "GET", "/metrics", "");
    text.lines()
        .filter(|line| line.starts_with("chalk_messages_total{") && line.contains("get_names"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

fn has_ended(dir: &Path, address: SocketAddr) -> bool {
    let letters = std::fs::read_to_string(dir.join("data/dead_letters.ndjson")).unwrap_or_default();
    let last = (0..MESSAGES).rev().find(|number| number % 97 == 13).unwrap();
    letters.contains(&format!("\"broken {last}\"")) && {
        let before = consumed(address);
        std::thread::sleep(std::time::Duration::from_millis(200));
        before == consumed(address)
    }
}

#[test]
fn killed_runs_end_where_a_straight_run_does() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("updates.ndjson");
    write_input(&input);

    let straight_dir = dir.path().join("straight");
    std::fs::create_dir(&straight_dir).unwrap();
    let mut straight = start(&file(&input), &straight_dir, "");
    let address = address_of(&mut straight);
    wait_until("the straight run to end", || has_ended(&straight_dir, address));
    let expected = values(address);
    straight.kill().unwrap();
    straight.wait().unwrap();
    assert!(expected.iter().all(|row| row[0]["value"].is_string()), "{expected:?}");

    let killed_dir = dir.path().join("killed");
    std::fs::create_dir(&killed_dir).unwrap();
    let mut kills_in_the_middle = 0;
    for round in 0..8u64 {
        let mut child = start(&file(&input), &killed_dir, "");
        let address = address_of(&mut child);
        let enough = 500 + 900 * round;
        wait_until("some progress", || consumed(address) >= enough || has_ended(&killed_dir, address));
        kills_in_the_middle += u32::from(consumed(address) < MESSAGES as u64 / 2);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills_in_the_middle >= 2, "the file was read too fast for the kills to matter");
    let mut last = start(&file(&input), &killed_dir, "");
    let address = address_of(&mut last);
    wait_until("the last run to end", || has_ended(&killed_dir, address));
    let found = values(address);
    for (id, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "user {id}");
    }
    last.kill().unwrap();
    last.wait().unwrap();
}

#[test]
fn sigterm_commits_and_exits_with_success() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("updates.ndjson");
    std::fs::write(&input, "{\"id\":1,\"name\":\"Ann\"}\n").unwrap();
    let mut child = start(&file(&input), dir.path(), "");
    let address = address_of(&mut child);
    wait_until("the message", || consumed(address) == 1);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let mut again = start(&file(&input), dir.path(), "");
    let address = address_of(&mut again);
    let request = json!({ "inputs": { "user.id": 1 }, "outputs": ["user.name"] });
    assert_eq!(query(address, &request)["data"][0]["value"], "Ann");
    assert_eq!(consumed(address), 0, "nothing is read twice");
    again.kill().unwrap();
    again.wait().unwrap();
}

#[test]
fn until_end_exits_when_the_file_is_committed_and_prints_the_fates() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("updates.ndjson");
    std::fs::write(&input, "{\"id\":1,\"name\":\"Ann\"}\nbroken\n{\"id\":2,\"skip\":true}\n").unwrap();
    let output = start_with(&file(&input), dir.path(), "", " --until-end").wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("get_names: 1 applied, 1 skipped, 1 dead_letter"), "{stderr}");
    assert!(stderr.contains("get_scores: 1 filtered, 1 skipped, 1 dead_letter"), "{stderr}");
}

#[test]
fn what_cannot_be_run_says_why_and_fails() {
    let dir = tempfile::tempdir().unwrap();
    let run = |input: &Path, more: &str| {
        let output = start_with(&file(input), dir.path(), "", more).wait_with_output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let missing = run(&dir.path().join("nothing.ndjson"), "");
    assert!(missing.contains("chalkd: source `updates`: cannot open"), "{missing}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = run(dir.path(), &format!(" --listen {}", taken.local_addr().unwrap()));
    assert!(busy.contains("cannot listen on 127.0.0.1"), "{busy}");
    let usage = run(dir.path(), " --untilend");
    assert!(usage.contains("--until-end"), "{usage}");
}
