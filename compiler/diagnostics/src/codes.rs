//! The list of all diagnostic codes.
//!
//! To add one: write its page `explain/CODE.md` (its first line is the title, as `# CODE: title`), and add the code to the list
//! below. The tests of `explain.rs` say what a page must hold.
//!
//! Ranges: E00 syntax, E01 names, E02 types, E03 messages and schemas, E04 features and resolvers,
//! E05 artifacts and building, E06 tests, E07 SQL, W warnings.
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
    E0100 E0101 E0102 E0103 E0104 E0105 E0106 E0107 E0108 E0109 E0110 E0111
    E0112 E0113 E0114 E0115 E0116
    // Types.
    E0201 E0202 E0203 E0204 E0205 E0206 E0207 E0208 E0209 E0210 E0211 E0212
    E0213 E0214 E0215 E0216 E0217 E0218 E0219 E0220 E0221
    // Messages and schemas.
    E0301 E0302 E0303 E0304 E0305 E0306 E0307 E0308 E0309
    // Features and resolvers.
    E0401 E0402 E0403 E0404 E0405 E0406 E0407 E0408 E0409 E0410 E0411 E0412
    E0413 E0414
    E0420 E0421 E0422
    E0430 E0431 E0432 E0433 E0434 E0435 E0436 E0437 E0438 E0439 E0440
    E0441 E0442 E0443
    // Artifacts and building.
    E0501
    // Tests.
    E0601 E0602 E0603 E0604 E0605 E0606
    // SQL.
    E0701 E0702 E0703
    // Warnings.
    W0101 W0102 W0103 W0104 W0201 W0202 W0203 W0204
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
