//! The declarations of a package by name: one namespace over all files, in which order does not matter.
//!
//! Lists keep the order of declaration (files in the order given), so that positions in them are positions in the program.
//!
//! This file must not know what a declaration means.

use std::collections::BTreeMap;

use chalk_diagnostics::{Code, Diagnostic};
use chalk_syntax::ast;

use crate::context::is_reserved_type;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Source(usize),
    Class(usize),
    Message(usize),
    Enum(usize),
    Stream(usize),
    Function(usize),
    /// Declared by an item that this compiler version does not have (reported where it stands).
    Later,
}

impl Entry {
    /// The kind of declaration, for messages.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Entry::Source(_) => "a source",
            Entry::Class(_) => "a features class",
            Entry::Message(_) => "a message type",
            Entry::Enum(_) => "an enum",
            Entry::Stream(_) => "a stream resolver",
            Entry::Function(_) => "a function",
            Entry::Later => "a declaration of a later compiler version",
        }
    }
}

/// All declarations.
#[derive(Default)]
pub(crate) struct Package<'a> {
    names: BTreeMap<&'a str, (Entry, &'a ast::Name)>,
    pub(crate) sources: Vec<&'a ast::Source>,
    pub(crate) classes: Vec<&'a ast::Features>,
    pub(crate) messages: Vec<&'a ast::MessageDecl>,
    pub(crate) enums: Vec<&'a ast::EnumDecl>,
    pub(crate) streams: Vec<&'a ast::Stream>,
    pub(crate) functions: Vec<&'a ast::FnDecl>,
    pub(crate) tests: Vec<&'a ast::TestDecl>,
}

impl<'a> Package<'a> {
    /// Gathers the declarations of all files; `is_library` tells the names of library functions.
    pub(crate) fn gather(
        files: &[&'a ast::File],
        is_library: impl Fn(&str) -> bool,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Package<'a> {
        let mut package = Package::default();
        for item in files.iter().flat_map(|file| &file.items) {
            package.add(item, &is_library, diagnostics);
        }
        package
    }

    fn add(&mut self, item: &'a ast::Item, is_library: &impl Fn(&str) -> bool, diagnostics: &mut Vec<Diagnostic>) {
        let entry = match item {
            ast::Item::Source(_) => Entry::Source(self.sources.len()),
            ast::Item::Features(_) => Entry::Class(self.classes.len()),
            ast::Item::Message(_) => Entry::Message(self.messages.len()),
            ast::Item::Enum(_) => Entry::Enum(self.enums.len()),
            ast::Item::Stream(_) => Entry::Stream(self.streams.len()),
            ast::Item::Fn(_) => Entry::Function(self.functions.len()),
            ast::Item::Import(_) => {
                self.later(item, "schema imports (`import proto`, `import avro`, `import arrow`)", diagnostics);
                Entry::Later
            }
            ast::Item::Online(_) | ast::Item::ExternOnline(_) => {
                self.later(item, "online resolvers", diagnostics);
                Entry::Later
            }
            ast::Item::Test(item) => {
                self.tests.push(item);
                return;
            }
        };
        let Some(name) = item.name() else { return };
        if is_reserved_type(&name.text)
            || name.text == "envelope"
            || matches!(entry, Entry::Function(_)) && is_library(&name.text)
        {
            diagnostics.push(
                Diagnostic::new(Code::E0108, format!("`{}` is a name of the language", name.text), name.span)
                    .at("cannot be declared again")
                    .help("choose another name"),
            );
            return;
        }
        if let Some((other, first)) = self.names.get(name.text.as_str()) {
            diagnostics.push(
                Diagnostic::new(Code::E0102, format!("`{}` is declared twice", name.text), name.span)
                    .at("declared again here")
                    .label(first.span, format!("first declared here, as {}", other.describe()))
                    .note("all files of a package share one namespace")
                    .help("rename one of the two"),
            );
            return;
        }
        self.names.insert(&name.text, (entry, name));
        match item {
            ast::Item::Source(item) => self.sources.push(item),
            ast::Item::Features(item) => self.classes.push(item),
            ast::Item::Message(item) => self.messages.push(item),
            ast::Item::Enum(item) => self.enums.push(item),
            ast::Item::Stream(item) => self.streams.push(item),
            ast::Item::Fn(item) => self.functions.push(item),
            ast::Item::Import(_) | ast::Item::Online(_) | ast::Item::ExternOnline(_) | ast::Item::Test(_) => {}
        }
    }

    fn later(&self, item: &ast::Item, what: &str, diagnostics: &mut Vec<Diagnostic>) {
        let span = item.name().map_or(item.span(), |name| name.span);
        diagnostics.push(not_yet(what, span));
    }

    /// What a name stands for.
    pub(crate) fn get(&self, name: &str) -> Option<Entry> {
        self.names.get(name).map(|(entry, _)| *entry)
    }

    /// Where a name is declared.
    pub(crate) fn declared_at(&self, name: &str) -> Option<&'a ast::Name> {
        self.names.get(name).map(|(_, name)| *name)
    }

    /// Names of the declarations that satisfy the test, in alphabetical order.
    pub(crate) fn names_where(&self, test: impl Fn(Entry) -> bool) -> Vec<&'a str> {
        self.names.iter().filter(|(_, (entry, _))| test(*entry)).map(|(name, _)| *name).collect()
    }
}

/// The one diagnostic for parts of the language that a later version brings.
pub(crate) fn not_yet(what: &str, span: chalk_diagnostics::Span) -> Diagnostic {
    Diagnostic::new(Code::E0100, format!("{what} are not part of this compiler version"), span)
        .help("leave it out for now; `chalkc explain E0100` lists what this version compiles")
}
