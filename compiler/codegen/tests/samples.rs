//! Whole programs, natively.

mod support;

use support::run;

const USERS: &str = include_str!("support/users.chalk");

#[test]
fn the_main_example_becomes_features() {
    let message = r#"{"id":123,"name":"John Smith","updated_at":1700000000000000,"contact_info":{"phone_number":"555-555-5555","email_address":"john.smith@gmail.com"}}"#;
    let without_mail = r#"{"id":124,"name":"A name of more than twelve bytes","updated_at":1700000000123457,"contact_info":{"phone_number":"1"}}"#;
    let broken = r#"{"id":125}"#;
    let lines = run(USERS, &[message, without_mail, broken, message]);
    let features = r#"{"user.user_id":123,"user.full_name":"John Smith","user.email_address":"john.smith@gmail.com","user.updated_at":"2023-11-14T22:13:20Z"}"#;
    assert_eq!(lines[0], features);
    assert_eq!(lines[3], features);
    assert_eq!(
        lines[1],
        r#"{"user.user_id":124,"user.full_name":"A name of more than twelve bytes","user.email_address":null,"user.updated_at":"2023-11-14T22:13:20.123457Z"}"#
    );
    assert!(lines[2].starts_with("failed: "), "{}", lines[2]);
}
