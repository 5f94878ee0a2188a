//! Starts a program and stops it: recovery, sources, workers, checkpoints, the server.
//!
//! This file must not know how any of them works.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use chalk_artifact::manifest::{AggregationKind, Manifest};
use chalk_connectors::SourceReader;
use chalk_engine::{KeeperOptions, Numbers, SqlRunner};

use crate::clock::now_us;
use crate::closing::ClosePlan;

use crate::committer::{CommitTarget, Committer};
use crate::config::{Config, Environment, check_sources, source_identity, source_options};
use crate::dead_letters::DeadLetters;
use crate::fates::FateCounts;
use crate::intake::{Intake, ResolverPlan, SourcePlan};
use crate::metrics::Metrics;
use crate::online::{ClassReader, RowWriter};
use crate::pipeline::Program;
use crate::server::{QueryContext, Server};
use crate::state::store::{FjallStore, Store, StoreError};
use crate::state::{EngineState, Images, Registry, State, recover};
use crate::stop::Stop;
use crate::upkeep::Upkeep;
use crate::worker::{Worker, WorkerSettings, WorkerSource};

/// A running program.
pub struct App {
    stop: Arc<Stop>,
    fates: Arc<FateCounts>,
    address: SocketAddr,
    workers: Vec<JoinHandle<()>>,
    workers_ended: Arc<AtomicBool>,
    checkpoints: JoinHandle<()>,
    server: Server,
}

