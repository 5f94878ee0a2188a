//! The list of all diagnostic codes.
//!
//! To add one: write its page `explain/CODE.md` (its first line is the title, as `# CODE: title`), and add the code to the list
//! below. The tests of `explain.rs` say what a page must hold.
//!
//! Ranges: E00 syntax, E01 names, E02 types, E03 messages and schemas, E04 features and resolvers,
//! E05 artifacts and building, W warnings.
//!
//! This module must not know who raises a code.

use std::fmt;

use crate::Severity;

macro_rules! codes {
    ($($code:ident)*) => {
        /// A diagnostic's code: which rule was broken. Each has a page, see [`explain`](crate::explain).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[allow(missing_docs)]
        pub enum Code { $($code,)* }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$(Code::$code,)*];

            /// The code as it is written: `E0201`.
            pub fn id(self) -> &'static str {
                match self { $(Code::$code => stringify!($code),)* }
            }

            /// Its page, in Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Code::$code => include_str!(concat!("../explain/", stringify!($code), ".md")),)* }
            }
        }
    };
}

codes! {
    // Syntax.
    E0001 E0002 E0003 E0004 E0005 E0006 E0007 E0008 E0009 E0010
    E0011 E0012 E0013 E0014
    // Names.
    // Types.
    // Messages and schemas.
    // Features and resolvers.
    // Artifacts and building.
    // Warnings.
}

impl Code {
    /// The code written so, if there is one; the case of the letter does not matter.
    pub fn from_id(id: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// Its title: the first line of its page.
    pub fn title(self) -> &'static str {
        let line = self.page().lines().next().unwrap_or_default();
        line.split_once(": ").map_or(line, |(_, title)| title)
    }

    /// Codes that begin with `W` warn, the others are errors.
    pub fn severity(self) -> Severity {
        if self.id().starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
