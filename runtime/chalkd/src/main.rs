//! The program `chalkd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chalkd::cli::main(std::env::args_os(), &chalkd::engine_pipeline::open)
}
