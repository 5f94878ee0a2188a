//! The command line of `chalkd`.
//!
//! This file must not know how a program is run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::config::{Config, ConfigError, check_sources, load, process_environment};
use crate::pipeline::Program;
use crate::stop::Stop;

#[derive(Parser)]
#[command(
    name = "chalkd",
    version,
    about = "Runs compiled .chalk programs: consumes streams, keeps features, answers queries."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run an artifact that `chalkc build` made.
    Run(RunArgs),
    /// Check a configuration file without running anything.
    CheckConfig {
        /// The file; chalk.toml in the current folder where it is not given.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Check the tables of sources against this artifact too.
        artifact: Option<PathBuf>,
    },
}

#[derive(Args)]
struct RunArgs {
    /// The artifact.
    artifact: PathBuf,
    /// The configuration; chalk.toml in the current folder, if it is there, where it is not given.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Stop when every file source has been read to its end and committed, and print the fates.
    #[arg(long)]
    until_end: bool,
    /// Overrides `listen`.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    /// Overrides `data_dir`.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

/// Opens an artifact.
pub type OpenProgram<'a> = &'a dyn Fn(&Path) -> Result<Arc<dyn Program>, String>;

/// Runs the command line; 0 is success, 1 a failure that was printed, 2 wrong usage.
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>, open: OpenProgram<'_>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let outcome = match cli.command {
        Command::Run(args) => run(&args, open),
        Command::CheckConfig { config, artifact } => check_config(config.as_deref(), artifact.as_deref(), open),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chalkd: {message}");
            ExitCode::FAILURE
        }
    }
}

fn joined(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nchalkd: ")
}

fn check_config(config: Option<&Path>, artifact: Option<&Path>, open: OpenProgram<'_>) -> Result<(), String> {
    let config = load(config, &process_environment).map_err(|errors| joined(&errors))?;
    let program = artifact.map(open).transpose()?;
    let errors = check_sources(&config, program.as_ref().map(|program| program.manifest()));
    if errors.is_empty() { Ok(()) } else { Err(joined(&errors)) }
}

fn run(args: &RunArgs, open: OpenProgram<'_>) -> Result<(), String> {
    let mut config = load(args.config.as_deref(), &process_environment).map_err(|errors| joined(&errors))?;
    config.listen = args.listen.unwrap_or(config.listen);
    if let Some(data_dir) = &args.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    start_logging(&config);
    let program = open(&args.artifact)?;
    let app = App::start(program, &config, &process_environment, args.until_end)?;
    stop_on_signals(&app.stop_handle())?;
    eprintln!("chalkd: listening on http://{}", app.address());
    let fates = app.wait()?;
    if args.until_end {
        eprintln!("{fates}");
    }
    Ok(())
}

fn start_logging(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(format!("warn,chalkd={0},chalk={0}", config.log_level));
    // A second program in the process (a test) keeps the first one's.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// SIGTERM and SIGINT end the program in order; a second one ends it at once.
fn stop_on_signals(stop: &Arc<Stop>) -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot watch for signals: {error}"))?;
    let (mut term, mut int) = {
        let _context = runtime.enter();
        let failed = |error| format!("cannot watch for signals: {error}");
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::interrupt()).map_err(failed)?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            for times in 0.. {
                tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                if times > 0 {
                    // What is not committed is computed again at the next start.
                    std::process::exit(130);
                }
                tracing::info!("stopping: committing what was computed");
                stop.request();
            }
        });
    });
    Ok(())
}
