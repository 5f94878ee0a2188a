//! The options of `kafka` sources.
//!
//! The names are librdkafka's with `_` for `.`, so that what people know about it holds. Options that are not listed
//! go into the table `[sources.NAME.kafka]` of `chalk.toml`, under librdkafka's own names.
//!
//! This file must not know the client.

use chalk_artifact::connector::{ConnectorDef, OptionDef, OptionType};

use crate::options::SourceDef;

const fn text(name: &'static str, doc: &'static str) -> OptionDef {
    OptionDef { name, ty: OptionType::String, required: false, doc }
}

/// `kafka(topic: "orders", bootstrap_servers: env("BROKERS"))`
pub static DEF: SourceDef = SourceDef {
    connector: ConnectorDef {
        name: "kafka",
        doc: "A topic of Apache Kafka, or of a broker that speaks its protocol. The members of a consumer group share the \
          partitions. Where to go on is read from the runtime's own store, in which offsets are committed together with \
          what the messages did; they are committed to Kafka too, for whoever watches the lag.",
        options: &[
            OptionDef { name: "topic", ty: OptionType::String, required: true, doc: "The topic." },
            OptionDef {
                name: "bootstrap_servers",
                ty: OptionType::String,
                required: false,
                doc: "Brokers to ask first, `host:port,host:port`.",
            },
            OptionDef {
                name: "group_id",
                ty: OptionType::String,
                required: false,
                doc: "The consumer group. Not set: `chalk-` and the name of the source.",
            },
            OptionDef {
                name: "auto_offset_reset",
                ty: OptionType::OneOf(&["earliest", "latest"]),
                required: false,
                doc: "Where to start with a partition that was never read, or whose stored offset is gone.",
            },
            OptionDef {
                name: "security_protocol",
                ty: OptionType::OneOf(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]),
                required: false,
                doc: "How to talk to the brokers. TLS needs a build with the cargo feature `kafka-tls`.",
            },
            OptionDef {
                name: "sasl_mechanism",
                ty: OptionType::OneOf(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]),
                required: false,
                doc: "How to authenticate; all but `PLAIN` need a build with the cargo feature `kafka-tls`.",
            },
            text("sasl_username", "The user's name for SASL."),
            text("sasl_password", "The password for SASL; write `env(\"NAME\")`, not the password."),
            text("ssl_ca_location", "File or folder with the certificates to trust."),
            text("ssl_certificate_location", "File with the client's certificate (PEM)."),
            text("ssl_key_location", "File with the client's private key (PEM)."),
            text("ssl_key_password", "The private key's password."),
            text("client_id", "What the brokers' logs call this client."),
        ],
        has_headers: true,
    },
    needed: &["topic", "bootstrap_servers"],
    defaults: &[("auto_offset_reset", "earliest"), ("security_protocol", "plaintext")],
};
