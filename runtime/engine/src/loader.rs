//! An artifact on disk to callable code: checked, mapped, called; no linker and no `dlopen`.
//!
//! The whole file is mapped read-only and privately, and its code a second time as read and execute; nothing is ever both
//! writable and executable. Because the file itself is mapped, perf finds the kernels' names in it.
//!
//! This file must not know what kernels do, or which helpers exist.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use chalk_artifact::abi::KernelFn;
use chalk_artifact::file::{self, ArtifactError};
use chalk_artifact::image::CodeImage;
use memmap2::{Mmap, MmapMut, MmapOptions};

/// Why an artifact was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read or mapped.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is refused.
    Artifact {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ArtifactError,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Io { path, error } => write!(f, "{} cannot be read: {error}", path.display()),
            LoadError::Artifact { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

/// The two mappings; dropped when the image is.
struct Mappings {
    _file: Mmap,
    _code: Mmap,
}

/// Loads an artifact. Which of its imports are missing is for the engine to say: they are in the image's manifest.
pub fn load(path: &Path) -> Result<CodeImage, LoadError> {
    let io_error = |error| LoadError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(io_error)?;
    let size_bytes = file.metadata().map_err(io_error)?.len();
    if size_bytes == 0 {
        // An empty file cannot be mapped.
        return Err(LoadError::Artifact { path: path.to_owned(), error: ArtifactError::NotAnArtifact });
    }
    // SAFETY: the mapping is private and read-only. An artifact is replaced by renaming a new file over it, as
    // `chalkc build` does; whoever writes into one that runs has write access to code we trust.
    let whole = unsafe { MmapOptions::new().map_copy_read_only(&file) }.map_err(io_error)?;
    let artifact = file::read(&whole).map_err(|error| LoadError::Artifact { path: path.to_owned(), error })?;
    let text = artifact.text_range.clone();
    // SAFETY: as above; the range lies in the file, and its hash was just checked. Nothing is written before it is protected.
    let code = unsafe { MmapOptions::new().offset(text.start as u64).len(text.len()).map_copy(&file) };
    let code = code.and_then(MmapMut::make_exec).map_err(io_error)?;
    let kernels = artifact
        .manifest
        .kernels
        .iter()
        .map(|kernel| {
            let address = code.as_ptr().wrapping_add(kernel.text_offset as usize);
            // SAFETY: the reader checked that the kernel lies in the code; the compiler put a function of this type there.
            unsafe { std::mem::transmute::<*const u8, KernelFn>(address) }
        })
        .collect();
    let literals = artifact.literals.as_ptr();
    let manifest = artifact.manifest;
    let memory = Box::new(Mappings { _file: whole, _code: code });
    // SAFETY: kernels and literals are those of this manifest, in mappings that `memory` keeps and nobody writes to.
    Ok(unsafe { CodeImage::new(manifest, kernels, literals, memory) })
}
