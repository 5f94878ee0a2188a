//! The compiler's command line; everything is in the library, so that tests can call it.

fn main() -> std::process::ExitCode {
    chalkc::main()
}
