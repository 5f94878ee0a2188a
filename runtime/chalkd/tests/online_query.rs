//! `POST /v1/query/online` over HTTP: the shapes that clients of the reference system send and read.

mod common;

use std::sync::Arc;

use chalkd::app::App;
use chalkd::config::Config;
use common::{UserProgram, file_source, http, query, wait_until};
use serde_json::{Value as Json, json};

struct Running {
    app: Option<App>,
    _dir: tempfile::TempDir,
    dead_letters: std::path::PathBuf,
}

/// Runs the user program over the messages and waits until they are committed.
fn start(messages: &str) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("updates.ndjson");
    std::fs::write(&path, messages).unwrap();
    let config = Config {
        data_dir: dir.path().join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        workers: 2,
        commit_interval: std::time::Duration::from_millis(1),
        ..Config::default()
    };
    let app = App::start(Arc::new(UserProgram::new(file_source(&path))), &config, &|_| None, false).unwrap();
    let lines = messages.lines().count();
    let running = Running { app: Some(app), dead_letters: config.data_dir.join("dead_letters.ndjson"), _dir: dir };
    wait_until("the messages to be committed", || {
        let (_, text) = http(running.address(), "GET", "/metrics", "");
        let counted: u64 = text
            .lines()
            .filter(|line| line.starts_with("chalk_messages_total{") && line.contains("get_names"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum();
        counted as usize == lines && text.contains("chalk_commit_seconds_count 1")
    });
    running
}

impl Running {
    fn address(&self) -> std::net::SocketAddr {
        self.app.as_ref().unwrap().address()
    }
    fn query(&self, request: Json) -> Json {
        query(self.address(), &request)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let app = self.app.take().unwrap();
        app.stop_handle().request();
        app.wait().unwrap();
    }
}

const MESSAGES: &str = r#"{"id":1,"name":"Ann","at":1700000000000000}
{"id":1,"score":0.5,"at":1700000000000000}
{"id":2,"score":-1.0}
{"id":3,"name":null,"at":5}
"#;

#[test]
fn the_clients_request_is_answered_with_its_reply() {
    let running = start(MESSAGES);
    // As the Python client sends it.
    let answer = running.query(json!({
        "inputs": { "user.id": 1 }, "outputs": ["user.name", "user.id"], "expression_outputs": [], "now": null,
        "staleness": null, "context": { "environment": null, "tags": null, "required_resolver_tags": null },
        "include_meta": false, "explain": false, "correlation_id": null, "query_name": null, "query_name_version": null,
        "deployment_id": null, "branch_id": null, "meta": null, "store_plan_stages": false,
        "encoding_options": { "encode_structs_as_objects": false }, "planner_options": null, "query_context": null,
        "value_metrics_tag_by_features": [], "overlay_graph": null, "input_schema_hint": null
    }));
    assert_eq!(
        answer,
        json!({
            "data": [
                { "field": "user.name", "value": "Ann", "pkey": 1, "ts": "2023-11-14T22:13:20Z" },
                { "field": "user.id", "value": 1, "pkey": 1, "ts": null },
            ],
            "errors": [],
        })
    );
}

#[test]
fn what_is_not_there_is_an_explicit_null() {
    let running = start(MESSAGES);
    let values = |key: i64| {
        let answer = running.query(json!({ "inputs": { "user.id": key }, "outputs": ["user"] }));
        assert_eq!(answer["errors"], json!([]));
        let fields: Vec<_> = answer["data"].as_array().unwrap().iter().map(|item| item["field"].clone()).collect();
        assert_eq!(fields, ["user.id", "user.name", "user.score", "user.double"]);
        answer["data"].as_array().unwrap().iter().map(|item| item["value"].clone()).collect::<Json>()
    };
    assert_eq!(values(3), json!([3, null, null, null]));
    assert_eq!(values(99), json!([99, null, null, null]));
}

#[test]
fn a_value_is_served_as_long_as_it_is_not_stale() {
    let running = start(MESSAGES);
    // `score` has @max_staleness(1h), by event time.
    let score = |now: &str, staleness: Json| {
        let request = json!({ "inputs": { "user.id": 1 }, "outputs": ["user.score", "user.double"], "now": now, "staleness": staleness });
        let answer = running.query(request);
        assert_eq!(answer["errors"], json!([]));
        (answer["data"][0]["value"].clone(), answer["data"][1]["value"].clone())
    };
    assert_eq!(score("2023-11-14T23:13:20Z", Json::Null), (json!(0.5), json!(1.0)));
    assert_eq!(score("2023-11-14T23:13:21Z", Json::Null), (Json::Null, Json::Null));
    assert_eq!(score("2023-11-14T23:13:21Z", json!({ "user.score": "2h" })), (json!(0.5), json!(1.0)));
    assert_eq!(score("2024-11-14T23:13:21+02:00", json!({ "user": "all" })), (json!(0.5), json!(1.0)));
    assert_eq!(score("2023-11-14T22:13:21Z", json!({ "user.score": "0s" })), (Json::Null, Json::Null));
}

#[test]
fn inputs_replace_what_is_stored_and_expressions_follow() {
    let running = start(MESSAGES);
    let answer = running
        .query(json!({ "inputs": { "user.id": 1, "user.score": 4.0 }, "outputs": ["user.score", "user.double"] }));
    assert_eq!((&answer["data"][0]["value"], &answer["data"][1]["value"]), (&json!(4.0), &json!(8.0)));
}

#[test]
fn errors_name_the_feature_and_leave_the_others_answered() {
    let running = start(MESSAGES);
    let answer = running.query(json!({ "inputs": { "user.id": 1 }, "outputs": ["user.nam", "user.name"] }));
    assert_eq!(
        answer["errors"],
        json!([{ "code": "INVALID_QUERY", "category": "REQUEST", "message": "unknown feature `user.nam`; did you mean `user.name`?", "feature": "user.nam" }])
    );
    assert_eq!(answer["data"][0]["value"], "Ann");

    let answer = running.query(json!({ "inputs": { "user.id": 2 }, "outputs": ["user.double", "user.id"] }));
    assert_eq!(
        answer["errors"],
        json!([{ "code": "RESOLVER_FAILED", "category": "FIELD", "message": "`user.double`: a negative score", "feature": "user.double" }])
    );
    assert_eq!(answer["data"][0]["value"], Json::Null);
    assert_eq!(answer["data"][0]["error"]["code"], "RESOLVER_FAILED");
    assert_eq!(answer["data"][1]["value"], 2);

    for (request, code, message) in [
        (
            json!({ "inputs": {}, "outputs": ["user.name"] }),
            "INVALID_QUERY",
            "`inputs` needs `user.id`, the primary key",
        ),
        (
            json!({ "inputs": { "user.id": "1" }, "outputs": ["user.name"] }),
            "VALIDATION_FAILED",
            "input `user.id`: expected int, found \"1\"",
        ),
        (
            json!({ "inputs": { "user.id": null }, "outputs": ["user.name"] }),
            "VALIDATION_FAILED",
            "input `user.id`: expected int, found null",
        ),
        (json!({ "inputs": { "user.id": 1 }, "outputs": [] }), "INVALID_QUERY", "`outputs` names no feature"),
        (
            json!({ "inputs": { "user.id": 1 }, "outputs": ["user.name"], "now": "yesterday" }),
            "INVALID_QUERY",
            "`now` is an ISO 8601 time with an offset, not \"yesterday\"",
        ),
        (
            json!({ "inputs": { "user.id": 1 }, "outputs": ["user.name"], "staleness": { "user.name": "1 hour" } }),
            "INVALID_QUERY",
            "the staleness of `user.name` is a duration, \"1h30m\", not \"1 hour\"",
        ),
    ] {
        let answer = running.query(request);
        assert_eq!((&answer["errors"][0]["code"], &answer["errors"][0]["message"]), (&json!(code), &json!(message)));
        assert_eq!(answer["data"], json!([]));
    }
}

#[test]
fn a_body_that_is_no_query_is_raised_by_clients() {
    let running = start(MESSAGES);
    let (status, body) = http(running.address(), "POST", "/v1/query/online", "{\"inputs\": 5}");
    let body: Json = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("PARSE_FAILED")));
    assert!(body["detail"].as_str().unwrap().contains("no online query"), "{body}");
    assert_eq!(http(running.address(), "GET", "/nowhere", "").0, 404);
}

