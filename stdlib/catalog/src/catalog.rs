//! The library as a whole: every function and aggregate with its signature read, found by name or by import.
//!
//! It is built once from the families' lists, in their order, so that everything derived from it (pages, completion,
//! artifacts) has one order too.
//!
//! This file must not know which functions or aggregates exist.

use std::collections::BTreeMap;

use crate::aggregate::AggregateDef;
use crate::def::FunctionDef;
use crate::signature::{Param, Signature};

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

/// An aggregate with its signature read.
#[derive(Debug)]
pub struct AggregateEntry {
    /// What was declared.
    pub def: &'static AggregateDef,
    /// `def.signature`, read.
    pub signature: Signature,
}

/// All functions and aggregates.
#[derive(Debug, Default)]
pub struct Catalog {
    functions: Vec<Function>,
    by_name: BTreeMap<&'static str, Vec<FunctionId>>,
    by_import: BTreeMap<&'static str, FunctionId>,
    aggregates: Vec<AggregateEntry>,
    aggregates_by_name: BTreeMap<&'static str, Vec<usize>>,
    aggregates_by_signature: BTreeMap<&'static str, usize>,
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

    /// Adds families of aggregates; panics on a malformed or repeated signature, which is a bug of the library.
    pub fn with_aggregates(mut self, families: &[&'static [AggregateDef]]) -> Catalog {
        for def in families.iter().flat_map(|family| family.iter()) {
            let signature = Signature::parse(def.signature).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(signature.name, def.name, "name and signature disagree");
            let is_plain = |param: &Param| !param.variadic && (param.constant || param.default.is_none());
            assert!(signature.params.iter().all(is_plain), "`{}`: only constants have defaults", def.signature);
            let index = self.aggregates.len();
            let before = self.aggregates_by_signature.insert(def.signature, index);
            assert!(before.is_none(), "`{}` is declared twice", def.signature);
            self.aggregates_by_name.entry(def.name).or_default().push(index);
            self.aggregates.push(AggregateEntry { def, signature });
        }
        self
    }

    /// Every aggregate in order.
    pub fn aggregates(&self) -> &[AggregateEntry] {
        &self.aggregates
    }

    /// The aggregate of that signature: what an artifact's manifest calls it.
    pub fn aggregate(&self, signature: &str) -> Option<&'static AggregateDef> {
        self.aggregates_by_signature.get(signature).map(|index| self.aggregates[*index].def)
    }

    /// The overloads of an aggregate's name, in order of declaration; empty where there is none.
    pub fn aggregates_named(&self, name: &str) -> impl Iterator<Item = &AggregateEntry> + Clone {
        self.aggregates_by_name.get(name).into_iter().flatten().map(|index| &self.aggregates[*index])
    }

    /// Names of aggregates in alphabetical order: what may follow a collection and a dot.
    pub fn aggregate_names(&self) -> impl Iterator<Item = &'static str> {
        self.aggregates_by_name.keys().copied()
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
