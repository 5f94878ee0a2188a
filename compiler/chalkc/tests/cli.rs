//! The command line as its users meet it: the real binary, its output, its exit codes, its words for what goes wrong.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PACKAGE: &str = r#"
source updates = kafka(topic: "updates")
features User { id: int, name: string }
message Update { id: int, name: string? }
stream users(msg: Update) -> User from updates
where msg.id > 0
{
  id   = msg.id
  name = msg.name ?? "nobody"
}
"#;

const MESSAGES: &str =
    "{\"id\":1,\"name\":\"Ann\"}\n\n{\"id\":0,\"name\":\"zero\"}\n{\"id\":2,\"name\":null}\n{\"id\":\"x\"}\n";

const FEATURES: &str = "{\"user.id\":1,\"user.name\":\"Ann\"}\n{\"user.id\":2,\"user.name\":\"nobody\"}\n";

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("chalkc-cli-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("app.chalk"), PACKAGE).unwrap();
        fs::write(path.join("in.jsonl"), MESSAGES).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn chalkc(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chalkc"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A command that does not read may be gone already; one that reads may have to be read meanwhile.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn run_prints_features_and_tells_fates() {
    let folder = Folder::new("run");
    let input = format!("updates={}", folder.path("in.jsonl"));
    let output = chalkc(&["run", &folder.path(""), "--input", &input], b"");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), FEATURES);
    let told = stderr(&output);
    assert!(told.contains("updates -> users: 2 applied, 1 filtered, 1 dead_letter"), "{told}");
    assert!(told.contains("in.jsonl:5: id: "), "a dead letter names its line and field: {told}");
    assert!(told.contains("4 messages"), "{told}");
}

#[test]
fn run_reads_standard_input_and_compressed_files() {
    let folder = Folder::new("inputs");
    let from_pipe = chalkc(&["run", &folder.path("app.chalk"), "--input", "updates=-", "--quiet"], MESSAGES.as_bytes());
    assert_eq!(stdout(&from_pipe), FEATURES, "{}", stderr(&from_pipe));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(MESSAGES.as_bytes()).unwrap();
    let zstd = zstd::encode_all(MESSAGES.as_bytes(), 3).unwrap();
    for (name, bytes) in [("in.gz", gzip.finish().unwrap()), ("in.zst", zstd)] {
        fs::write(folder.path(name), bytes).unwrap();
        let input = format!("updates={}", folder.path(name));
        let output = chalkc(&["run", &folder.path(""), "--input", &input], b"");
        assert_eq!(stdout(&output), FEATURES, "{name}: {}", stderr(&output));
    }
}

#[test]
fn run_writes_every_row_before_it_waits_for_more() {
    let folder = Folder::new("pauses");
    for (format, threads) in [("json", "1"), ("json", "2"), ("arrow", "1"), ("arrow", "2")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chalkc"))
            .args(["run", &folder.path("app.chalk"), "--input", "updates=-", "--quiet"])
            .args(["--format", format, "--threads", threads])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        stdin.write_all(b"{\"id\":1,\"name\":\"Ann\"}\n").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let rows = if format == "arrow" {
                let mut stream = arrow_ipc::reader::StreamReader::try_new(output, None).unwrap();
                stream.next().unwrap().unwrap().num_rows()
            } else {
                let mut line = vec![0; FEATURES.find('\n').unwrap() + 1];
                std::io::Read::read_exact(&mut output, &mut line).unwrap();
                assert!(FEATURES.as_bytes().starts_with(&line));
                1
            };
            tell.send(rows)
        });
        // The input is still open: what is not written by now is never.
        let rows = told.recv_timeout(std::time::Duration::from_secs(60));
        drop(stdin);
        let _ = child.wait();
        assert_eq!(rows, Ok(1), "{format}, {threads} threads");
    }
}

