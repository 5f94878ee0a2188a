//! `chalkc explain`: the page of a diagnostic code.

use chalk_diagnostics::{Code, did_you_mean, explain};

use super::{Failure, print};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The code, such as E0201; without one, all codes are listed
    code: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Some(code) = &args.code else {
        let lines: Vec<String> = Code::ALL.iter().map(|code| format!("{}  {}\n", code.id(), code.title())).collect();
        return print(&lines.concat());
    };
    let wanted = code.to_uppercase();
    match explain(&wanted) {
        Some(page) => print(page),
        None => {
            let ids: Vec<&str> = Code::ALL.iter().map(|code| code.id()).collect();
            let hint = did_you_mean(&wanted, &ids).map(|id| format!("; did you mean {id}?")).unwrap_or_default();
            Err(Failure::Message(format!("there is no code {code}{hint} `chalkc explain` lists all")))
        }
    }
}
