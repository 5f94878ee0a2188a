//! The files of a package: one file, or every `.chalk` file of a folder and its sub-folders, in the order of their paths.
//!
//! The order is fixed so that positions in an artifact do not depend on the file system. Folders whose name begins with a dot and
//! `target` are left out.
//!
//! This file must not know the language.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chalk_diagnostics::SourceMap;

/// A package on disk.
pub struct Project {
    /// The folder that paths are relative to.
    pub root: PathBuf,
    /// Path relative to `root` (with `/`) and text of each file.
    pub files: Vec<(String, String)>,
}

/// Why a package cannot be read.
#[derive(Debug)]
pub enum ProjectError {
    /// The path, or a file below it, cannot be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not UTF-8.
    NotUtf8 {
        /// Which.
        path: PathBuf,
        /// The first bad byte.
        offset: usize,
    },
    /// There is no `.chalk` file.
    Empty {
        /// Where.
        path: PathBuf,
    },
}

impl std::fmt::Display for ProjectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProjectError::Io { path, error } => {
                write!(f, "{}: {error}; give a .chalk file or a folder that holds some", path.display())
            }
            ProjectError::NotUtf8 { path, offset } => {
                write!(f, "{}: byte {offset} is not UTF-8; .chalk files are UTF-8 text", path.display())
            }
            ProjectError::Empty { path } => {
                write!(f, "{}: no .chalk file here or below; give a file or another folder", path.display())
            }
        }
    }
}

impl std::error::Error for ProjectError {}

impl Project {
    /// Reads a file, or a folder.
    pub fn read(path: &Path) -> Result<Project, ProjectError> {
        let metadata = fs::metadata(path).map_err(|error| ProjectError::Io { path: path.to_owned(), error })?;
        if !metadata.is_dir() {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let root = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return Ok(Project { root: root.to_owned(), files: vec![(name, read_text(path)?)] });
        }
        let mut paths = Vec::new();
        collect(path, &mut paths)?;
        if paths.is_empty() {
            return Err(ProjectError::Empty { path: path.to_owned() });
        }
        let mut files = paths
            .into_iter()
            .map(|file| {
                let relative = file.strip_prefix(path).unwrap_or(&file);
                let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
                Ok((parts.join("/"), read_text(&file)?))
            })
            .collect::<Result<Vec<_>, ProjectError>>()?;
        files.sort();
        Ok(Project { root: path.to_owned(), files })
    }

    /// Where a file of the package lies.
    pub fn path_of(&self, relative: &str) -> PathBuf {
        if self.root == Path::new(".") { PathBuf::from(relative) } else { self.root.join(relative) }
    }

    /// The texts under the paths that a person can open from here; positions are those of the package.
    pub fn displayed(&self) -> SourceMap {
        let mut sources = SourceMap::new();
        for (relative, text) in &self.files {
            sources.add(self.path_of(relative).display().to_string(), text.as_str());
        }
        sources
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), ProjectError> {
    let failed = |error| ProjectError::Io { path: folder.to_owned(), error };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // A link to a folder is not followed: a loop of links would never end.
        let file_type = entry.file_type().map_err(failed)?;
        if file_type.is_dir() {
            if !name.starts_with('.') && name != "target" {
                collect(&entry.path(), paths)?;
            }
        } else if name.ends_with(".chalk") && !name.starts_with('.') {
            paths.push(entry.path());
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, ProjectError> {
    let bytes = fs::read(path).map_err(|error| ProjectError::Io { path: path.to_owned(), error })?;
    String::from_utf8(bytes)
        .map_err(|error| ProjectError::NotUtf8 { path: path.to_owned(), offset: error.utf8_error().valid_up_to() })
}