#[test]
fn run_writes_tables_arrow_and_dead_letters() {
    let folder = Folder::new("forms");
    let (input, letters, arrow) =
        (format!("updates={}", folder.path("in.jsonl")), folder.path("dead.jsonl"), folder.path("out.arrows"));
    let table = chalkc(&["run", &folder.path(""), "--input", &input, "--format", "table"], b"");
    assert!(stdout(&table).contains("| user.id | user.name |"), "{}", stdout(&table));
    let output = chalkc(
        &["run", &folder.path(""), "-i", &input, "--format", "arrow", "-o", &arrow, "--dead-letters", &letters],
        b"",
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let stream = arrow_ipc::reader::StreamReader::try_new(fs::File::open(&arrow).unwrap(), None).unwrap();
    let rows: usize = stream.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 2);
    let letter: serde_json::Value = serde_json::from_str(&fs::read_to_string(&letters).unwrap()).unwrap();
    assert_eq!((&letter["line"], &letter["path"], &letter["resolver"]), (&5.into(), &"id".into(), &"users".into()));
    assert_eq!(letter["message"], "{\"id\":\"x\"}");
}

/// What is written is the same, byte for byte, however many cores work, and in the order of the input.
#[test]
fn run_keeps_the_order_of_the_input_on_any_number_of_cores() {
    let folder = Folder::new("cores");
    let (mut messages, mut expected, mut failed) = (String::new(), String::new(), Vec::new());
    for id in 1..=60_000 {
        if id % 1_000 == 0 {
            failed.push(messages.lines().count() + 1);
            messages.push_str("{\"id\":\"no number\"}\n");
        }
        messages.push_str(&format!("{{\"id\":{id},\"name\":\"{}\"}}\n", "n".repeat(id % 100)));
        expected.push_str(&format!("{{\"user.id\":{id},\"user.name\":\"{}\"}}\n", "n".repeat(id % 100)));
    }
    assert!(messages.len() > 3 << 20, "several chunks for every worker");
    fs::write(folder.path("many.jsonl"), &messages).unwrap();
    fs::write(folder.path("many.zst"), zstd::encode_all(messages.as_bytes(), 1).unwrap()).unwrap();
    let letters = folder.path("dead.jsonl");
    for (file, threads) in [
        ("many.jsonl", "1"),
        ("many.jsonl", "2"),
        ("many.jsonl", "5"),
        ("many.zst", "1"),
        ("many.zst", "3"),
        ("-", "1"),
        ("-", "2"),
    ] {
        let path = if file == "-" { file.to_owned() } else { folder.path(file) };
        let (input, package) = (format!("updates={path}"), folder.path(""));
        let args = ["run", &package, "-i", &input, "--threads", threads, "--stats", "--dead-letters", &letters];
        let output = chalkc(&args, if file == "-" { messages.as_bytes() } else { b"" });
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stdout(&output) == expected, "{file} on {threads} cores");
        let told = stderr(&output);
        assert!(told.contains("60000 applied, 60 dead_letter") && told.contains("and 50 more dead letters"), "{told}");
        assert!(told.contains("along a template") && told.contains("templates learned"), "{told}");
        let lines: Vec<usize> = fs::read_to_string(&letters)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["line"].as_u64().unwrap() as usize)
            .collect();
        assert_eq!(lines, failed, "{file} on {threads} cores");
    }
    let (input, package) = (format!("updates={}", folder.path("many.jsonl")), folder.path(""));
    let arrow = |threads: &str| {
        chalkc(&["run", &package, "-i", &input, "--threads", threads, "--format", "arrow", "--quiet"], b"").stdout
    };
    let alone = arrow("1");
    let stream = arrow_ipc::reader::StreamReader::try_new(&alone[..], None).unwrap();
    assert_eq!(stream.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 60_000);
    for threads in ["2", "5"] {
        assert!(arrow(threads) == alone, "Arrow on {threads} cores");
    }
    let none = chalkc(&["run", &folder.path(""), "--threads", "0"], b"");
    assert!(stderr(&none).contains("--threads"), "{}", stderr(&none));
}

/// What came before a broken place is written.
#[test]
fn run_writes_what_came_before_the_input_broke() {
    let folder = Folder::new("broken");
    let mut zstd = zstd::encode_all(MESSAGES.repeat(50_000).as_bytes(), 1).unwrap();
    zstd.truncate(zstd.len() / 2);
    fs::write(folder.path("cut.zst"), zstd).unwrap();
    let input = format!("updates={}", folder.path("cut.zst"));
    let output = chalkc(&["run", &folder.path(""), "--input", &input], b"");
    assert!(!output.status.success());
    assert!(stderr(&output).contains("cannot read ") && stderr(&output).contains("cut.zst"), "{}", stderr(&output));
    assert!(stdout(&output).starts_with(FEATURES) && stdout(&output).ends_with('\n'));
}

