//! Why a message, a plan or a choice of tier was refused, as typed data whose text teaches.
//!
//! A failed message becomes a dead letter that somebody has to repair: so every error says where (field path and byte
//! offset), what was found and what would have been right.
//!
//! This file must not know how a message is parsed.

use std::fmt;

use chalk_types::Kind;

/// A message that failed to decode.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodeError {
    /// Position of the message in its batch.
    pub message_index: u32,
    /// What is wrong.
    pub reason: Reason,
    /// The field by its names in the source (`contact_info.email_address`, `lines[3].amount`, `labels["k"]`); empty
    /// where the message as a whole is at fault.
    pub path: String,
    /// Byte offset in the message: of the offending byte, of the value, or, for an absent field, of the closing brace
    /// of the object that lacks it.
    pub offset: usize,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Larger than the limit.
    TooLarge {
        /// Size of the message.
        size_bytes: usize,
        /// The plan's limit.
        limit_bytes: usize,
    },
    /// Objects and arrays nest deeper than the limit.
    TooDeep {
        /// The plan's limit.
        limit: u32,
    },
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The message begins with a byte order mark.
    ByteOrderMark,
    /// Something other than blanks follows the message.
    TrailingBytes,
    /// The message ends in the middle of a value.
    UnexpectedEnd {
        /// What would have been right.
        expected: &'static str,
    },
    /// A byte that cannot stand here.
    UnexpectedByte {
        /// The byte.
        byte: u8,
        /// What would have been right.
        expected: &'static str,
    },
    /// A control character inside a string.
    ControlCharacter {
        /// The character.
        byte: u8,
    },
    /// A backslash that does not begin an escape of JSON.
    BadEscape,
    /// Half of a surrogate pair, which is no character.
    LoneSurrogate,
    /// A required field is not there.
    Missing,
    /// A field, item or value that may not be null is null.
    Null {
        /// The type wanted.
        expected: Kind,
    },
    /// The value has another JSON type.
    WrongType {
        /// The type wanted.
        expected: Kind,
        /// What stands there.
        found: JsonType,
    },
    /// A number, or a time, that the type cannot hold.
    OutOfRange {
        /// The type wanted.
        expected: Kind,
    },
    /// A number with a fraction that the type cannot hold.
    Fraction {
        /// The type wanted.
        expected: Kind,
    },
    /// A text that is not written in the type's form.
    BadText {
        /// The type wanted.
        expected: Kind,
        /// The form wanted.
        form: &'static str,
    },
    /// A text that names no variant of the enum.
    UnknownVariant {
        /// The text, shortened.
        found: String,
        /// The enum.
        expected: Kind,
    },
    /// An array with another number of items than the vector.
    WrongLength {
        /// Items wanted.
        expected: u32,
        /// Items found.
        found: usize,
    },
}

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum JsonType {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl JsonType {
    /// The type of the value that begins with this byte.
    pub(crate) fn of(byte: u8) -> JsonType {
        match byte {
            b'{' => JsonType::Object,
            b'[' => JsonType::Array,
            b'"' => JsonType::String,
            b't' | b'f' => JsonType::Bool,
            b'n' => JsonType::Null,
            _ => JsonType::Number,
        }
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonType::Object => "an object",
            JsonType::Array => "an array",
            JsonType::String => "a string",
            JsonType::Number => "a number",
            JsonType::Bool => "true or false",
            JsonType::Null => "null",
        })
    }
}

/// A byte as a person would name it.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            byte @ 0x21..=0x7e => write!(f, "`{}`", byte as char),
            b' ' => f.write_str("a blank"),
            b'\n' => f.write_str("a line feed"),
            byte => write!(f, "byte 0x{byte:02x}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::TooLarge { size_bytes, limit_bytes } => {
                write!(f, "the message has {size_bytes} bytes; the limit is {limit_bytes}")
            }
            Reason::TooDeep { limit } => write!(f, "objects and arrays nest deeper than the limit of {limit}"),
            Reason::NotUtf8 => f.write_str("the message is not UTF-8 here"),
            Reason::ByteOrderMark => f.write_str("the message begins with a byte order mark; JSON has none"),
            Reason::TrailingBytes => {
                f.write_str("the message goes on after its end; one message holds one JSON object and blanks")
            }
            Reason::UnexpectedEnd { expected } => write!(f, "the message ends here; expected {expected}"),
            Reason::UnexpectedByte { byte, expected } => write!(f, "found {}; expected {expected}", Shown(*byte)),
            Reason::ControlCharacter { byte } => {
                write!(f, "found {} inside a string; control characters must be escaped (\\n, \\u0000)", Shown(*byte))
            }
            Reason::BadEscape => {
                f.write_str("not an escape of JSON; after a backslash comes one of \" \\ / b f n r t or u and 4 hex digits")
            }
            Reason::LoneSurrogate => {
                f.write_str("half of a surrogate pair; \\ud800 to \\udbff must be followed by \\udc00 to \\udfff")
            }
            Reason::Missing => {
                f.write_str("the field is required but the object ends without it; give the field a type `T?` or a default if it may be absent")
            }
            Reason::Null { expected } => write!(f, "null; expected {expected} (a field that may be null is `{expected}?`)"),
            Reason::WrongType { expected, found } => match (expected, found) {
                (
                    Kind::Int(_) | Kind::Float32 | Kind::Float64 | Kind::Decimal { .. } | Kind::Bool,
                    JsonType::String,
                ) => write!(f, "expected {expected}, found {found} (`@lenient` on the field reads {expected} from text)"),
                _ => write!(f, "expected {expected}, found {found}"),
            },
            Reason::OutOfRange { expected } => write!(f, "out of the range of {expected}"),
            Reason::Fraction { expected } => write!(f, "has digits after the point that {expected} cannot hold"),
            Reason::BadText { expected, form } => write!(f, "not a {expected}; expected {form}"),
            Reason::UnknownVariant { found, expected } => {
                write!(f, "`{found}` is no variant of {expected}")?;
                if let Kind::Enum(def) = expected {
                    write!(f, "; it has {}", def.variants.join(", "))?;
                }
                Ok(())
            }
            Reason::WrongLength { expected, found } => {
                write!(f, "the array has {found} items; the vector has {expected}")
            }
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{} (byte {})", self.reason, self.offset)
    }
}

impl std::error::Error for DecodeError {}

/// A plan that cannot be carried out: a bug of whoever made it, or a corrupt artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError(pub(crate) String);

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the decode plan is wrong: {}", self.0)
    }
}

impl std::error::Error for PlanError {}

/// A failure on its way up: the path is put together while it passes the fields.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) offset: usize,
    pub(crate) path: String,
}

/// Boxed, so that the result of the common case fits into a register.
pub(crate) type Outcome<T> = Result<T, Box<Failure>>;

/// A failure at that byte.
#[cold]
pub(crate) fn fail<T>(reason: Reason, offset: usize) -> Outcome<T> {
    Err(Box::new(Failure { reason, offset, path: String::new() }))
}

impl Failure {
    /// The same failure, seen from the message that has the field.
    #[cold]
    pub(crate) fn in_field(mut self: Box<Self>, name: &str) -> Box<Self> {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    /// The same failure, seen from the list that has the item.
    #[cold]
    pub(crate) fn in_item(mut self: Box<Self>, index: usize) -> Box<Self> {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }

    /// The same failure, seen from the map that has the key.
    #[cold]
    pub(crate) fn in_entry(mut self: Box<Self>, key: &str) -> Box<Self> {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{key:?}]{dot}{}", self.path);
        self
    }
}
