//! `.chalk` text, compiled to an artifact, run by `chalkd` in a process of its own, asked over HTTP.

mod served;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value as Json, json};
use served::{address_of, artifact, chalkd, chalkd_with, finish, http, metric, values};

const USERS: &str = r#"
source user_updates = file(path: env("USERS_FILE"))

@max_staleness(30d)
features User {
  @primary user_id: int
  full_name: string
  email_address: string?
  updated_at: datetime?
  logins: int
  greeting: string = concat("Hello, ", full_name)
}

message ContactInfo {
  email_address: string?
}

message UserMessage {
  id: int
  name: string
  updated_at: int
  logins: int
  contact_info: ContactInfo?
}

stream get_users(msg: UserMessage) -> User
  from user_updates
  where msg.name != "nobody"
  timestamp from_unix_seconds(msg.updated_at)
{
  user_id       = msg.id
  full_name     = msg.name
  email_address = msg.contact_info.email_address
  updated_at    = from_unix_seconds(msg.updated_at)
  logins        = msg.logins + 1
}
"#;

/// Runs only when it is started by `chalkd`.
#[test]
fn child() {
    served::child();
}

fn query(address: SocketAddr, id: i64, outputs: &[&str]) -> Json {
    let request = json!({ "inputs": { "user.user_id": id }, "outputs": outputs, "staleness": { "user": "all" } });
    serde_json::from_str(&http(address, "POST", "/v1/query/online", &request.to_string())).unwrap()
}

fn prepare(messages: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.chalkb"), artifact(USERS)).unwrap();
    std::fs::write(dir.path().join("users.ndjson"), messages).unwrap();
    dir
}

const JOHN: &str = r#"{"id":123,"name":"John Smith","updated_at":1700000000,"logins":1,"contact_info":{"email_address":"john.smith@gmail.com"}}"#;

