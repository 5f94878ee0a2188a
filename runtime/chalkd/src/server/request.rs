//! The shapes of `POST /v1/query/online`. Unknown keys of a request are ignored: clients send many that mean nothing
//! here.
//!
//! This file must not know how a query is answered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// A request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct QueryRequest {
    /// Feature → value; the primary key of every class that is asked for, and values that replace stored ones.
    pub inputs: Map<String, Json>,
    /// Features, or classes for all of their features.
    pub outputs: Vec<String>,
    /// The time that values are asked for, ISO 8601 with an offset; now where it is not given.
    pub now: Option<String>,
    /// Feature or class → the greatest age of a stored value, instead of `@max_staleness`.
    pub staleness: Option<Map<String, Json>>,
    /// Whether to say how values came about.
    pub include_meta: bool,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueryResponse {
    /// One item per output.
    pub data: Vec<ResultItem>,
    /// What went wrong; the other outputs are answered.
    pub errors: Vec<QueryError>,
    /// With `include_meta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<QueryMeta>,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResultItem {
    /// The feature.
    pub field: String,
    /// Its value; null where there is none.
    pub value: Json,
    /// The primary key.
    pub pkey: Json,
    /// The event time of a stored value, ISO 8601.
    pub ts: Option<String>,
    /// Why there is no value, if that is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<QueryError>,
    /// With `include_meta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<ItemMeta>,
}

/// How a value came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ItemMeta {
    /// The resolver that said it.
    pub chosen_resolver_fqn: Option<String>,
    /// Whether it was stored.
    pub cache_hit: bool,
}

/// How the answer came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryMeta {
    /// Seconds.
    pub execution_duration_s: f64,
    /// The time that values were asked for, ISO 8601.
    pub query_timestamp: String,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueryError {
    /// `INVALID_QUERY` and the like.
    pub code: &'static str,
    /// `REQUEST` or `FIELD`.
    pub category: &'static str,
    /// A sentence.
    pub message: String,
    /// The feature concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
}

impl QueryError {
    /// The request as a whole is wrong.
    pub fn request(code: &'static str, message: String) -> QueryError {
        QueryError { code, category: "REQUEST", message, feature: None }
    }

    /// One feature of it is.
    pub fn field(code: &'static str, message: String, feature: &str) -> QueryError {
        QueryError { code, category: "FIELD", message, feature: Some(feature.to_owned()) }
    }
}
