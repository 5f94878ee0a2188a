//! The page `CONFIG.md`, made from the lists of keys and of source options.
//!
//! This file must not know how the file is read.

use std::fmt::Write as _;

use chalk_connectors::{OptionDef, OptionType, OptionTypeExt as _, SOURCES};

use super::KEYS;

/// The page.
pub fn page() -> String {
    let mut page = String::from(
        "# chalk.toml\n\n\
         <!-- Made from runtime/chalkd/src/config/keys.rs and the sources' option lists; a test compares.\n\
         Make it anew with `CHALK_BLESS=1 cargo test -p chalkd --test config_page`. -->\n\n\
         Read by `chalkd run app.chalkb --config chalk.toml`; without `--config`, `chalk.toml` in the current folder is read if it is there.\n\
         An unknown key is an error. Durations are text with a unit (`\"250ms\"`, `\"1h30m\"`). `${NAME}` in any text is the environment variable\n\
         of that name, and an error where it is not set; `$${` stands for `${`. `chalkd check-config` checks a file without running anything.\n\n\
         ## Keys\n\n| key | value | default | |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            key.path,
            type_text(key.ty),
            default_text(key.ty, key.default),
            key.doc
        );
    }
    page.push_str(
        "\n## Sources\n\n\
         A table `[sources.NAME]` sets options of the source of that name; they override the arguments in its declaration\n\
         (`source NAME = kafka(topic: …)`), which are the same options. `late_arrival_deadline` is not among them: it is compiled in.\n\n\
         ```toml\n[sources.orders]\nbootstrap_servers = \"${BROKERS}\"\nsecurity_protocol = \"sasl_ssl\"\nsasl_mechanism = \"SCRAM-SHA-512\"\n\
         sasl_username = \"chalk\"\nsasl_password = \"${KAFKA_PASSWORD}\"\n\n[sources.orders.kafka]       # any option of librdkafka, by its own name\n\
         fetch.min.bytes = 1024\n```\n",
    );
    for source in SOURCES {
        let _ = write!(page, "\n### {}\n\n{}\n\n", source.connector.name, source.connector.doc);
        options(&mut page, source.connector.options, &|option| match source.default_of(option.name) {
            Some(default) => default_text(option.ty, default),
            None if source.needed.contains(&option.name) => "needed".to_owned(),
            None => String::new(),
        });
    }
    page.push_str(
        "\nThe runtime itself sets `enable.auto.commit`, `enable.auto.offset.store` and `enable.partition.eof` of librdkafka to `false`.\n",
    );
    page
}

fn options(page: &mut String, options: &[OptionDef], default_of: &dyn Fn(&OptionDef) -> String) {
    page.push_str("| option | value | default | |\n|---|---|---|---|\n");
    for option in options {
        let default = default_of(option);
        let _ = writeln!(page, "| `{}` | {} | {default} | {} |", option.name, type_text(option.ty), option.doc);
    }
}

fn type_text(ty: OptionType) -> String {
    match ty {
        OptionType::OneOf(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        ty => ty.name(),
    }
}

fn default_text(ty: OptionType, default: &str) -> String {
    match ty {
        _ if default.is_empty() => String::new(),
        OptionType::Int | OptionType::Bool => format!("`{default}`"),
        OptionType::String | OptionType::Duration | OptionType::OneOf(_) => format!("`\"{default}\"`"),
    }
}
