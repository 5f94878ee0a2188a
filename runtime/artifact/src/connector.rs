//! What a connector says about itself: its name, its options, what its envelope carries.
//!
//! The compiler checks `source` declarations against it without linking any client; each connector states it in its own folder.
//!
//! This file must not know any connector.

/// A system that messages come from.
#[derive(Debug)]
pub struct ConnectorDef {
    /// The name in `source x = name(…)`.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// Its arguments.
    pub options: &'static [OptionDef],
    /// Whether messages have headers.
    pub has_headers: bool,
}

/// An argument of a source.
#[derive(Debug)]
pub struct OptionDef {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub ty: OptionType,
    /// Whether a declaration must give it.
    pub required: bool,
    /// What it does, in a sentence.
    pub doc: &'static str,
}

/// The type of an argument of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionType {
    /// `string`
    String,
    /// `int`
    Int,
    /// `bool`
    Bool,
    /// `duration`
    Duration,
    /// `string`, one of these
    OneOf(&'static [&'static str]),
}
