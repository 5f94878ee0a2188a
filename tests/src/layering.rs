//! The architecture's invariants, checked over `cargo metadata` and the source text.
//!
//! Who may import whom is what keeps the rooms apart; a rule that nothing checks is broken within a month. ARCHITECTURE.md
//! says why each of them stands.
//!
//! This file must not know what any crate does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fixture::{self, repository};

/// A crate of the workspace.
struct Member {
    name: String,
    /// Its folder: `compiler/hir`.
    folder: String,
    /// Names of its direct dependencies, except those of its tests.
    dependencies: Vec<String>,
}

impl Member {
    fn room(&self) -> &str {
        self.folder.split('/').next().unwrap_or_default()
    }
}

fn members() -> Result<Vec<Member>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let root = metadata["workspace_root"].as_str().unwrap_or_default().to_owned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    Ok(packages
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"]);
            let folder = Path::new(&manifest).parent().and_then(|path| path.strip_prefix(&root).ok());
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            Member {
                name: text(&package["name"]),
                folder: folder.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
                dependencies: dependencies
                    .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                    .map(|dependency| text(&dependency["name"]))
                    .collect(),
            }
        })
        .collect())
}

/// Dependencies that break a rule, said with the rule.
fn broken(rule: &str, allowed: impl Fn(&Member, &str, Option<&Member>) -> bool) -> Result<(), String> {
    let members = members()?;
    let by_name: BTreeMap<&str, &Member> = members.iter().map(|member| (member.name.as_str(), member)).collect();
    let mut faults = Vec::new();
    for member in &members {
        for dependency in &member.dependencies {
            if !allowed(member, dependency, by_name.get(dependency.as_str()).copied()) {
                faults.push(format!("{} depends on {dependency}", member.folder));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("{rule}:\n{}", faults.join("\n"))) }
}

/// The driver joins compiler and engine for `run`; every other part of the compiler knows the artifact alone.
pub fn compiler_knows_of_the_runtime_only_the_artifact() -> Result<(), String> {
    broken("a crate of the compiler imports from the runtime only `artifact` (chalkc excepted)", |member, _, to| {
        member.room() != "compiler"
            || member.name == "chalkc"
            || to.is_none_or(|to| to.room() != "runtime" || to.name == "chalk-artifact")
    })?;
    broken("chalkc never imports the server", |member, name, _| member.name != "chalkc" || name != "chalkd")
}

/// An artifact runs without its compiler.
pub fn runtime_knows_of_the_compiler_only_the_types() -> Result<(), String> {
    broken("a crate of the runtime imports from the compiler only `types`", |member, _, to| {
        member.room() != "runtime" || to.is_none_or(|to| to.room() != "compiler" || to.name == "chalk-types")
    })
}

/// The library serves both sides, so it knows what both share.
pub fn library_knows_types_and_abi() -> Result<(), String> {
    broken("a crate of stdlib imports only `types`, `artifact` and stdlib itself", |member, _, to| {
        member.room() != "stdlib"
            || to.is_none_or(|to| to.room() == "stdlib" || to.name == "chalk-types" || to.name == "chalk-artifact")
    })
}

/// Tests and benches know everything, and nothing knows them.
pub fn nothing_knows_the_tests() -> Result<(), String> {
    broken("no crate imports tests or benches", |_, _, to| {
        to.is_none_or(|to| to.room() != "tests" && to.room() != "benches")
    })
}

/// The code generator could be exchanged.
pub fn only_codegen_names_cranelift() -> Result<(), String> {
    broken("only codegen names cranelift", |member, name, _| {
        member.name == "chalk-codegen" || !name.starts_with("cranelift")
    })
}

/// The query engine could be exchanged, too; and it is large, so whoever does not need it does not build it.
pub fn only_sql_names_datafusion() -> Result<(), String> {
    broken("only chalk-sql names datafusion, and only chalkc and chalkd name chalk-sql", |member, name, _| {
        (member.name == "chalk-sql" || !name.starts_with("datafusion") && !name.starts_with("sqlparser"))
            && (matches!(member.name.as_str(), "chalkc" | "chalkd" | "chalk-tests") || name != "chalk-sql")
    })
}

/// Clients of brokers and the asynchronous runtime stay at the rim. (The query engine wants a runtime to wait in.)
pub fn only_the_rim_names_tokio_and_kafka() -> Result<(), String> {
    broken("only chalkd, connectors and sql name tokio; only chalkd and connectors name rdkafka", |member, name, _| {
        match member.name.as_str() {
            "chalkd" | "chalk-connectors" => true,
            "chalk-sql" => name != "rdkafka" && name != "axum",
            _ => !(name.starts_with("tokio") || name == "rdkafka" || name == "axum"),
        }
    })
}

/// Where `unsafe` may stand; a path ending in `/` is a folder.
const UNSAFE: [&str; 12] = [
    "benches/",
    "runtime/decode/",
    "runtime/engine/",
    "runtime/state/",
    "runtime/artifact/src/abi.rs",
    "runtime/artifact/src/image.rs",
    "stdlib/catalog/",
    "stdlib/functions/",
    "stdlib/macros/src/expand.rs",
    "compiler/chalkc/src/run/chunks.rs",
    "compiler/codegen/src/jit.rs",
    "compiler/codegen/tests/",
];

/// Source files of the workspace: path relative to the repository, and text.
fn sources() -> Vec<(String, String)> {
    ["compiler", "runtime", "stdlib", "tests", "benches"]
        .iter()
        .flat_map(|room| {
            fixture::find(&repository().join(room), "rs")
                .into_iter()
                .map(move |file| (format!("{room}/{}.rs", file.name), file.text()))
        })
        .collect()
}

/// A line without its comment, and without what is quoted on it.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut quoted = false;
    let mut previous = ' ';
    for c in line.chars() {
        if c == '"' && previous != '\\' && previous != '\'' {
            quoted = !quoted;
        } else if !quoted {
            if c == '/' && previous == '/' {
                break;
            }
            code.push(c);
        }
        previous = c;
    }
    code
}

/// Memory is touched by hand in few places, and each of them says why it may.
pub fn unsafe_stands_where_it_may() -> Result<(), String> {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if UNSAFE.iter().any(|allowed| path == *allowed || allowed.ends_with('/') && path.starts_with(allowed)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = code_of(line);
            let is_word = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
            if is_word {
                faults.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("`unsafe` stands only in {}:\n{}", UNSAFE.join(", "), faults.join("\n")))
    }
}

/// Whoever opens a file learns first what it is for.
pub fn every_file_says_what_it_is() -> Result<(), String> {
    let faults: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("the first line of a file is `//!` and says what it is:\n{}", faults.join("\n")))
    }
}

/// What is not finished is not there.
pub fn nothing_is_left_open() -> Result<(), String> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("#[ig", "nore")];
    let mut faults = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                faults.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("marks of unfinished work:\n{}", faults.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_no_code() {
        assert_eq!(code_of("let x = 1; // unsafe"), "let x = 1; /");
        assert_eq!(code_of("say(\"unsafe\") + y"), "say() + y");
        assert!(code_of("unsafe { call() }").contains("unsafe"));
    }
}