#[test]
fn mistakes_on_the_command_line_say_what_to_do() {
    let folder = Folder::new("mistakes");
    for (args, expected) in [
        (vec!["run", &folder.path("")], "no input: say where the messages of a source are, such as --input updates="),
        (vec!["run", &folder.path(""), "--input", "update=x"], "did you mean `updates`?"),
        (vec!["run", &folder.path(""), "--input", "updates=/no/such/file"], "cannot read /no/such/file"),
        (vec!["run", &folder.path(""), "--input", "nonsense"], "write SOURCE=FILE"),
        (vec!["check", "/no/such/folder"], "give a .chalk file or a folder"),
        (vec!["explain", "E9999"], "there is no code E9999"),
        (vec!["build", &folder.path(""), "--target", "z80-unknown-none"], "z80"),
    ] {
        let output = chalkc(&args, b"");
        assert!(!output.status.success(), "{args:?}");
        assert!(stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn check_reports_every_error_with_its_place() {
    let folder = Folder::new("check");
    assert!(chalkc(&["check", &folder.path("")], b"").status.success());
    fs::write(
        folder.path("app.chalk"),
        PACKAGE.replace("msg.name ??", "msg.nam ??").replace("msg.id > 0", "msg.ip > 0"),
    )
    .unwrap();
    let output = chalkc(&["check", &folder.path("")], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("app.chalk:6:"), "{}", stdout(&output));
    assert!(stdout(&output).contains("did you mean `name`"), "{}", stdout(&output));
    let json = chalkc(&["check", &folder.path(""), "--format", "json"], b"");
    let diagnostics: serde_json::Value = serde_json::from_str(stdout(&json)).expect("a JSON array");
    assert!(diagnostics.as_array().is_some_and(|all| all.len() >= 2 && all.iter().all(|one| one["code"].is_string())));
}

#[test]
fn build_gives_the_same_bytes_and_inspect_reads_them() {
    let folder = Folder::new("build");
    let (one, two) = (folder.path("one.chalkb"), folder.path("two.chalkb"));
    for path in [&one, &two] {
        let output = chalkc(&["build", &folder.path(""), "-o", path], b"");
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let text = chalkc(&["inspect", &one, "--ir", "--asm"], b"");
    for expected in ["stream users from updates to User", "column 0: id: int", "-> user.name", "users::main: "] {
        assert!(stdout(&text).contains(expected), "{expected}: {}{}", stdout(&text), stderr(&text));
    }
    fs::write(&one, &fs::read(&two).unwrap()[..100]).unwrap();
    let cut = chalkc(&["inspect", &one], b"");
    assert_eq!(cut.status.code(), Some(1));
    assert!(stderr(&cut).contains("one.chalkb"), "{}", stderr(&cut));
}

#[test]
fn fmt_formats_checks_and_leaves_broken_files_alone() {
    let folder = Folder::new("fmt");
    let ugly = "features   User{\nid:int\n\n\n\nname :string\n}\n";
    let formatted = chalkc(&["fmt", "-"], ugly.as_bytes());
    assert!(formatted.status.success(), "{}", stderr(&formatted));
    assert!(stdout(&formatted).starts_with("features User {\n  id: int\n"), "{}", stdout(&formatted));
    fs::write(folder.path("app.chalk"), ugly).unwrap();
    assert_eq!(chalkc(&["fmt", "--check", &folder.path("")], b"").status.code(), Some(1));
    assert!(chalkc(&["fmt", &folder.path("")], b"").status.success());
    assert!(chalkc(&["fmt", "--check", &folder.path("")], b"").status.success());
    fs::write(folder.path("app.chalk"), "features {").unwrap();
    assert_eq!(chalkc(&["fmt", &folder.path("")], b"").status.code(), Some(1));
    assert_eq!(fs::read_to_string(Path::new(&folder.path("app.chalk"))).unwrap(), "features {");
}

/// Tests of the package: two that pass, and one of which every kind of expectation fails.
const TESTS: &str = r#"
test "a user has a name" for users {
  given { "id": 1, "name": "Ann" }
  expect { name = "Ann" }
  expect User(1) { id = 1, name = "Ann" }
  expect User(2) { name = none }
}

test "nobody is zero" for users {
  given { "id": 0, "name": "zero" }
  expect filtered
}

test "this is wrong" for users {
  given { "id": "x" }
  expect applied
  expect { name = "Ann" }
  given { "id": 2 }
  expect { name = "Ann" }
}
"#;

#[test]
fn test_runs_test_blocks_and_shows_what_is_not_as_expected() {
    let folder = Folder::new("test");
    let tests = folder.path("tests.chalk");
    fs::write(&tests, TESTS).unwrap();
    let report = folder.path("report.xml");
    let output = chalkc(&["test", &folder.path(""), "--junit", &report], b"");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(
        stdout(&output).replace(&tests, "tests.chalk"),
        r#"ok    a user has a name
ok    nobody is zero
FAIL  this is wrong

this is wrong (tests.chalk:14:6)
  tests.chalk:16:3: the fate of the latest message
    expected  applied
    got       dead_letter
    because   `id`: expected int, found a string (`@lenient` on the field reads int from text)
  tests.chalk:17:3: the row that the latest message wrote to User
    expected  a row
    got       the message was dead_letter
    because   `id`: expected int, found a string (`@lenient` on the field reads int from text)
  tests.chalk:19:12: name of User(2)
    expected  "Ann"
    got       "nobody"

failed: 3 tests, 2 passed, 1 failed
"#
    );
    let report = fs::read_to_string(report).unwrap();
    for expected in ["tests=\"3\"", "failures=\"1\"", "name=\"a user has a name\"", "got       &quot;nobody&quot;"] {
        assert!(report.contains(expected), "{expected} is not in\n{report}");
    }
    let some = chalkc(&["test", &folder.path(""), "--filter", "nobody"], b"");
    assert!(some.status.success(), "{}", stderr(&some));
    assert_eq!(stdout(&some), "ok    nobody is zero\n\npassed: 1 test, 1 passed, 0 failed\n");
    let none = chalkc(&["test", &folder.path(""), "--filter", "somebody"], b"");
    assert_eq!(none.status.code(), Some(1), "a filter that finds nothing is a mistake");
    assert!(stderr(&none).contains("there are 3 tests"), "{}", stderr(&none));
}

#[test]
fn a_test_has_a_clock_and_a_state_of_its_own() {
    let folder = Folder::new("clock");
    let package = PACKAGE.replace("where msg.id > 0", "where msg.id > 0\n  dedup msg.id within 1h");
    let package = package.replace("topic: \"updates\"", "topic: \"updates\", late_arrival_deadline: 1d");
    fs::write(folder.path("app.chalk"), package.replace("User from", "User\n  from")).unwrap();
    let given = "given { \"id\": 1, \"name\": \"Ann\" }";
    let tests = format!(
        "test \"the second is a duplicate\" for users {{
  at \"2024-01-01T00:00:00Z\" {given}
  expect applied
  at \"2024-01-01T00:59:59Z\" {given}
  expect duplicate
  at \"2024-01-01T01:00:00Z\" {given}
  expect applied
}}
test \"another test begins anew\" for users {{
  at \"2024-01-01T00:30:00Z\" {given}
  expect applied
}}
"
    );
    fs::write(folder.path("tests.chalk"), tests).unwrap();
    let output = chalkc(&["test", &folder.path("")], b"");
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let inspected = chalkc(&["inspect", &folder.path("")], b"");
    let expected = "dedup of users: int within 1h\n  state: at most 24 B per key of the last 1h\n";
    assert!(stdout(&inspected).contains(expected), "{}", stdout(&inspected));
}

