//! The options of `file` sources.
//!
//! This file must not know how files are read.

use chalk_artifact::connector::{ConnectorDef, OptionDef, OptionType};

use crate::options::SourceDef;

/// `file(path: "events.ndjson")`
pub static DEF: SourceDef = SourceDef {
    connector: ConnectorDef {
        name: "file",
        doc: "A file with one message per line; `-` is standard input. Names that end in `.gz` or `.zst` are decompressed. \
          `envelope.topic` is the name of the source, `envelope.partition` is 0, `envelope.offset` is the number of the line, from 0; \
          there is no key, no timestamp and no header. The line's end (`\\n` or `\\r\\n`) is no part of the message.",
        options: &[
            OptionDef {
                name: "path",
                ty: OptionType::String,
                required: true,
                doc: "The file, relative to the folder in which the program runs; `-` is standard input.",
            },
            OptionDef {
                name: "format",
                ty: OptionType::OneOf(&["ndjson", "lines"]),
                required: false,
                doc: "`ndjson` passes over blank lines; with `lines` an empty line is a message too.",
            },
            OptionDef {
                name: "follow",
                ty: OptionType::Bool,
                required: false,
                doc: "Whether to wait for more at the end of the file; a last line without its end is then left until it has one. Not for compressed files.",
            },
            OptionDef {
                name: "max_line_bytes",
                ty: OptionType::Int,
                required: false,
                doc: "A longer line is a dead letter; its first bytes are kept with it.",
            },
        ],
        has_headers: false,
    },
    needed: &["path"],
    defaults: &[("format", "ndjson"), ("follow", "false"), ("max_line_bytes", "16_777_216")],
};
