//! A source's options: what the declaration says, overridden by `[sources.NAME]`, checked against the source's list.
//!
//! This file must not know what an option does.

use chalk_artifact::manifest::{Manifest, OptionValue as Declared, Source};
use chalk_connectors::{OptionDef, OptionTypeExt as _, SOURCES, SourceDef, SourceOptions, find};

use super::{Config, ConfigError, Environment, Place, SourceTable};
use crate::suggest::did_you_mean;

fn options_of(def: &SourceDef) -> impl Iterator<Item = &'static OptionDef> + use<> {
    def.connector.options.iter()
}

/// Checks the tables of all sources: against the program where there is one, else against what any source may have.
pub fn check_sources(config: &Config, manifest: Option<&Manifest>) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (name, table) in &config.sources {
        let defs: Vec<&SourceDef> = match manifest {
            None => SOURCES.to_vec(),
            Some(manifest) => match manifest.sources.iter().find(|source| source.name == *name) {
                Some(source) => find(&source.connector).into_iter().collect(),
                None => {
                    let known = manifest.sources.iter().map(|source| source.name.as_str());
                    let message = format!("the program has no source `{name}`{}", did_you_mean(name, known));
                    errors.push(ConfigError { place: table.place.clone(), message });
                    continue;
                }
            },
        };
        for (option, setting) in &table.values {
            let candidates: Vec<&OptionDef> = defs.iter().flat_map(|def| options_of(def)).collect();
            let mut fitting = candidates.iter().filter(|def| def.name == option).peekable();
            let problem = if fitting.peek().is_none() {
                let known = candidates.iter().map(|def| def.name);
                Some(format!("unknown option `{option}` of source `{name}`{}", did_you_mean(option, known)))
            } else {
                // An option of several sources fits if it fits one of them.
                let results: Vec<_> = fitting.map(|def| setting.value.of_type(def.ty)).collect();
                (!results.iter().any(Result::is_ok)).then(|| results.into_iter().find_map(Result::err)).flatten()
            };
            if let Some(message) = problem {
                errors.push(ConfigError { place: setting.place.clone(), message });
            }
        }
        if !table.client.is_empty() && !defs.iter().any(|def| def.connector.name == "kafka") {
            let message = format!("source `{name}` is not a kafka source, so it has no table `kafka`");
            errors.push(ConfigError { place: table.place.clone(), message });
        }
    }
    errors
}

/// The options of a source of the program. `config` was checked by `check_sources`.
pub fn source_options(
    source: &Source,
    config: &Config,
    environment: Environment<'_>,
) -> Result<SourceOptions, ConfigError> {
    let declaration = Place { file: format!("source `{}`", source.name), line: 0, column: 0 };
    let error = |message: String| ConfigError { place: declaration.clone(), message };
    let Some(def) = find(&source.connector) else {
        return Err(error(format!("this chalkd knows no `{}` sources", source.connector)));
    };
    let mut options = SourceOptions::default();
    let empty = SourceTable::default();
    let table = config.sources.get(&source.name).unwrap_or(&empty);
    for (name, value) in &source.options {
        let Some(option) = options_of(def).find(|def| def.name == name) else {
            return Err(error(format!("this chalkd knows no option `{name}` of `{}` sources", source.connector)));
        };
        if table.values.contains_key(name) {
            continue;
        }
        let value = match value {
            Declared::Value(value) => option.ty.value_of_constant(value),
            Declared::Env(variable) => match environment(variable) {
                Some(text) => option.ty.value_of_text(&text),
                None => {
                    return Err(error(format!(
                        "`{name}` is env(\"{variable}\"), and the environment variable `{variable}` is not set; \
                         set it, or give `{name}` in chalk.toml under [sources.{}]",
                        source.name
                    )));
                }
            },
        };
        let value = value.map_err(|problem| error(format!("`{name}`: {problem}")))?;
        options.values.insert(name.clone(), value);
    }
    for (name, setting) in &table.values {
        if let Some(option) = options_of(def).find(|def| def.name == name) {
            let value = setting.value.of_type(option.ty);
            let value = value.map_err(|message| ConfigError { place: setting.place.clone(), message })?;
            options.values.insert(name.clone(), value);
        }
    }
    options.client.clone_from(&table.client);
    Ok(options)
}

/// What a source's stored offsets belong to: with another topic or path they would be another's.
pub fn source_identity(source: &Source, options: &SourceOptions) -> String {
    let place = options.string("topic").or_else(|| options.string("path")).unwrap_or_default();
    format!("{} {} {place}", source.name, source.connector)
}

#[cfg(test)]
mod tests {
    use chalk_types::Value;

    use super::*;
    use crate::config::parse;

    fn manifest() -> Manifest {
        Manifest {
            sources: vec![Source {
                name: "orders".into(),
                connector: "kafka".into(),
                options: vec![
                    ("topic".into(), Declared::Value(Value::String("orders".into()))),
                    ("bootstrap_servers".into(), Declared::Env("BROKERS".into())),
                ],
                late_arrival_deadline_us: Some(5),
            }],
            ..Manifest::default()
        }
    }

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_file_overrides_the_declaration() {
        let text = "[sources.orders]\nbootstrap_servers = \"here:9092\"\nauto_offset_reset = \"latest\"";
        let config = parse("chalk.toml", text, &none).unwrap();
        assert_eq!(check_sources(&config, Some(&manifest())), []);
        let options = source_options(&manifest().sources[0], &config, &none).unwrap();
        assert_eq!(options.string("topic"), Some("orders"));
        assert_eq!(options.string("bootstrap_servers"), Some("here:9092"));
        assert_eq!(options.string("auto_offset_reset"), Some("latest"));
    }

    #[test]
    fn a_variable_of_the_declaration_that_is_missing_is_named_with_both_remedies() {
        let error = source_options(&manifest().sources[0], &Config::default(), &none).unwrap_err().to_string();
        assert!(error.contains("source `orders`: `bootstrap_servers` is env(\"BROKERS\")"), "{error}");
        assert!(error.contains("[sources.orders]"), "{error}");
    }

    #[test]
    fn wrong_tables_are_told_apart() {
        let check = |text: &str, manifest: Option<&Manifest>| -> Vec<String> {
            let config = parse("chalk.toml", text, &none).unwrap();
            check_sources(&config, manifest).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            check("[sources.order]", Some(&manifest())),
            ["chalk.toml:1:10: the program has no source `order`; did you mean `orders`?"]
        );
        assert_eq!(
            check("[sources.orders]\ntopics = \"x\"", Some(&manifest())),
            ["chalk.toml:2:1: unknown option `topics` of source `orders`; did you mean `topic`?"]
        );
        assert_eq!(check("[sources.any]\nfollow = true\ntopic = \"x\"", None), [""; 0]);
        assert_eq!(check("[sources.any]\nfollow = 3", None), ["chalk.toml:2:1: expected bool, found 3"]);
    }
}
