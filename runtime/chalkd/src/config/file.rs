//! Reads `chalk.toml`: every problem with its place, unknown keys with the closest known one.
//!
//! `${NAME}` in a string is the environment variable; `$${` is a `${` as it stands.
//!
//! This file must not know what a key does.

use std::path::Path;

use chalk_connectors::{OptionType, OptionTypeExt as _};
use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError, Environment, KEYS, Place, Scalar, Setting, SourceTable};
use crate::suggest::did_you_mean;

/// Reads the file; without a path `chalk.toml` in the current folder, if it is there.
pub fn load(path: Option<&Path>, environment: Environment<'_>) -> Result<Config, Vec<ConfigError>> {
    let (path, required) = path.map_or((Path::new("chalk.toml"), false), |path| (path, true));
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&name, &text, environment),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => Ok(Config::default()),
        Err(error) => Err(vec![ConfigError {
            place: Place { file: name, line: 0, column: 0 },
            message: format!("cannot read it: {error}"),
        }]),
    }
}

/// Reads the text of a file of that name.
pub fn parse(name: &str, text: &str, environment: Environment<'_>) -> Result<Config, Vec<ConfigError>> {
    let mut reader = Reader { name, text, environment, config: Config::default(), errors: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reader.table("", table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            reader.error(at, error.message().to_owned());
        }
    }
    // The parser sorts tables by name; people read from the top.
    reader.errors.sort_by_key(|error| (error.place.line, error.place.column));
    if reader.errors.is_empty() { Ok(reader.config) } else { Err(reader.errors) }
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    environment: Environment<'a>,
    config: Config,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn place(&self, at: usize) -> Place {
        let before = &self.text[..at.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            file: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn error(&mut self, at: usize, message: String) {
        let place = self.place(at);
        self.errors.push(ConfigError { place, message });
    }

    /// A table of ours, at that path.
    fn table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let full = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
            let prefix = format!("{full}.");
            match value.get_ref() {
                DeValue::Table(sources) if full == "sources" => self.sources(sources),
                DeValue::Table(inner) if KEYS.iter().any(|key| key.path.starts_with(&prefix)) => {
                    self.table(&full, inner)
                }
                _ if KEYS.iter().any(|key| key.path == full) => {
                    self.key(&full, value.get_ref(), value.span().start);
                }
                _ => {
                    let sections = KEYS.iter().filter_map(|key| key.path.split_once('.')).map(|(section, _)| section);
                    let known = KEYS.iter().map(|key| key.path).chain(sections).chain(["sources"]);
                    self.error(key.span().start, format!("unknown key `{full}`{}", did_you_mean(&full, known)));
                }
            }
        }
    }

    fn key(&mut self, path: &str, value: &DeValue<'_>, at: usize) {
        let Some(scalar) = self.scalar(path, value, at) else { return };
        let Some(key) = KEYS.iter().find(|key| key.path == path) else { return };
        let set = scalar.of_type(key.ty).and_then(|value| (key.set)(&mut self.config, value));
        if let Err(message) = set {
            self.error(at, format!("`{path}`: {message}"));
        }
    }

    /// A single value, with environment variables replaced.
    fn scalar(&mut self, path: &str, value: &DeValue<'_>, at: usize) -> Option<Scalar> {
        match value {
            DeValue::String(text) => match replace_variables(text, self.environment) {
                Ok(text) => return Some(Scalar::String(text)),
                Err(message) => self.error(at, format!("`{path}`: {message}")),
            },
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                match i64::from_str_radix(&digits, number.radix()) {
                    Ok(number) => return Some(Scalar::Int(number)),
                    Err(_) => self.error(at, format!("`{path}`: {number} does not fit in 64 bits")),
                }
            }
            DeValue::Boolean(value) => return Some(Scalar::Bool(*value)),
            other => self.error(at, format!("`{path}` cannot be of type {}", other.type_str())),
        }
        None
    }

    fn sources(&mut self, sources: &DeTable<'_>) {
        for (name, value) in sources.iter() {
            let path = format!("sources.{}", name.get_ref());
            let DeValue::Table(table) = value.get_ref() else {
                self.error(value.span().start, format!("`{path}` must be a table of the source's options"));
                continue;
            };
            let mut source = SourceTable { place: self.place(name.span().start), ..SourceTable::default() };
            for (key, value) in table.iter() {
                let (option, at) = (key.get_ref(), value.span().start);
                match value.get_ref() {
                    DeValue::Table(client) if option == "kafka" => {
                        self.client_options(&format!("{path}.kafka"), "", client, &mut source);
                    }
                    value => {
                        if let Some(scalar) = self.scalar(&format!("{path}.{option}"), value, at) {
                            let setting = Setting { place: self.place(key.span().start), value: scalar };
                            source.values.insert(option.to_string(), setting);
                        }
                    }
                }
            }
            self.config.sources.insert(name.get_ref().to_string(), source);
        }
    }

    /// librdkafka's options: `"sasl.username" = …` and `sasl.username = …`, which TOML reads as tables, are the same.
    fn client_options(&mut self, table_path: &str, prefix: &str, table: &DeTable<'_>, source: &mut SourceTable) {
        for (key, value) in table.iter() {
            let option =
                if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            match value.get_ref() {
                DeValue::Table(inner) => self.client_options(table_path, &option, inner, source),
                DeValue::Float(number) => {
                    source.client.insert(option, number.as_str().to_owned());
                }
                other => {
                    if let Some(scalar) = self.scalar(&format!("{table_path}.{option}"), other, value.span().start) {
                        source.client.insert(option, scalar.to_text());
                    }
                }
            }
        }
    }
}