#[test]
fn messages_become_features_that_are_served() {
    let dir = prepare(&format!(
        "{JOHN}\n{}\n{}\n{}\n{}\n",
        r#"{"id":1,"name":"nobody","updated_at":1,"logins":0}"#,
        r#"{"id":2,"name":"Max","updated_at":1,"logins":9223372036854775807}"#,
        r#"{"id":3,"name":7}"#,
        r#"{"id":4,"name":"Ann","updated_at":1700000001,"logins":41,"contact_info":null}"#,
    ));
    let (output, stderr) = finish(chalkd(dir.path(), " --until-end"));
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("get_users: 2 applied, 1 filtered, 2 dead_letter"), "{stderr}");

    // The next start has nothing to read and serves what was committed.
    let mut child = chalkd(dir.path(), "");
    let address = address_of(&mut child);
    let outputs = ["user.full_name", "user.email_address", "user.updated_at", "user.logins", "user.greeting"];
    let john = query(address, 123, &outputs);
    assert_eq!(
        values(&john),
        [
            json!("John Smith"),
            json!("john.smith@gmail.com"),
            json!("2023-11-14T22:13:20Z"),
            json!(2),
            json!("Hello, John Smith")
        ]
    );
    assert_eq!(john["data"][0]["ts"], "2023-11-14T22:13:20Z");
    let ann = query(address, 4, &outputs);
    assert_eq!(values(&ann)[..2], [json!("Ann"), Json::Null]);
    assert_eq!(values(&ann)[3..], [json!(42), json!("Hello, Ann")]);
    for unknown in [1, 2, 3] {
        assert_eq!(values(&query(address, unknown, &["user.full_name"])), [Json::Null]);
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let letters = std::fs::read_to_string(dir.path().join("data/dead_letters.ndjson")).unwrap();
    let letters: Vec<Json> = letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert_eq!((&letters[0]["offset"], &letters[0]["resolver"]), (&json!(2), &json!("get_users")));
    assert!(letters[0]["reason"].as_str().unwrap().contains("overflow"), "{letters:?}");
    let place = letters[0]["expression"].as_str().unwrap();
    assert!(place.starts_with("users.chalk:") && place.contains("msg.logins + 1"), "{place}");
    assert_eq!((&letters[1]["offset"], &letters[1]["path"]), (&json!(3), &json!("name")));
    assert_eq!(letters[1]["message"], r#"{"id":3,"name":7}"#);
}

#[test]
fn killed_in_the_middle_of_a_file_it_goes_on_to_the_same_values() {
    const KEYS: i64 = 300;
    const MESSAGES: i64 = 200_000;
    let mut messages = String::new();
    let mut latest = std::collections::BTreeMap::new();
    let mut seed = 5u64;
    for number in 0..MESSAGES {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (seed >> 33) as i64;
        let (id, at) = (random % KEYS, 1_700_000_000 + random / KEYS % 1_000);
        writeln!(
            messages,
            "{{\"id\":{id},\"name\":\"user {number} of many\",\"updated_at\":{at},\"logins\":{number}}}"
        )
        .unwrap();
        let entry = latest.entry(id).or_insert((at, number));
        *entry = (at, number).max(*entry);
    }
    let dir = prepare(&messages);
    let mut in_the_middle = 0;
    for round in 0..6u64 {
        let mut child = chalkd(dir.path(), "");
        let address = address_of(&mut child);
        std::thread::sleep(Duration::from_millis(3 * round));
        let consumed = metric(address, "chalk_messages_total{", "get_users");
        in_the_middle += u32::from(consumed > 0 && consumed < MESSAGES as u64 / 4);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    eprintln!("{in_the_middle} of 6 kills came while the file was being read");

    let (output, stderr) = finish(chalkd(dir.path(), " --until-end"));
    assert!(output.status.success(), "{stderr}");
    let mut child = chalkd(dir.path(), "");
    let address = address_of(&mut child);
    for (id, (at, number)) in &latest {
        let answer = query(address, *id, &["user.full_name", "user.logins", "user.greeting"]);
        let name = format!("user {number} of many");
        assert_eq!(values(&answer), [json!(name), json!(number + 1), json!(format!("Hello, {name}"))], "user {id}");
        assert_eq!(answer["data"][0]["ts"], chalk_types::format_datetime(at * 1_000_000), "user {id}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_new_version_of_the_program_reads_what_the_old_one_stored() {
    let dir = prepare(&format!("{JOHN}\n"));
    let (output, stderr) = finish(chalkd(dir.path(), " --until-end"));
    assert!(output.status.success(), "{stderr}");
    let text = USERS
        .replace("  logins: int\n  greeting", "  phone: string?\n  logins: int\n  twice: int = logins * 2\n  greeting")
        .replace("  full_name     = msg.name\n", "  full_name     = msg.name\n  phone = none\n");
    std::fs::write(dir.path().join("app.chalkb"), artifact(&text)).unwrap();
    let mut child = chalkd(dir.path(), "");
    let address = address_of(&mut child);
    let answer = query(address, 123, &["user.full_name", "user.phone", "user.twice"]);
    assert_eq!(values(&answer), [json!("John Smith"), Json::Null, json!(4)]);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Two sources write different features of the same keys on one worker; a third resolver is for another environment.
const TWO_SOURCES: &str = r#"
source names  = file(path: env("USERS_FILE"))
source scores = file(path: env("SCORES_FILE"))

features User {
  id: int
  name: string?
  score: float?
  label: string? = if score > 0.5 then concat(name, " (high)") else name
}

message Name { id: int, name: string? }
message Score { id: int, score: float }

stream get_names(msg: Name) -> User
  from names
{
  id = msg.id
  name = msg.name
}

stream get_scores(msg: Score) -> User
  from scores
{
  id = msg.id
  score = msg.score
}

@environments("production")
stream get_doubled_scores(msg: Score) -> User
  from scores
{
  id = msg.id
  score = msg.score * 2.0
}
"#;

#[test]
fn two_sources_write_features_of_the_same_keys() {
    let dir = prepare("{\"id\":1,\"name\":\"Ann\"}\n{\"id\":2,\"name\":\"Ben\"}\n{\"id\":1,\"name\":\"Anna\"}\n");
    std::fs::write(dir.path().join("app.chalkb"), artifact(TWO_SOURCES)).unwrap();
    std::fs::write(dir.path().join("scores.ndjson"), "{\"id\":2,\"score\":0.9}\n{\"id\":3,\"score\":0.1}\n").unwrap();
    for workers in [1, 3] {
        let (output, stderr) = finish(chalkd_with(
            dir.path(),
            workers,
            &format!(" --until-end --data-dir {}/{workers}", dir.path().display()),
        ));
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains("get_names: 3 applied\nget_scores: 2 applied"), "{stderr}");
        assert!(!stderr.contains("get_doubled_scores"), "{stderr}");
        let mut child = chalkd_with(dir.path(), workers, &format!(" --data-dir {}/{workers}", dir.path().display()));
        let address = address_of(&mut child);
        let answer = |id: i64| {
            let request = json!({ "inputs": { "user.id": id }, "outputs": ["user.name", "user.score", "user.label"] });
            let answer = http(address, "POST", "/v1/query/online", &request.to_string());
            values(&serde_json::from_str(&answer).unwrap())
        };
        assert_eq!(answer(1), [json!("Anna"), Json::Null, json!("Anna")]);
        assert_eq!(answer(2), [json!("Ben"), json!(0.9), json!("Ben (high)")]);
        assert_eq!(answer(3), [Json::Null, json!(0.1), Json::Null]);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn an_artifact_that_is_none_is_refused() {
    let dir = prepare("");
    let whole = std::fs::read(dir.path().join("app.chalkb")).unwrap();
    for bytes in [&b"no artifact"[..], &whole[..whole.len() / 2], &[]] {
        std::fs::write(dir.path().join("app.chalkb"), bytes).unwrap();
        let (output, stderr) = finish(chalkd(dir.path(), ""));
        assert!(!output.status.success());
        assert!(stderr.contains("chalkd: "), "{stderr}");
        assert!(stderr.contains("app.chalkb"), "{stderr}");
    }
}
