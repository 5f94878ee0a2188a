//! Whole resolvers on single messages: what is written, what is filtered, what fails, and in which order.

mod common;

use chalk_eval::Outcome;
use common::{Package, applied};

const USERS: &str = r#"
source user_updates = kafka(topic: "user_updates", late_arrival_deadline: 30m)

features User {
  @primary user_id: int
  full_name: string
  email_address: string?
  updated_at: datetime?
  shouted: string = upper(full_name)
  has_mail: bool = email_address is not none
}

message ContactInfo {
  phone_number: string
  email_address: string?
}

message UserMessage {
  id: int
  name: string
  updated_at: int
  contact_info: ContactInfo
}

stream get_users_stream(msg: UserMessage) -> User
  from user_updates
{
  user_id       = msg.id
  full_name     = msg.name
  email_address = msg.contact_info.email_address
  updated_at    = from_unix_seconds(msg.updated_at / 1_000_000)
}
"#;

#[test]
fn the_main_example_becomes_features() {
    let package = Package::new(USERS);
    let outcome = package.run(
        "get_users_stream",
        r#"{"id":123,"name":"John Smith","updated_at":1700000000000000,
            "contact_info":{"phone_number":"555-555-5555","email_address":"john.smith@gmail.com"}}"#,
        &[],
    );
    assert_eq!(
        applied(&package, "get_users_stream", &outcome),
        "user_id=123 full_name=\"John Smith\" email_address=\"john.smith@gmail.com\" \
         updated_at=2023-11-14T22:13:20Z shouted=\"JOHN SMITH\" has_mail=true"
    );
}

const ROUTED: &str = r#"
source raw = kafka(topic: "raw")
features Click { id: int, page: string, @time at: datetime?, ratio: int? }
message ClickMessage { id: int, page: string?, at: int, kind: string }

fn clicks_only(raw: bytes) -> ClickMessage? = {
  let click = json_deserialize<ClickMessage>(raw[2..])
  if click.kind == "view" then none else click
}

stream clicks(msg: ClickMessage) -> Click
  from raw
  where header("type") == b"click"
  parse clicks_only
  where msg.page is not none
{
  id    = msg.id
  page  = msg.page
  at    = from_unix_seconds(msg.at)
  ratio = 100 % msg.id
}
"#;

fn routed(kind: &str, body: &str) -> (Package, Outcome) {
    let package = Package::new(ROUTED);
    let outcome = package.run("clicks", body, &[("type", "first"), ("type", kind)]);
    (package, outcome)
}

#[test]
fn a_message_has_one_fate() {
    let good = r#"!!{"id":3,"page":"/","at":60,"kind":"click"}"#;
    let (package, outcome) = routed("click", good);
    assert_eq!(applied(&package, "clicks", &outcome), "id=3 page=\"/\" at=1970-01-01T00:01:00Z ratio=1");
    let Outcome::Applied { event_time_us, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(event_time_us, Some(60_000_000), "the `@time` feature's value");

    assert_eq!(routed("other", "not even JSON").1, Outcome::Filtered);
    assert_eq!(routed("click", r#"!!{"id":3,"page":"/","at":60,"kind":"view"}"#).1, Outcome::Skipped);
    assert_eq!(routed("click", r#"!!{"id":3,"page":null,"at":60,"kind":"click"}"#).1, Outcome::Filtered);
    let (package, outcome) = routed("click", r#"!!{"id":0,"page":"/","at":60,"kind":"click"}"#);
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!((package.text_at(failure.span), failure.reason.as_str()), ("100 % msg.id", "division by zero"));
}

#[test]
fn the_first_failure_in_order_is_reported() {
    let package = Package::new(
        r#"
source raw = kafka(topic: "raw")
message M { id: int, a: int, b: int }
features F { id: int, x: int, y: int, z: int = 1 % x }
stream s(msg: M) -> F
  from raw
  where msg.a >= 0
  timestamp from_unix_seconds(1 % msg.b)
{
  y  = 2 % msg.a
  x  = 3 % msg.b
  id = msg.id
}
"#,
    );
    let fails_at = |body: &str| match package.run("s", body, &[]) {
        Outcome::Failed(failure) => package.text_at(failure.span).to_owned(),
        outcome => format!("{outcome:?}"),
    };
    assert_eq!(fails_at(r#"{"id":1,"a":-1,"b":0}"#), "Filtered");
    assert_eq!(fails_at(r#"{"id":1,"a":0,"b":0}"#), "1 % msg.b");
    assert_eq!(fails_at(r#"{"id":1,"a":0,"b":2}"#), "2 % msg.a");
    assert_eq!(fails_at(r#"{"id":1,"a":1,"b":3}"#), "1 % x", "3 % 3 is 0, which the expression feature divides by");
}

#[test]
fn text_messages_are_taken_as_a_whole() {
    let package = Package::new(
        r#"
source raw = kafka(topic: "raw")
features RawEvent { id: string, cleaned: string, topic: string, size: int }
stream raw_events(msg: string) -> RawEvent
  from raw
  where length(msg) > 1
{
  id      = msg[..3]
  cleaned = trim(lower(msg))
  topic   = envelope.topic
  size    = length(msg)
}
"#,
    );
    let outcome = package.run("raw_events", " ABC ", &[]);
    assert_eq!(applied(&package, "raw_events", &outcome), r#"id=" AB" cleaned="abc" topic="topic" size=5"#);
    assert_eq!(package.run("raw_events", "x", &[]), Outcome::Filtered);
}
