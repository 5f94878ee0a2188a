//! Answers an online query: stored values that are young enough, and expressions over them.
//!
//! This file must not know HTTP.

use std::collections::BTreeMap;
use std::time::Instant;

use chalk_artifact::manifest::{Feature, FeatureClass};
use chalk_connectors::parse_duration_us;
use chalk_engine::StoredRows;
use chalk_types::{Value, format_datetime};
use serde_json::Value as Json;

use super::context::QueryContext;
use super::json::{from_json, parse_datetime_us, to_json};
use super::request::{ItemMeta, QueryError, QueryMeta, QueryRequest, QueryResponse, ResultItem};
use crate::online::Stored;
use crate::suggest::did_you_mean;

/// One class of a query: its values by feature.
struct ClassRow {
    key: Value,
    primary_key: Json,
    values: Vec<Value>,
    /// Event times of the stored values that are in `values`.
    times: Vec<Option<i64>>,
    /// Every feature, computed: its value, or why there is none. Such a value is as of now, so it is never stale.
    computed: Option<Vec<Result<Value, String>>>,
}

/// What is stored under linked keys, as far as it is young enough.
struct LinkedRows<'a> {
    context: &'a QueryContext,
    limits: &'a Limits<'a>,
    now_us: i64,
}

impl StoredRows for LinkedRows<'_> {
    fn stored(&self, class: usize, key: &Value) -> Result<Option<Vec<Value>>, String> {
        let stored = self.context.read(class, key).map_err(|error| error.to_string())?;
        if stored.iter().all(Option::is_none) {
            return Ok(None);
        }
        let definition = self.context.class(class);
        let young = stored.into_iter().zip(&definition.features).map(|(stored, feature)| match stored {
            Some(stored) if is_young_enough(self.limits, definition, feature, stored.stamp.time_us, self.now_us) => {
                stored.value
            }
            _ => Value::Null,
        });
        Ok(Some(young.collect()))
    }
}

/// Greatest ages in microseconds that a request asks for, by feature or class name.
type Limits<'a> = BTreeMap<&'a str, Option<i64>>;

fn is_young_enough(limits: &Limits<'_>, class: &FeatureClass, feature: &Feature, time_us: i64, now_us: i64) -> bool {
    let asked = limits.get(feature.fqn.as_str()).or_else(|| limits.get(class.namespace.as_str()));
    let limit_us = asked.copied().unwrap_or(feature.max_staleness_us.or(class.max_staleness_us));
    limit_us.is_none_or(|limit_us| now_us.saturating_sub(time_us) <= limit_us)
}

/// Answers a request; `clock_us` is the time of the clock.
pub fn answer(context: &QueryContext, request: &QueryRequest, clock_us: i64) -> QueryResponse {
    let started = Instant::now();
    let mut query = Query {
        context,
        request,
        now_us: clock_us,
        inputs: BTreeMap::new(),
        limits: BTreeMap::new(),
        response: QueryResponse::default(),
    };
    query.read_request();
    if query.response.errors.is_empty() {
        query.answer_outputs();
    }
    let mut response = query.response;
    if request.include_meta {
        let query_timestamp = format_datetime(clock_us);
        response.meta = Some(QueryMeta { execution_duration_s: started.elapsed().as_secs_f64(), query_timestamp });
    }
    response
}

struct Query<'a> {
    context: &'a QueryContext,
    request: &'a QueryRequest,
    now_us: i64,
    inputs: BTreeMap<(usize, usize), Value>,
    limits: Limits<'a>,
    response: QueryResponse,
}

