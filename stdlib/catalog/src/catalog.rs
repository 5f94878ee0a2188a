//! The library as a whole: every function with its signature read, found by name or by import.
//!
//! It is built once from the families' lists, in their order, so that everything derived from it (pages, completion,
//! artifacts) has one order too.
//!
//! This file must not know which functions exist.

use std::collections::BTreeMap;

use crate::def::FunctionDef;
use crate::signature::Signature;

/// A function with its signature read.
#[derive(Debug)]
pub struct Function {
    /// Its position in the catalog.
    pub id: FunctionId,
    /// What was declared.
    pub def: &'static FunctionDef,
    /// `def.signature`, read.
    pub signature: Signature,
}

/// Position of a function in its catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

impl Function {
    /// What an artifact calls it: the signature's text, so that a function whose types changed is another one.
    pub fn import_name(&self) -> &'static str {
        self.def.signature
    }
}

/// All functions.
#[derive(Debug, Default)]
pub struct Catalog {
    functions: Vec<Function>,
    by_name: BTreeMap<&'static str, Vec<FunctionId>>,
    by_import: BTreeMap<&'static str, FunctionId>,
}

impl Catalog {
    /// Reads the families; panics on a malformed or repeated signature, which is a bug of the library.
    pub fn new(families: &[&'static [FunctionDef]]) -> Catalog {
        let mut catalog = Catalog::default();
        for def in families.iter().flat_map(|family| family.iter()) {
            let id = FunctionId(catalog.functions.len() as u32);
            let signature = Signature::parse(def.signature).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(signature.name, def.name, "name and signature disagree");
            assert!(catalog.by_import.insert(def.signature, id).is_none(), "`{}` is declared twice", def.signature);
            catalog.by_name.entry(def.name).or_default().push(id);
            catalog.functions.push(Function { id, def, signature });
        }
        catalog
    }

    /// Every function in order, hidden ones too.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function at that position.
    pub fn get(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    /// The overloads of a name, in order of declaration; empty where there is none.
    pub fn overloads(&self, name: &str) -> impl Iterator<Item = &Function> + Clone {
        self.by_name.get(name).into_iter().flatten().map(|id| self.get(*id))
    }

    /// Names that are not hidden, in alphabetical order.
    pub fn public_names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.iter().filter(|(_, ids)| ids.iter().any(|id| !self.get(*id).def.hidden)).map(|(name, _)| *name)
    }

    /// The function that an artifact imports by that name.
    pub fn by_import(&self, import_name: &str) -> Option<&Function> {
        self.by_import.get(import_name).map(|id| self.get(*id))
    }
}
