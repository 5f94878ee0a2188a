//! Queries from the text of a package to the values that a query of a feature gives, on the real engine.

use std::sync::Arc;

use chalk_engine::Program;
use chalkc::compile::{catalog, check, jit};
use chalkc::testing::Tester;

/// Two windows over two keys; text, null, enum and decimal columns; a name that SQL would fold; a message that is late.
const PACKAGE: &str = r#"
source payments = kafka(topic: "payments")
enum Status { OK, REFUSED }
message Payment { userId: int?, status: Status, amount: decimal(10, 2), note: string?, at: datetime }
features User {
  id: int
  refused: int over [10m, 1h]
  spent: float over [10m, 1h]
  first_note: string? over [10m, 1h]
  latest: datetime? over [10m, 1h]
}
stream payments_by_user(events: [Payment]) -> [User]
  from payments
  where events.userId is not none
  timestamp events.at
  window tumbling
sql """
  with known as (select * from events where note is null or note <> 'test')
  select userId as id,
         count(*) filter (where status = 'REFUSED') as refused,
         cast(coalesce(sum(amount) filter (where status = 'OK'), 0) as double) as spent,
         min(note) as first_note,
         max(at) as latest
  from known
  group by userId
"""

test "windows are run when they are over" for payments_by_user {
  at "2024-01-01T00:01:00Z" given { "userId": 1, "status": "OK", "amount": 1.25, "note": "bread", "at": "2024-01-01T00:01:00Z" }
  at "2024-01-01T00:02:00Z" given { "userId": 1, "status": "REFUSED", "amount": 9, "note": null, "at": "2024-01-01T00:02:00Z" }
  at "2024-01-01T00:02:00Z" given { "userId": 2, "status": "OK", "amount": 7, "note": "test", "at": "2024-01-01T00:02:00Z" }
  at "2024-01-01T00:02:30Z" given { "userId": null, "status": "OK", "amount": 7, "note": "x", "at": "2024-01-01T00:02:30Z" }
  expect filtered
  at "2024-01-01T00:03:00Z" given { "userId": 1, "status": "OK", "amount": 2.25, "note": "apples", "at": "2024-01-01T00:03:00Z" }
  at "2024-01-01T00:05:00Z" expect User(1) { refused[10m] = none }
  at "2024-01-01T00:10:00Z" expect User(1) {
    refused[10m] = 1, spent[10m] = 3.5, first_note[10m] = "apples", latest[10m] = "2024-01-01T00:03:00Z", refused[1h] = none
  }
  expect User(2) { refused[10m] = none }
  at "2024-01-01T00:11:00Z" given { "userId": 1, "status": "OK", "amount": 4, "note": null, "at": "2024-01-01T00:11:00Z" }
  at "2024-01-01T00:20:00Z" expect User(1) { refused[10m] = 0, spent[10m] = 4.0, first_note[10m] = none }
  at "2024-01-01T01:00:00Z" expect User(1) { refused[1h] = 1, spent[1h] = 7.5 }
}
"#;

#[test]
fn a_query_sets_features_when_its_windows_are_over() {
    let checked = check(&[("payments.chalk".to_owned(), PACKAGE.to_owned())]);
    assert!(checked.is_ok(), "{}", chalk_diagnostics::render::plain(&checked.diagnostics, &checked.sources));
    let program = Arc::new(Program::link(jit(&checked).expect("code"), catalog()).expect("a program"));
    for test in &checked.program.tests {
        assert_eq!(Tester::new(&checked, &program).run(test), Ok(Vec::new()), "{}", test.name);
    }
    assert_eq!(checked.program.tests.len(), 1);
}
