//! A program of a few lines, a server around it, and a client for that: what the tests of the runtime share.
#![allow(dead_code)]

pub(crate) mod broker;
pub(crate) mod child;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, Float64Array, Int64Array, PrimitiveArray, RecordBatch, StringViewArray};
use chalk_artifact::abi::status;
use chalk_artifact::manifest::{
    Feature, FeatureClass, Manifest, MessageInput, OptionValue, Resolver, ResolverOutput, Source,
};
use chalk_connectors::Envelope;
use chalk_engine::{Keeper, KeeperOptions, StoredRows};
use chalk_types::{Kind, Type, Value};
use chalkd::pipeline::{Computed, Failure, Pipeline, Program, Queries};
use serde_json::Value as Json;

/// `features User { @primary id: int, name: string?, score: float?, double: float? = score * 2 }`, with a resolver that
/// sets name (`{"id":1,"name":"Ann"}`) and one that sets the score (`{"id":1,"score":0.5}`), from one source. `at` is
/// the
/// event time in microseconds. A message with `"skip":true` is skipped, one that is no object fails.
pub(crate) struct UserProgram(Manifest);

pub(crate) fn source(connector: &str, options: &[(&str, &str)]) -> Source {
    let option =
        |(name, value): &(&str, &str)| ((*name).to_owned(), OptionValue::Value(Value::String((*value).to_owned())));
    Source {
        name: "updates".into(),
        connector: connector.into(),
        options: options.iter().map(option).collect(),
        late_arrival_deadline_us: None,
    }
}

pub(crate) fn file_source(path: &Path) -> Source {
    source("file", &[("path", path.to_str().unwrap())])
}

impl UserProgram {
    pub(crate) fn new(source: Source) -> UserProgram {
        let feature = |name: &str, ty: Type, is_expression: bool| Feature {
            name: name.into(),
            fqn: format!("user.{name}"),
            ty,
            description: String::new(),
            metadata: Vec::new(),
            max_staleness_us: (name == "score").then_some(3_600_000_000),
            is_expression,
            window: None,
        };
        let class = FeatureClass {
            name: "User".into(),
            namespace: "user".into(),
            description: String::new(),
            metadata: Vec::new(),
            max_staleness_us: None,
            etl_offline_to_online: false,
            primary_key: 0,
            time: None,
            features: vec![
                feature("id", Type::INT, false),
                feature("name", Kind::String.optional(), false),
                feature("score", Kind::Float64.optional(), false),
                feature("double", Kind::Float64.optional(), true),
            ],
            aggregates: Vec::new(),
            links: Vec::new(),
            expressions: None,
        };
        let resolver = |name: &str, feature: u32| Resolver {
            name: name.into(),
            source: 0,
            class: 0,
            input: MessageInput::Bytes,
            prefilter: None,
            main: 0,
            outputs: vec![ResolverOutput::Feature(0), ResolverOutput::Feature(feature), ResolverOutput::EventTime],
            dedup: None,
            feeds: Vec::new(),
            window: None,
            environments: Vec::new(),
            skip_online: false,
            skip_offline: false,
        };
        UserProgram(Manifest {
            sources: vec![source],
            classes: vec![class],
            resolvers: vec![resolver("get_names", 1), resolver("get_scores", 2)],
            ..Manifest::default()
        })
    }
}

impl Program for UserProgram {
    fn manifest(&self) -> &Manifest {
        &self.0
    }
    fn with_state(self: Arc<Self>, _options: KeeperOptions) -> Result<Arc<dyn Program>, String> {
        Ok(self)
    }
    fn keeper(&self) -> Option<&Arc<Keeper>> {
        None
    }
    fn pipeline(&self, resolvers: &[usize]) -> Result<Box<dyn Pipeline>, String> {
        Ok(Box::new(UserPipeline { resolvers: resolvers.to_vec(), messages: Vec::new() }))
    }
    fn queries(&self) -> Result<Box<dyn Queries>, String> {
        Ok(Box::new(Double))
    }
}

struct Double;

impl Queries for Double {
    fn run(
        &mut self,
        _rows: &dyn StoredRows,
        _class: usize,
        _key: &Value,
        row: &[Value],
        _now_us: i64,
    ) -> Vec<Result<Value, String>> {
        let mut values: Vec<_> = row.iter().cloned().map(Ok).collect();
        values[3] = match &row[2] {
            Value::Float(score) if *score < 0.0 => Err("a negative score".to_owned()),
            Value::Float(score) => Ok(Value::Float(score * 2.0)),
            _ => Ok(Value::Null),
        };
        values
    }
}

struct UserPipeline {
    resolvers: Vec<usize>,
    messages: Vec<Vec<u8>>,
}

impl Pipeline for UserPipeline {
    fn push(&mut self, value: &[u8], _envelope: &Envelope<'_>) -> bool {
        self.messages.push(value.to_vec());
        true
    }
    fn size_bytes(&self) -> usize {
        self.messages.iter().map(Vec::len).sum()
    }
    fn message(&self, row: usize) -> &[u8] {
        &self.messages[row]
    }
    fn clear(&mut self) {
        self.messages.clear();
    }
    fn run(&mut self, _now_us: i64, _log: &mut Vec<u8>, visit: &mut dyn FnMut(&Computed<'_>)) -> Result<(), String> {
        for resolver in &self.resolvers {
            let wanted = if *resolver == 0 { "name" } else { "score" };
            let (mut statuses, mut failures, mut row_index) = (Vec::new(), Vec::new(), Vec::new());
            let (mut ids, mut names, mut scores, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for (row, message) in self.messages.iter().enumerate() {
                let json: Json = serde_json::from_slice(message).unwrap_or(Json::Null);
                statuses.push(match json["id"].as_i64() {
                    None => {
                        let reason = "the message is no user".to_owned();
                        failures.push(Failure { row, reason, byte_offset: Some(0), ..Failure::default() });
                        status::FAILED
                    }
                    Some(_) if json["skip"] == true => status::SKIPPED,
                    Some(_) if json.get(wanted).is_none() => status::FILTERED,
                    Some(id) => {
                        row_index.push(row as u32);
                        ids.push(id);
                        names.push(json["name"].as_str().map(str::to_owned));
                        scores.push(json["score"].as_f64());
                        times.push(json["at"].as_i64());
                        status::APPLIED
                    }
                });
            }
            let ids: ArrayRef = Arc::new(Int64Array::from(ids));
            let values: ArrayRef = if *resolver == 0 {
                Arc::new(StringViewArray::from_iter(names))
            } else {
                Arc::new(Float64Array::from(scores))
            };
            let batch = RecordBatch::try_from_iter_with_nullable([("user.id", ids, false), (wanted, values, true)]);
            visit(&Computed {
                resolver: *resolver,
                batch: &batch.unwrap(),
                row_index: &row_index,
                event_times: Some(&PrimitiveArray::<TimestampMicrosecondType>::from(times).with_timezone("UTC")),
                status: &statuses,
                decoded: chalk_decode::TierCounts::default(),
                failures: &failures,
            });
        }
        Ok(())
    }
}

/// Sends a request and gives status and body.
pub(crate) fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// An online query.
pub(crate) fn query(address: SocketAddr, request: &Json) -> Json {
    let (status, body) = http(address, "POST", "/v1/query/online", &request.to_string());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Waits until something holds; how long that takes is not what is tested.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(120), "waited two minutes for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
