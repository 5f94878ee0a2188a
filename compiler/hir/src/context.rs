//! What every check shares: the declarations, the library, the types found so far, and where diagnostics go.
//!
//! It is filled stage by stage (`analyze`): enums, messages, features, functions, resolvers. Diagnostics go through a cell,
//! so that whoever reads the context can report.
//!
//! This file must not know any rule of the language beyond the names that it reserves.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use chalk_artifact::connector::ConnectorDef;
use chalk_catalog::Catalog;
use chalk_diagnostics::{Diagnostic, Span};
use chalk_syntax::ast;
use chalk_types::{EnumType, IntWidth, StructType, Type};

use crate::aggregations::Registry;
use crate::package::Package;
use crate::program::{self, Doc, RelationKind};
use crate::sql::SqlPlanner;

/// A diagnostic was reported (or the tree holds an error that the parser reported): nothing more is to be said here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported;

/// The result of a check.
pub(crate) type Checked<T> = Result<T, Reported>;

/// See the file's comment.
pub(crate) struct Context<'a> {
    pub(crate) package: Package<'a>,
    pub(crate) catalog: &'static Catalog,
    pub(crate) connectors: &'a [&'a ConnectorDef],
    /// Plans the queries of `sql` bodies.
    pub(crate) sql: Option<&'a dyn SqlPlanner>,
    pub(crate) diagnostics: RefCell<Vec<Diagnostic>>,
    /// Names of declarations that something refers to.
    used: RefCell<BTreeSet<String>>,
    /// By position; variants in order.
    pub(crate) enums: Vec<Arc<EnumType>>,
    /// By position; none where the declaration is wrong.
    pub(crate) messages: Vec<Option<Arc<StructType>>>,
    /// By position.
    pub(crate) classes: Vec<ClassFacts>,
    /// By position; none while not checked, or where wrong.
    pub(crate) functions: Vec<Option<Rc<program::Function>>>,
    /// Bodies of library functions that are written in Chalk, by signature.
    pub(crate) library_bodies: RefCell<BTreeMap<&'static str, Rc<ast::Expr>>>,
    /// Aggregations that expressions have asked for.
    pub(crate) aggregations: RefCell<Registry>,
}

/// What expressions need to know of a class. Positions are those of `FeatureClass::features`: a windowed feature has one for each
/// of its windows, a collection none.
#[derive(Default)]
pub(crate) struct ClassFacts {
    /// Per feature its type; none where wrong.
    pub(crate) types: Vec<Option<Type>>,
    /// Name to position, of features without windows.
    pub(crate) index: BTreeMap<String, usize>,
    /// Windowed features by name.
    pub(crate) windowed: BTreeMap<String, WindowedFacts>,
    /// Collections by name; none where the declaration is wrong.
    pub(crate) relations: BTreeMap<String, Option<RelationFacts>>,
    /// Per feature the class that it is a foreign key of.
    pub(crate) foreign_keys: Vec<Option<usize>>,
    /// Position of the primary key.
    pub(crate) primary_key: Option<usize>,
}

/// What expressions need to know of a windowed feature.
#[derive(Clone)]
pub(crate) struct WindowedFacts {
    /// Position of its first window; the others follow.
    pub(crate) first: usize,
    /// Lengths in microseconds (none = all time), in order of writing.
    pub(crate) windows: Vec<Option<i64>>,
    /// Whether a window of it is wrong (reported): then others may be missing.
    pub(crate) is_wrong: bool,
    /// Where its name is declared.
    pub(crate) span: Span,
}

/// What expressions need to know of a link between classes.
#[derive(Clone, Copy)]
pub(crate) struct RelationFacts {
    /// The other class.
    pub(crate) class: usize,
    /// Which way.
    pub(crate) kind: RelationKind,
    /// Where its name is declared.
    pub(crate) span: Span,
}

impl<'a> Context<'a> {
    /// A context with nothing but the declarations.
    pub(crate) fn new(
        package: Package<'a>,
        catalog: &'static Catalog,
        connectors: &'a [&'a ConnectorDef],
        diagnostics: Vec<Diagnostic>,
    ) -> Context<'a> {
        Context {
            package,
            catalog,
            connectors,
            sql: None,
            diagnostics: RefCell::new(diagnostics),
            used: RefCell::default(),
            enums: Vec::new(),
            messages: Vec::new(),
            classes: Vec::new(),
            functions: Vec::new(),
            library_bodies: RefCell::default(),
            aggregations: RefCell::default(),
        }
    }

    /// Reports; what was being checked is given up.
    pub(crate) fn report(&self, diagnostic: Diagnostic) -> Reported {
        self.diagnostics.borrow_mut().push(diagnostic);
        Reported
    }

    /// Remembers that a declaration is used.
    pub(crate) fn mark_used(&self, name: &str) {
        let mut used = self.used.borrow_mut();
        if !used.contains(name) {
            used.insert(name.to_owned());
        }
    }

    /// Whether something refers to a declaration.
    pub(crate) fn is_used(&self, name: &str) -> bool {
        self.used.borrow().contains(name)
    }
}

/// Names of types that no declaration may take.
pub(crate) fn is_reserved_type(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "bool", "int64", "float", "float64", "string", "bytes", "datetime", "date", "time", "duration", "decimal",
        "map", "float32",
    ];
    NAMES.contains(&name) || IntWidth::ALL.iter().any(|width| width.name() == name)
}

/// A doc comment as the program keeps it.
pub(crate) fn doc_of(doc: &Option<ast::Doc>) -> Doc {
    doc.as_ref().map_or_else(Doc::default, |doc| Doc {
        description: doc.summary(),
        metadata: doc.metadata.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect(),
    })
}