impl Scalar {
    /// The value as one of that type.
    pub(super) fn of_type(&self, ty: OptionType) -> Result<chalk_connectors::OptionValue, String> {
        use chalk_connectors::OptionValue;
        match (ty, self) {
            (OptionType::Int, Scalar::Int(number)) => Ok(OptionValue::Int(*number)),
            (OptionType::Bool, Scalar::Bool(value)) => Ok(OptionValue::Bool(*value)),
            (_, Scalar::String(text)) => ty.value_of_text(text).map_err(|error| error.to_string()),
            (OptionType::Duration, Scalar::Int(number)) => {
                Err(format!("expected a duration with its unit, as text: \"{number}ms\" or \"{number}s\""))
            }
            (_, other) => Err(format!("expected {}, found {}", ty.name(), other.to_text())),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Scalar::String(text) => text.clone(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Bool(value) => value.to_string(),
        }
    }
}

/// Replaces `${NAME}`.
pub(super) fn replace_variables(text: &str, environment: Environment<'_>) -> Result<String, String> {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            replaced.push_str(&rest[..at - 1]);
            replaced.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        replaced.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}') else {
            return Err(format!("`{}` has no closing brace; write `$${{` for a `${{` as it stands", &rest[at..]));
        };
        let name = &rest[at + 2..at + end];
        let value = environment(name)
            .ok_or_else(|| format!("the environment variable `{name}` is not set; set it, or write the value here"))?;
        replaced.push_str(&value);
        rest = &rest[at + end + 1..];
    }
    replaced.push_str(rest);
    Ok(replaced)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Fsync;

    fn env(name: &str) -> Option<String> {
        (name == "BROKERS").then(|| "b1:9092,b2:9092".to_owned())
    }

    fn errors(text: &str) -> Vec<String> {
        parse("chalk.toml", text, &env).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = parse(
            "chalk.toml",
            r#"
            data_dir = "/var/lib/chalk"
            workers = 3
            [commit]
            interval = "100ms"
            fsync = "group"
            [batch]
            max_messages = 2_048
            [sources.orders]
            bootstrap_servers = "${BROKERS}"
            [sources.orders.kafka]
            fetch.min.bytes = 1
            "sasl.username" = "costs $${5}"
            "#,
            &env,
        )
        .unwrap();
        assert_eq!(config.data_dir, Path::new("/var/lib/chalk"));
        assert_eq!((config.workers, config.batch_max_messages), (3, 2048));
        assert_eq!((config.commit_interval, config.fsync), (Duration::from_millis(100), Fsync::Group));
        let orders = &config.sources["orders"];
        assert_eq!(orders.values["bootstrap_servers"].value, Scalar::String("b1:9092,b2:9092".into()));
        assert_eq!(orders.client["fetch.min.bytes"], "1");
        assert_eq!(orders.client["sasl.username"], "costs ${5}");
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        assert_eq!(
            errors("data_dir = 5\nlisten = \"here\"\n[commit]\nintervall = \"1s\"\nfsync = \"never\"\n"),
            [
                "chalk.toml:1:12: `data_dir`: expected string, found 5",
                "chalk.toml:2:10: `listen`: must be an address and a port, `127.0.0.1:8080`, not \"here\"",
                "chalk.toml:4:1: unknown key `commit.intervall`; did you mean `commit.interval`?",
                "chalk.toml:5:9: `commit.fsync`: expected \"commit\" or \"group\", found \"never\"",
            ]
        );
        assert_eq!(
            errors("[comit]\ninterval = \"1s\""),
            ["chalk.toml:1:2: unknown key `comit`; did you mean `commit`?"]
        );
        assert_eq!(
            errors("[checkpoint]\ninterval = 15"),
            ["chalk.toml:2:12: `checkpoint.interval`: expected a duration with its unit, as text: \"15ms\" or \"15s\""]
        );
        assert_eq!(errors("workers = 0"), ["chalk.toml:1:11: `workers`: must be at least 1, not 0"]);
        assert_eq!(errors("workers = [1]"), ["chalk.toml:1:11: `workers` cannot be of type array"]);
        assert!(errors("a = = 1")[0].starts_with("chalk.toml:1:5: "), "{:?}", errors("a = = 1"));
    }

    #[test]
    fn a_missing_environment_variable_is_named() {
        assert_eq!(
            errors("[sources.s]\nsasl_password = \"${SECRET}\""),
            [
                "chalk.toml:2:17: `sources.s.sasl_password`: the environment variable `SECRET` is not set; set it, or write the value here"
            ]
        );
        assert!(errors("data_dir = \"${OPEN\"")[0].contains("no closing brace"));
    }
}
