//! The HTTP server: online queries, health, metrics.
//!
//! This module must not know sources or commits.

mod context;
mod json;
mod query;
mod request;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

pub use context::QueryContext;
pub use query::answer;
pub use request::{QueryError, QueryRequest, QueryResponse, ResultItem};

use crate::clock::now_us;
use crate::stop::Stop;

/// Threads that answer.
const THREADS: usize = 2;

/// The running server.
pub struct Server {
    thread: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    queries: Arc<QueryContext>,
    stop: Arc<Stop>,
}

impl Server {
    /// Serves until everything stops.
    pub fn start(listener: TcpListener, queries: QueryContext, stop: Arc<Stop>) -> std::io::Result<Server> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("http")
            .enable_all()
            .build()?;
        let router = router(Shared { queries: Arc::new(queries), stop: stop.clone() });
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let stopped = stop.clone();
                // Connections that are kept alive are not waited for.
                tokio::select! {
                    served = axum::serve(listener, router).into_future() => served,
                    () = async move { stopped.requested().await } => Ok(()),
                }
            });
            if let Err(error) = served {
                stop.fail(&format!("the HTTP server failed: {error}"));
            }
        })?;
        Ok(Server { thread })
    }

    /// Waits until it has stopped.
    pub fn wait(self) {
        let _ = self.thread.join();
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/query/online", post(online_query))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is no such page", Vec::new()) })
        .with_state(shared)
}

async fn health(State(shared): State<Shared>) -> Response {
    if shared.stop.is_requested() {
        return json(StatusCode::SERVICE_UNAVAILABLE, &serde_json::json!({ "status": "stopping" }));
    }
    json(StatusCode::OK, &serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let text = shared.queries.metrics().text();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn online_query(State(shared): State<Shared>, body: Bytes) -> Response {
    let metrics = shared.queries.metrics();
    let timer = metrics.query_seconds.start_timer();
    let request: QueryRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            metrics.queries.with_label_values(&["bad_request"]).inc();
            let message = format!("the body is no online query: {error}");
            let errors = vec![QueryError::request("PARSE_FAILED", message.clone())];
            return problem(StatusCode::BAD_REQUEST, &message, errors);
        }
    };
    let response = answer(&shared.queries, &request, now_us());
    timer.observe_duration();
    metrics.queries.with_label_values(&[if response.errors.is_empty() { "ok" } else { "error" }]).inc();
    json(StatusCode::OK, &response)
}

/// An answer that clients raise as an error.
fn problem(status: StatusCode, detail: &str, errors: Vec<QueryError>) -> Response {
    json(status, &serde_json::json!({ "detail": detail, "trace": null, "errors": errors }))
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("answers have text keys");
    (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}
