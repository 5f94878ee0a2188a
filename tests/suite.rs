//! The one runner: every test has a name, of the rule or of the file that it is.
//!
//! `cargo test -p chalk-tests --test suite -- NAME` runs those whose name contains NAME; `CHALK_BLESS=1` rewrites the expectations of
//! fixtures.

use chalk_tests::outcome::Outcome;
use chalk_tests::{determinism, examples, generate, layering, pages, run, time, ui, windows};
use libtest_mimic::{Arguments, Failed, Trial};

/// A test that says what is wrong.
fn trial(name: String, test: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    Trial::test(name, move || test().map_err(Failed::from))
}

fn main() {
    generate::serve();
    let arguments = Arguments::from_args();
    let mut trials = layering_trials();
    for fixture in ui::fixtures() {
        trials.push(trial(format!("ui/{}", fixture.name), move || ui::run(&fixture)));
    }
    trials.push(trial("ui/every_code_is_shown".to_owned(), ui::every_code_is_shown));
    trials.push(trial("ui/pages_of_sql_codes".to_owned(), ui::pages_of_sql_codes));
    for fixture in run::fixtures() {
        trials.push(trial(format!("run/{}", fixture.name), move || run::run(&fixture)));
    }
    for fixture in time::fixtures() {
        trials.push(trial(format!("time/{}", fixture.name), move || time::run(&fixture)));
    }
    for folder in examples::folders() {
        let name = folder.file_name().expect("a folder").to_string_lossy().into_owned();
        let again = folder.clone();
        trials.push(trial(format!("examples/{name}"), move || examples::run(&folder)));
        trials.push(trial(format!("determinism/{name}"), move || determinism::example(&again)));
    }
    trials.push(trial("determinism/order_of_files".to_owned(), determinism::order_of_files));
    trials.push(trial("determinism/other_target".to_owned(), determinism::other_target));
    for page in pages::language() {
        trials.push(trial(format!("reference/{}", pages::name_of(&page)), move || pages::run_page(&page)));
    }
    for page in pages::library() {
        trials.push(trial(format!("library/page_{}", pages::name_of(&page)), move || pages::run_page(&page)));
    }
    for family in pages::families() {
        trials.push(trial(format!("library/{family}"), move || pages::run_declared(family)));
    }
    trials.push(trial("generate/programs_mean_and_do_the_same".to_owned(), || {
        generate::run().map(|tally| eprintln!("{tally}"))
    }));
    trials.push(trial("windows/answers_are_right_whatever_batches_order_and_crashes".to_owned(), || {
        windows::run().map(|tally| eprintln!("{tally}"))
    }));
    for fault in windows::Fault::ALL {
        trials.push(trial(format!("windows/a_planted_fault_is_found/{}", fault.name()), move || {
            windows::planted_fault_is_found(fault).map(|found| eprintln!("{}: {found}", fault.name()))
        }));
    }
    trials.push(trial("generate/a_planted_bug_is_found_and_cut_down".to_owned(), planted_bug));
    libtest_mimic::run(&arguments, trials).exit();
}

fn layering_trials() -> Vec<Trial> {
    type Rule = fn() -> Result<(), String>;
    let rules: [(&str, Rule); 10] = [
        ("compiler_knows_of_the_runtime_only_the_artifact", layering::compiler_knows_of_the_runtime_only_the_artifact),
        ("runtime_knows_of_the_compiler_only_the_types", layering::runtime_knows_of_the_compiler_only_the_types),
        ("library_knows_types_and_abi", layering::library_knows_types_and_abi),
        ("nothing_knows_the_tests", layering::nothing_knows_the_tests),
        ("only_codegen_names_cranelift", layering::only_codegen_names_cranelift),
        ("only_sql_names_datafusion", layering::only_sql_names_datafusion),
        ("only_the_rim_names_tokio_and_kafka", layering::only_the_rim_names_tokio_and_kafka),
        ("unsafe_stands_where_it_may", layering::unsafe_stands_where_it_may),
        ("every_file_says_what_it_is", layering::every_file_says_what_it_is),
        ("nothing_is_left_open", layering::nothing_is_left_open),
    ];
    rules.into_iter().map(|(name, rule)| trial(format!("layering/{name}"), rule)).collect()
}

/// A harness that finds nothing may be one that sees nothing: here the evaluator is made to say "filtered" of what is skipped.
fn planted_bug() -> Result<(), String> {
    let reports = generate::run_planted(7, 6, |outcome| match outcome {
        Outcome::Skipped => Outcome::Filtered,
        other => other,
    });
    let report = reports.first().ok_or("the planted bug was not found")?;
    for expected in ["means {\"fate\":\"filtered\"}", "gives {\"fate\":\"skipped\"}", "parse parse", "message: "] {
        if !report.contains(expected) {
            return Err(format!("`{expected}` is not in the report:\n{report}"));
        }
    }
    let lines = report.lines().filter(|line| line.contains(" = ")).count();
    if lines > 12 {
        return Err(format!("the report is not small:\n{report}"));
    }
    Ok(())
}