#[test]
fn meta_says_where_values_came_from() {
    let running = start(MESSAGES);
    let answer = running
        .query(json!({ "inputs": { "user.id": 1 }, "outputs": ["user.name", "user.double"], "include_meta": true }));
    assert_eq!(answer["data"][0]["meta"], json!({ "chosen_resolver_fqn": "get_names", "cache_hit": true }));
    assert_eq!(answer["data"][1]["meta"], json!({ "chosen_resolver_fqn": null, "cache_hit": false }));
    assert!(answer["meta"]["execution_duration_s"].is_f64());
}

#[test]
fn health_and_metrics_are_there() {
    let running = start(MESSAGES);
    assert_eq!(http(running.address(), "GET", "/healthz", "").0, 200);
    running.query(json!({ "inputs": { "user.id": 1 }, "outputs": ["user.name"] }));
    let (_, text) = http(running.address(), "GET", "/metrics", "");
    for line in [
        "chalk_messages_total{fate=\"applied\",partition=\"0\",resolver=\"get_names\",source=\"updates\"} 2",
        "chalk_messages_total{fate=\"filtered\",partition=\"0\",resolver=\"get_names\",source=\"updates\"} 2",
        "chalk_online_queries_total{outcome=\"ok\"} 1",
        "chalk_online_query_seconds_count 1",
        "chalk_batch_seconds_count{source=\"updates\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_message_that_fails_is_a_dead_letter_and_its_neighbours_are_applied() {
    let running = start("{\"id\":1,\"name\":\"Ann\"}\nnonsense\n{\"id\":2,\"name\":\"Ben\"}\n");
    for (key, name) in [(1, "Ann"), (2, "Ben")] {
        let answer = running.query(json!({ "inputs": { "user.id": key }, "outputs": ["user.name"] }));
        assert_eq!(answer["data"][0]["value"], name);
    }
    let lines = std::fs::read_to_string(&running.dead_letters).unwrap();
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let letter = |resolver: &str| {
        json!({
            "source": "updates", "topic": "updates", "partition": 0, "offset": 1, "resolver": resolver,
            "reason": "the message is no user", "byte_offset": 0, "message": "nonsense",
        })
    };
    assert_eq!(lines, [letter("get_names"), letter("get_scores")]);
}
