//! Mistakes that were found in published samples of the reference system: each is one diagnostic that names it.
//!
//! The numbers are those of the list in the design notes; those that are left out concern windows, imports and online resolvers.

mod common;

use chalk_diagnostics::Code;
use common::refuse;

const TRANSACTIONS: &str = r#"
source payments = kafka(topic: "payments")
message UserMessage { id: int, name: string }
message TransactionMessage { id: int, amount: float, at: datetime }
features Transaction { @primary transaction_id: int, amount: float?, submitted: datetime? }
features User { id: int, name: string }
stream users(msg: UserMessage) -> User
  from payments
{
  id   = msg.id
  name = msg.name
}
"#;

/// The transactions above with one resolver more.
fn with(resolver: &str) -> String {
    format!("{TRANSACTIONS}{resolver}")
}

#[test]
fn a_message_type_that_is_misspelt() {
    let text = "
source updates = kafka(topic: \"user_updates\")
message UserMessage { id: int }
features User { id: int }
stream get_users_stream(msg: UsersMessage) -> User
  from updates
{
  id = msg.id
}
";
    // (1) The resolver is wrong because of its parameter alone; the message stays without a remark.
    refuse(
        text,
        &[Code::E0103],
        &["there is no type `UsersMessage`", "did you mean `UserMessage`?", "fix: `UsersMessage` -> `UserMessage`"],
    );
}

#[test]
fn a_feature_that_is_not_declared() {
    // (5) `timestamp` is not a feature (`submitted` is).
    let text = with(
        "stream pay(msg: TransactionMessage) -> Transaction
  from payments
{
  transaction_id = msg.id
  timestamp      = msg.at
}",
    );
    refuse(&text, &[Code::E0405], &["`Transaction` has no feature `timestamp`", "the class is declared here"]);
}

#[test]
fn a_type_where_an_expression_is_wanted() {
    // (6) `Transaction.amount: int` among the output features.
    let text = with(
        "stream pay(msg: TransactionMessage) -> Transaction
  from payments
{
  transaction_id = msg.id
  amount         = int
}",
    );
    refuse(&text, &[Code::E0106], &["`int` is a type, not a value"]);
}

#[test]
fn a_primary_key_that_is_never_set() {
    // (7)
    let text = with(
        "stream pay(msg: TransactionMessage) -> Transaction
  from payments
{
  amount = msg.amount
}",
    );
    refuse(
        &text,
        &[Code::E0404],
        &["the resolver `pay` never sets the primary key `transaction_id`", "add a line `transaction_id = …`"],
    );
}

#[test]
fn a_resolver_of_the_wrong_message() {
    // (8) The fields of the message that was meant are not there.
    let text = with(
        "stream pay(msg: UserMessage) -> Transaction
  from payments
{
  transaction_id = msg.id
  amount         = msg.amount
}",
    );
    refuse(&text, &[Code::E0107], &["`UserMessage` has no field `amount`", "its fields are `id` and `name`"]);
}

#[test]
fn text_is_put_into_a_datetime() {
    // (10)
    let text = r#"
source raw = kafka(topic: "raw")
features Event { id: string, timestamp: datetime? }
stream events(msg: string) -> Event
  from raw
{
  id        = msg
  timestamp = json_value(msg, "$.metadata.timestamp")
}
"#;
    refuse(
        text,
        &[Code::E0201],
        &["the feature `timestamp` wants `datetime?`, not `string?`", "convert it: `parse_datetime(…)`"],
    );
}

#[test]
fn a_field_is_asked_of_a_text_message() {
    // (10, the comment in the sample)
    let text = r#"
source raw = kafka(topic: "raw")
features Event { id: string, timestamp: datetime? }
stream events(msg: string) -> Event
  from raw
{
  id        = msg
  timestamp = msg.timestamp
}
"#;
    refuse(text, &[Code::E0210], &["`string` has no fields", "json_value(…, \"$.timestamp\")"]);
}

#[test]
fn a_parse_function_that_is_not_used() {
    // (11) `parse_message` is described but not passed.
    let text = r#"
source raw = kafka(topic: "raw")
message M { id: int }
features F { id: int }
fn parse_message(raw: bytes) -> M? = json_deserialize<M>(raw[6..])
stream s(msg: M) -> F
  from raw
{
  id = msg.id
}
"#;
    refuse(text, &[Code::W0101], &["the function `parse_message` is never used", "name it in a `parse` clause"]);
}

#[test]
fn a_header_is_compared_with_text() {
    let text = r#"
source raw = kafka(topic: "raw")
features F { id: string }
stream s(msg: string) -> F
  from raw
  where header("X-Chalk-MessageType") == "User"
{
  id = msg
}
"#;
    refuse(text, &[Code::E0412], &["compares `bytes` with `string`", "write the literal as bytes: `b\"User\"`"]);
}

#[test]
fn recursive_union_and_untyped_messages() {
    let text = r#"
source users = kafka(topic: "users")
message PhoneInfo { number: string }
message EmailInfo { address: string }
message Parent { id: int, parent: Parent? }
message UserMessage {
  id: int
  account_id: int | string
  card_id: int?
  contact: PhoneInfo | EmailInfo
  extra: any
  parent: Parent?
}
features User { id: int }
stream s(msg: UserMessage) -> User
  from users
{
  id = msg.id
}
"#;
    refuse(
        text,
        &[Code::E0301, Code::E0302, Code::E0302, Code::E0303],
        &[
            "Parent.parent → Parent",
            "field `account_id` has a union type",
            "field `contact` has a union type",
            "field `extra` has no type (`any`)",
        ],
    );
}
