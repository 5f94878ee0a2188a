//! A program that can run: an image with its helpers found.
//!
//! Linking is a look-up by name with signature, so that an artifact runs on any runtime that has the functions it calls, and one that lacks some says which.
//!
//! This file must not know how an image came to be.

use std::sync::Arc;

use chalk_artifact::image::CodeImage;
use chalk_artifact::manifest::Manifest;
use chalk_catalog::{Body, Catalog};
use chalk_state::Layout;
use chalk_types::Type;

use crate::executor::feature_outputs;
use crate::helpers;

/// A linked program; shared by all workers.
pub struct Program {
    image: CodeImage,
    helpers: Vec<*const u8>,
    layouts: Vec<Arc<Layout>>,
}

// SAFETY: the addresses are of functions.
unsafe impl Send for Program {}
// SAFETY: as above.
unsafe impl Sync for Program {}

/// The artifact calls functions that this runtime does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingImports(pub Vec<String>);

impl std::fmt::Display for MissingImports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the artifact calls functions that this runtime does not have: {}; run it with the runtime of the compiler that built it, or build it again",
            self.0.join(", ")
        )
    }
}

impl std::error::Error for MissingImports {}

impl Program {
    /// Finds the image's helpers among those of the engine and of the library.
    pub fn link(image: CodeImage, catalog: &Catalog) -> Result<Arc<Program>, MissingImports> {
        let mut missing = Vec::new();
        let mut addresses = Vec::new();
        for import in &image.manifest().imports {
            let library = || match catalog.by_import(import)?.def.body {
                Body::Native(shim) => Some(shim as *const u8),
                Body::Chalk(_) | Body::Fold(_) => None,
            };
            match helpers::address_of(import).or_else(library) {
                Some(address) => addresses.push(address),
                None => missing.push(import.clone()),
            }
        }
        let mut layouts = Vec::new();
        for plan in &image.manifest().aggregations {
            match Layout::new(plan, catalog) {
                Ok(layout) => layouts.push(layout),
                Err(error) => missing.push(error),
            }
        }
        if missing.is_empty() {
            Ok(Arc::new(Program { image, helpers: addresses, layouts }))
        } else {
            Err(MissingImports(missing))
        }
    }

    /// What the program says about itself.
    pub fn manifest(&self) -> &Manifest {
        self.image.manifest()
    }

    /// The language's type of each column of a resolver's rows.
    pub fn row_types(&self, resolver: usize) -> Vec<Type> {
        let plan = &self.manifest().resolvers[resolver];
        let class = &self.manifest().classes[plan.class as usize];
        feature_outputs(plan).map(|feature| class.features[feature].ty.clone()).collect()
    }

    /// Per aggregation of the manifest how its partials lie.
    pub fn layouts(&self) -> &[Arc<Layout>] {
        &self.layouts
    }

    pub(crate) fn image(&self) -> &CodeImage {
        &self.image
    }

    pub(crate) fn helpers(&self) -> &[*const u8] {
        &self.helpers
    }
}