const STATE: &str = r#"
source logins = file(path: "in.jsonl")
message Login { id: int, user: int, failed: bool, at: datetime }
features Attempt { id: int, user: User.id, failed: bool, @time at: datetime }
features User {
  id: int
  attempts: [Attempt]
  failures: int over [10m, 1d] = attempts.where(failed).count()
  per_window: int over [10m]
}
stream attempts(msg: Login) -> Attempt
  from logins
  dedup msg.id within 1h
{
  id     = msg.id
  user   = msg.user
  failed = msg.failed
  at     = msg.at
}
stream windows(events: [Login]) -> User
  from logins
  timestamp events.at
  window tumbling
  by events.user
{
  id         = key
  per_window = events.count()
}
"#;

const LOGINS: &str = r#"{"id": 1, "user": 1, "failed": true, "at": "2024-01-01T00:00:00Z"}
{"id": 2, "user": 2, "failed": true, "at": "2024-01-01T00:01:00Z"}
{"id": 3, "user": 1, "failed": true, "at": "2024-01-01T00:02:00Z"}
{"id": 3, "user": 1, "failed": true, "at": "2024-01-01T00:02:00Z"}
{"id": 4, "user": 1, "failed": false, "at": "2024-01-01T00:11:00Z"}
"#;

#[test]
fn run_keeps_state_and_gives_aggregates_at_the_end() {
    let folder = Folder::new("state");
    fs::write(folder.path("app.chalk"), STATE).unwrap();
    fs::write(folder.path("in.jsonl"), LOGINS).unwrap();
    let output = chalkc(&["run", &folder.path("")], b"");
    let lines: Vec<&str> = stdout(&output).lines().skip(4).collect();
    assert_eq!(
        lines,
        [
            r#"{"user.id":1,"user.per_window__600__":3}"#,
            r#"{"user.id":2,"user.per_window__600__":1}"#,
            r#"{"user.id":1,"user.per_window__600__":1}"#,
            r#"{"user.id":1,"user.failures__600__":1,"user.failures__86400__":2,"user.per_window__600__":1}"#,
            r#"{"user.id":2,"user.failures__600__":0,"user.failures__86400__":1,"user.per_window__600__":1}"#,
        ],
        "windows when they are over, and queries at the greatest event time"
    );
    assert!(stderr(&output).contains("logins -> attempts: 4 applied, 1 duplicate"), "{}", stderr(&output));
    let output = chalkc(&["run", &folder.path(""), "--quiet", "--at", "2024-01-01T00:05:00Z"], b"");
    let last = stdout(&output).lines().nth(7).unwrap_or_default();
    assert!(last.contains(r#""user.failures__600__":2"#), "{last}");
    let output = chalkc(&["run", &folder.path(""), "--at", "yesterday"], b"");
    assert!(stderr(&output).contains("write an RFC 3339 time"), "{}", stderr(&output));
}

#[test]
fn inspect_says_how_much_memory_a_key_takes() {
    let folder = Folder::new("state");
    fs::write(
        folder.path("app.chalk"),
        r#"
source logins = kafka(topic: "logins")
message Attempt { id: int, user: int, failed: bool, seconds: float, at: datetime }
features Login { id: int, user: User.id, failed: bool, seconds: float, @time at: datetime }
features User {
  id: int
  logins: [Login]
  failed: int over [10m, 1d] = logins.where(failed).count()
  @materialize(bucket: 1d) slowest: float? over [30d] = logins.max(seconds)
  total: int = logins.count()
}
stream login(msg: Attempt) -> Login
  from logins
  dedup msg.id within 30d
{
  id      = msg.id
  user    = msg.user
  failed  = msg.failed
  seconds = msg.seconds
  at      = msg.at
}
"#,
    )
    .unwrap();
    let output = chalkc(&["inspect", &folder.path("")], b"");
    for expected in [
        "over exact windows, by User: int\n",
        "count() where column 0: int",
        "  window 10m: ",
        "  window 1d: ",
        "over windows of buckets, by User: int\n",
        "  window 30d: 30 buckets of 1d, at most ",
        "over all time, by User: int\n",
        " B per key",
        "dedup of login: int within 30d\n  state: at most 24 B per key of the last 30d\n",
    ] {
        assert!(stdout(&output).contains(expected), "{expected}: {}{}", stdout(&output), stderr(&output));
    }
}