impl App {
    /// Starts the program. With `until_end` it stops when every file has been read to its end.
    pub fn start(
        program: Arc<dyn Program>,
        config: &Config,
        environment: Environment<'_>,
        until_end: bool,
    ) -> Result<App, String> {
        let unstarted = program;
        let manifest = unstarted.manifest();
        let errors = check_sources(config, Some(manifest));
        if !errors.is_empty() {
            return Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        let listener = TcpListener::bind(config.listen).map_err(|error| {
            format!("cannot listen on {}: {error}; `listen` in chalk.toml gives another address", config.listen)
        })?;

        std::fs::create_dir_all(&config.data_dir)
            .map_err(|error| format!("cannot create data_dir `{}`: {error}", config.data_dir.display()))?;
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let started = Instant::now();
        let store: Arc<dyn Store> = Arc::new(
            FjallStore::open(&config.data_dir.join("store"), config.cache_bytes).map_err(|error| text(&error))?,
        );
        let saved = Registry::load(&*store).map_err(|error| text(&error))?;
        let mut registry = saved.clone();
        let plans = source_plans(manifest, config, environment, &mut registry)?;
        let classes = class_readers(manifest, &mut registry)?;
        let numbers = state_numbers(manifest, &plans, &mut registry);
        registry.save(&*store, &saved).map_err(|error| text(&error))?;
        let images = Arc::new(Images::new(store.clone()));
        let worker_count = match config.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let program = unstarted.clone().with_state(KeeperOptions {
            is_one_log: worker_count == 1,
            max_future_skew_us: config.max_future_skew.as_micros() as i64,
            idle_after_us: config.idle_after.as_micros() as i64,
            numbers: numbers.clone(),
            cold: Some(images.clone()),
            sql: sql_runner(),
        })?;
        let engine = engine_state(&program, config, &numbers, images).map_err(|error| text(&error))?;
        let recovered = recover(store, &config.data_dir.join("changelog"), config.segment_bytes, engine)
            .map_err(|error| text(&error))?;
        tracing::info!(
            records = recovered.records,
            rows = recovered.rows,
            elapsed_ms = started.elapsed().as_millis() as u64,
            "state recovered"
        );

        let (stop, metrics, fates) = (Arc::<Stop>::default(), Arc::<Metrics>::default(), Arc::<FateCounts>::default());
        let writers: Vec<_> = (0..worker_count).map(|worker| recovered.writer(worker as u32)).collect();
        let state = Arc::new(recovered.state);
        make_tables(&plans, &numbers, &state);
        let dead_letters_path = if config.dead_letters_file.as_os_str().is_empty() {
            config.data_dir.join("dead_letters.ndjson")
        } else {
            config.dead_letters_file.clone()
        };
        let dead_letters = Arc::new(DeadLetters::open(&dead_letters_path).map_err(|error| text(&error))?);

        let mut per_worker: Vec<Vec<WorkerSource>> = (0..worker_count).map(|_| Vec::new()).collect();
        let mut finite = 0;
        for (plan, options) in &plans {
            let source = &manifest.sources[plan.index];
            let (positions, number) = (state.clone(), plan.number);
            let start = Arc::new(move |partition| positions.position(number, partition));
            let (watched, index) = (state.clone(), plan.index);
            let assigned = Arc::new(move |partitions: &[i32]| {
                if let Some(engine) = watched.engine() {
                    partitions
                        .iter()
                        .for_each(|partition| engine.keeper().assign(index, (*partition).into(), now_us()));
                }
            });
            let readers: Vec<Box<dyn SourceReader>> =
                chalk_connectors::open(&source.connector, &source.name, options, worker_count, start, assigned)
                    .map_err(|error| text(&error))?;
            finite += if source.connector == "file" { readers.len() } else { 0 };
            for (index, reader) in readers.into_iter().enumerate() {
                let intake = Intake::new(plan.clone(), program.clone(), metrics.clone())?;
                per_worker[(plan.index + index) % worker_count].push(WorkerSource::new(reader, intake));
            }
        }
        if until_end && finite == 0 {
            return Err(
                "--until-end waits for files to be read to their end, and this program reads no file".to_owned()
            );
        }

        let address = listener.local_addr().map_err(|error| text(&error))?;
        let queries = QueryContext::new(program.clone(), state.clone(), classes, metrics.clone())?;
        let server = Server::start(listener, queries, stop.clone()).map_err(|error| text(&error))?;
        let settings = WorkerSettings {
            max_messages: config.batch_max_messages,
            max_latency: config.batch_max_latency,
            commit_interval: config.commit_interval,
            unfinished: Arc::new(AtomicUsize::new(finite)),
            until_end,
        };
        let mut workers = Vec::new();
        for ((index, sources), writer) in per_worker.into_iter().enumerate().zip(writers) {
            if sources.is_empty() {
                continue;
            }
            let target = CommitTarget {
                state: state.clone(),
                dead_letters: dead_letters.clone(),
                metrics: metrics.clone(),
                fates: fates.clone(),
                fsync: config.fsync,
                fsync_interval: config.fsync_interval,
            };
            let committer = Committer::start(index as u32, writer, target).map_err(|error| text(&error))?;
            let (settings, state, metrics, stop) = (settings.clone(), state.clone(), metrics.clone(), stop.clone());
            let worker = Worker { index: index as u32, settings, sources, committer, state, metrics, stop };
            workers.push(spawn(&format!("worker-{index}"), move || worker.run())?);
        }
        let workers_ended = Arc::<AtomicBool>::default();
        let numbers = plans.iter().map(|(plan, _)| (plan.index as u32, plan.number)).collect();
        let upkeep = Upkeep { state, metrics, config: config.clone(), stop: stop.clone(), sources: numbers };
        let checkpoints = {
            let ended = workers_ended.clone();
            spawn("checkpoint", move || upkeep.run(&ended))?
        };
        Ok(App { stop, fates, address, workers, workers_ended, checkpoints, server })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to stop from any thread.
    pub fn stop_handle(&self) -> Arc<Stop> {
        self.stop.clone()
    }

    /// Waits until it has stopped: sources read no more, everything computed is committed and checkpointed. Gives the
    /// fates of
    /// the messages of this run.
    pub fn wait(self) -> Result<Arc<FateCounts>, String> {
        for worker in self.workers {
            if worker.join().is_err() {
                self.stop.fail(&"a worker panicked; this is a bug of chalkd");
            }
        }
        // Without a single worker there are still queries to answer.
        self.server.wait();
        self.workers_ended.store(true, Ordering::Release);
        if self.checkpoints.join().is_err() {
            self.stop.fail(&"the checkpoint thread panicked; this is a bug of chalkd");
        }
        match self.stop.failure() {
            None => Ok(self.fates),
            Some(failure) => Err(failure),
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|error| format!("cannot start a thread: {error}"))
}

type Plans = Vec<(Arc<SourcePlan>, chalk_connectors::SourceOptions)>;

/// The sources that some active resolver reads.
fn source_plans(
    manifest: &Manifest,
    config: &Config,
    environment: Environment<'_>,
    registry: &mut Registry,
) -> Result<Plans, String> {
    let mut plans = Vec::new();
    for (index, source) in manifest.sources.iter().enumerate() {
        let mut resolvers = Vec::new();
        for (position, resolver) in manifest.resolvers.iter().enumerate() {
            let is_active = resolver.environments.is_empty() || resolver.environments.contains(&config.environment);
            if resolver.source as usize == index && is_active {
                let writer = RowWriter::new(manifest, position, registry).map_err(|error| error.to_string())?;
                resolvers.push(ResolverPlan { index: position, name: resolver.name.as_str().into(), writer });
            }
        }
        if resolvers.is_empty() {
            tracing::info!(
                source = source.name,
                environment = config.environment,
                "no resolver reads it here; it is not opened"
            );
            continue;
        }
        let options = source_options(source, config, environment).map_err(|error| error.to_string())?;
        let number = registry.source(&source_identity(source, &options));
        let closes = resolvers
            .iter()
            .filter_map(|resolver| close_plan(manifest, resolver.index, number, registry).transpose())
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let plan = SourcePlan { index, name: source.name.as_str().into(), number, resolvers, closes };
        plans.push((Arc::new(plan), options));
    }
    Ok(plans)
}

/// What runs `sql` bodies, where this binary was built with it.
fn sql_runner() -> Option<Arc<dyn SqlRunner>> {
    #[cfg(feature = "sql")]
    return Some(Arc::new(chalk_sql::Runner));
    #[cfg(not(feature = "sql"))]
    None
}

/// How a resolver's tumbling windows are run and stored; none where it has none.
fn close_plan(
    manifest: &Manifest,
    index: usize,
    source: u32,
    registry: &mut Registry,
) -> Result<Option<ClosePlan>, StoreError> {
    let resolver = &manifest.resolvers[index];
    let Some(window) = &resolver.window else { return Ok(None) };
    let mut outputs: Vec<(i64, &[u32])> =
        window.closes.iter().map(|close| (close.window_us, &close.outputs[..])).collect();
    if let Some(sql) = &window.sql
        && let AggregationKind::Messages { windows_us, .. } = &manifest.aggregations[window.aggregation as usize].kind
    {
        outputs.extend(windows_us.iter().zip(&sql.outputs).map(|(window_us, outputs)| (*window_us, &outputs[..])));
    }
    let mut writers = Vec::new();
    for (window_us, features) in outputs {
        if !resolver.skip_online {
            writers.push((window_us, RowWriter::of_window(manifest, resolver, features, registry)?));
        }
    }
    Ok(Some(ClosePlan { resolver: index, name: resolver.name.clone(), source, writers }))
}

/// What the engine's state is called in store and log.
fn state_numbers(manifest: &Manifest, plans: &Plans, registry: &mut Registry) -> Numbers {
    let mut sources = vec![None; manifest.resolvers.len()];
    for (plan, _) in plans {
        plan.resolvers.iter().for_each(|resolver| sources[resolver.index] = Some(plan.number));
    }
    let (numbers, changed) = registry.numbers(manifest, &sources);
    for sentence in changed {
        tracing::warn!("{sentence}");
    }
    numbers
}

/// Makes the tables of all partitions that were ever read, so that queries see what is stored of them.
fn make_tables(plans: &Plans, numbers: &Numbers, state: &State) {
    let Some(engine) = state.engine() else { return };
    for ((source, partition), _) in state.positions() {
        for (plan, _) in plans.iter().filter(|(plan, _)| plan.number == source) {
            for resolver in &plan.resolvers {
                engine.make_tables(numbers.feeds[resolver.index].iter().map(|feed| (*feed, partition.into())));
            }
        }
    }
}

/// The engine's state of a program that has one.
fn engine_state(
    program: &Arc<dyn Program>,
    config: &Config,
    numbers: &Numbers,
    images: Arc<Images>,
) -> Result<Option<EngineState>, StoreError> {
    let Some(keeper) = program.keeper() else { return Ok(None) };
    let resolvers = program.manifest().resolvers.iter().zip(&numbers.resolvers);
    let within_us =
        resolvers.filter_map(|(resolver, number)| Some((*number, resolver.dedup.as_ref()?.within_us))).collect();
    EngineState::new(keeper.clone(), images, &config.data_dir.join("dedup"), within_us).map(Some)
}

fn class_readers(manifest: &Manifest, registry: &mut Registry) -> Result<Vec<ClassReader>, String> {
    let mut readers = Vec::new();
    for class in &manifest.classes {
        let (reader, changed) = ClassReader::new(class, registry).map_err(|error| error.to_string())?;
        for feature in changed {
            tracing::warn!("stored values of {feature} cannot be read any more; the feature starts anew");
        }
        readers.push(reader);
    }
    Ok(readers)
}
