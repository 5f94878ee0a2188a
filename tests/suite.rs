//! The one runner: every test has a name, of the rule or of the file that it is.
//!
//! `cargo test -p chalk-tests --test suite -- NAME` runs those whose name contains NAME.

use chalk_tests::{generate, layering};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    generate::serve();
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (name, rule) in [
        (
            "compiler_knows_of_the_runtime_only_the_artifact",
            layering::compiler_knows_of_the_runtime_only_the_artifact as fn() -> Result<(), String>,
        ),
        ("runtime_knows_of_the_compiler_only_the_types", layering::runtime_knows_of_the_compiler_only_the_types),
        ("library_knows_types_and_abi", layering::library_knows_types_and_abi),
        ("nothing_knows_the_tests", layering::nothing_knows_the_tests),
        ("only_codegen_names_cranelift", layering::only_codegen_names_cranelift),
        ("only_the_rim_names_tokio_and_kafka", layering::only_the_rim_names_tokio_and_kafka),
        ("unsafe_stands_where_it_may", layering::unsafe_stands_where_it_may),
        ("every_file_says_what_it_is", layering::every_file_says_what_it_is),
        ("nothing_is_left_open", layering::nothing_is_left_open),
    ] {
        trials.push(Trial::test(format!("layering/{name}"), move || rule().map_err(Failed::from)));
    }
    trials.push(Trial::test("generate/programs_mean_and_do_the_same", || match generate::run() {
        Ok(tally) => {
            eprintln!("{tally}");
            Ok(())
        }
        Err(report) => Err(Failed::from(report)),
    }));
    libtest_mimic::run(&arguments, trials).exit();
}
