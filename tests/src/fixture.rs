//! Finding fixtures: files of a folder, each with the name that its test has.
//!
//! This file must not know what fixtures hold.

use std::fs;
use std::path::{Path, PathBuf};

/// A file that is a test.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Path below the folder, without the ending: `types/unknown_type`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

impl Fixture {
    /// The file beside it with another ending.
    pub fn sibling(&self, ending: &str) -> PathBuf {
        self.path.with_extension(ending)
    }

    /// Its text.
    pub fn text(&self) -> String {
        read(&self.path)
    }
}

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// The text of a file of the repository.
///
/// # Panics
/// Where it cannot be read: fixtures are part of the repository.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files with that ending in a folder and below it, in the order of their names.
pub fn find(folder: &Path, ending: &str) -> Vec<Fixture> {
    let mut found = Vec::new();
    collect(folder, ending, &mut found);
    let mut fixtures: Vec<Fixture> = found
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(folder).expect("found below the folder").with_extension("");
            let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
            Fixture { name: parts.join("/"), path }
        })
        .collect();
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

/// Folders directly in a folder, in the order of their names.
pub fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = entries(folder).into_iter().filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for path in entries(folder) {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, ending, found);
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect()
}