impl Query<'_> {
    fn invalid(&mut self, message: String, feature: Option<&str>) {
        let mut error = QueryError::request("INVALID_QUERY", message);
        error.feature = feature.map(str::to_owned);
        self.response.errors.push(error);
    }

    fn read_request(&mut self) {
        let request = self.request;
        if request.outputs.is_empty() {
            self.invalid("`outputs` names no feature".to_owned(), None);
        }
        if let Some(now) = &request.now {
            match parse_datetime_us(now) {
                Some(now_us) => self.now_us = now_us,
                None => self.invalid(format!("`now` is an ISO 8601 time with an offset, not {now:?}"), None),
            }
        }
        for (fqn, json) in &request.inputs {
            let Some(at) = self.context.find(fqn) else {
                self.invalid(format!("unknown feature `{fqn}`{}", did_you_mean(fqn, self.context.names())), Some(fqn));
                continue;
            };
            let feature = self.context.feature(at);
            // Any feature may be given as null, except a primary key.
            let is_key = self.context.class(at.0).primary_key as usize == at.1;
            let ty = if is_key { feature.ty.clone() } else { feature.ty.to_optional() };
            match from_json(&ty, json) {
                Ok(value) => {
                    self.inputs.insert(at, value);
                }
                Err(error) => {
                    let message = format!("input `{fqn}`: {error}");
                    self.response.errors.push(QueryError::field("VALIDATION_FAILED", message, fqn));
                }
            }
        }
        for (name, limit) in request.staleness.iter().flatten() {
            let is_class = self.context.manifest().classes.iter().any(|class| class.namespace == *name);
            if !is_class && self.context.find(name).is_none() {
                let known = self.context.names();
                self.invalid(
                    format!("unknown feature `{name}` in `staleness`{}", did_you_mean(name, known)),
                    Some(name),
                );
                continue;
            }
            match limit.as_str() {
                Some("all" | "infinity") => {
                    self.limits.insert(name, None);
                }
                text => match text.and_then(parse_duration_us) {
                    Some(limit_us) => {
                        self.limits.insert(name, Some(limit_us));
                    }
                    None => self.invalid(
                        format!("the staleness of `{name}` is a duration, \"1h30m\", not {limit}"),
                        Some(name),
                    ),
                },
            }
        }
    }

    fn answer_outputs(&mut self) {
        let mut rows: BTreeMap<usize, Option<ClassRow>> = BTreeMap::new();
        for output in &self.request.outputs {
            let wanted: Vec<(usize, usize)> = match self.context.find(output) {
                Some(at) => vec![at],
                None => {
                    let classes = &self.context.manifest().classes;
                    match classes.iter().position(|class| class.namespace == *output) {
                        Some(class) => (0..classes[class].features.len()).map(|feature| (class, feature)).collect(),
                        None => {
                            let known = self.context.names();
                            self.invalid(
                                format!("unknown feature `{output}`{}", did_you_mean(output, known)),
                                Some(output),
                            );
                            continue;
                        }
                    }
                }
            };
            for at in wanted {
                let row = rows.entry(at.0).or_insert_with(|| self.class_row(at.0));
                if let Some(row) = row {
                    let item = self.item(at, row);
                    self.response.data.push(item);
                }
            }
        }
    }

    /// The stored row of a class, as far as it is young enough; `None` where it cannot be read, which is reported.
    fn class_row(&mut self, class: usize) -> Option<ClassRow> {
        let definition = self.context.class(class);
        let key_at = definition.primary_key as usize;
        let key_feature = &definition.features[key_at];
        let Some(primary_key) = self.inputs.get(&(class, key_at)).cloned() else {
            self.invalid(format!("`inputs` needs `{}`, the primary key", key_feature.fqn), Some(&key_feature.fqn));
            return None;
        };
        let stored = match self.context.read(class, &primary_key) {
            Ok(stored) => stored,
            Err(error) => {
                let error = QueryError::request("INTERNAL_SERVER_ERROR", error.to_string());
                self.response.errors.push(error);
                return None;
            }
        };
        let mut values = vec![Value::Null; stored.len()];
        let mut times = vec![None; stored.len()];
        for (position, stored) in stored.into_iter().enumerate() {
            let feature = &definition.features[position];
            if let Some(input) = self.inputs.get(&(class, position)) {
                values[position] = input.clone();
            } else if let Some(Stored { value, stamp, .. }) = stored
                && is_young_enough(&self.limits, definition, feature, stamp.time_us, self.now_us)
            {
                values[position] = value;
                times[position] = Some(stamp.time_us);
            }
        }
        let json = to_json(&key_feature.ty.kind, &primary_key);
        Some(ClassRow { key: primary_key, primary_key: json, values, times, computed: None })
    }

    fn item(&mut self, at: (usize, usize), row: &mut ClassRow) -> ResultItem {
        let feature = self.context.feature(at);
        let is_input = self.inputs.contains_key(&at);
        let mut error = None;
        let value = if feature.is_expression && !is_input {
            if row.computed.is_none() {
                let rows = LinkedRows { context: self.context, limits: &self.limits, now_us: self.now_us };
                match self.context.compute(&rows, at.0, &row.key, &row.values, self.now_us) {
                    Ok(computed) => row.computed = Some(computed),
                    Err(error) => row.computed = Some(vec![Err(error); row.values.len()]),
                }
            }
            match row.computed.as_ref().map(|computed| &computed[at.1]) {
                Some(Ok(value)) => value.clone(),
                Some(Err(reason)) => {
                    let failed =
                        QueryError::field("RESOLVER_FAILED", format!("`{}`: {reason}", feature.fqn), &feature.fqn);
                    self.response.errors.push(failed.clone());
                    error = Some(failed);
                    Value::Null
                }
                None => Value::Null,
            }
        } else {
            row.values[at.1].clone()
        };
        let time_us = row.times[at.1];
        ResultItem {
            field: feature.fqn.clone(),
            value: to_json(&feature.ty.kind, &value),
            pkey: row.primary_key.clone(),
            ts: time_us.map(format_datetime),
            error,
            meta: self.request.include_meta.then(|| ItemMeta {
                chosen_resolver_fqn: time_us.and_then(|_| self.context.resolver_of(at.0, at.1)),
                cache_hit: time_us.is_some(),
            }),
        }
    }
}
