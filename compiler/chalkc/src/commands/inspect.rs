//! `chalkc inspect`: what an artifact, or a package that is compiled for it, consists of.
//!
//! The text is meant for reading and for comparing two builds: it is in the order of the manifest and has nothing that changes from run to run.

mod state;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use chalk_artifact::decode_plan::{DecodePlan, FieldPlan, MessagePlan, Wanted};
use chalk_artifact::file::{cpu, read_for_inspection};
use chalk_artifact::manifest::{Kernel, KernelInput, Manifest, MessageInput, ResolverOutput};
use chalk_codegen::{CompileOptions, disassemble_artifact};
use chalk_diagnostics::FileId;

use super::{DiagnosticFormat, Failure, checked_package, current_folder, print};
use crate::compile::generate;

#[derive(clap::Args)]
pub(super) struct Args {
    /// An artifact, a .chalk file or a folder of them
    #[arg(default_value_os_t = current_folder())]
    path: PathBuf,
    /// Show the column IR of each kernel
    #[arg(long)]
    ir: bool,
    /// Show the assembly of each kernel, beside the lines that it comes from
    #[arg(long)]
    asm: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let is_artifact = args.path.is_file() && args.path.extension().is_none_or(|extension| extension != "chalk");
    let (bytes, sources) = if is_artifact {
        let bytes =
            fs::read(&args.path).map_err(|error| Failure::Message(format!("{}: {error}", args.path.display())))?;
        (bytes, None)
    } else {
        let (_, checked) = checked_package(&args.path, DiagnosticFormat::Human)?;
        (generate(&checked, &CompileOptions::default())?.to_artifact()?, Some(checked.sources))
    };
    let artifact =
        read_for_inspection(&bytes).map_err(|error| Failure::Message(format!("{}: {error}", args.path.display())))?;
    let header = &artifact.header;
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "target {}: {}", header.target, cpu::names(header.cpu_features).join(" "));
    let _ = writeln!(
        text,
        "{} bytes, content hash {:016x}, abi {:016x}, compiler {}",
        header.file_bytes, header.content_hash, header.abi_fingerprint, artifact.manifest.compiler_version
    );
    let _ = writeln!(text, "text {} bytes, literals {} bytes", artifact.text.len(), artifact.literals.len());
    describe(&mut text, &artifact.manifest);
    if args.ir {
        for kernel in &artifact.manifest.kernels {
            let _ = write!(text, "\n{}", kernel.ir);
        }
    }
    if args.asm {
        let line = |file: u32, line: u32| {
            let sources = sources.as_ref()?;
            Some(sources.get(FileId(file))?.line(line).to_owned())
        };
        let _ = write!(text, "\n{}", disassemble_artifact(&artifact, line)?);
    }
    print(&text)
}

fn describe(text: &mut String, manifest: &Manifest) {
    for source in &manifest.sources {
        let options: Vec<String> = source.options.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        let _ = writeln!(text, "\nsource {} = {}({})", source.name, source.connector, options.join(", "));
    }
    for class in &manifest.classes {
        let _ = writeln!(text, "\nfeatures {} as {}", class.name, class.namespace);
        for (position, feature) in class.features.iter().enumerate() {
            let role = match position as u32 {
                position if position == class.primary_key => " primary",
                position if Some(position) == class.time => " time",
                _ if feature.is_expression => " expression",
                _ => "",
            };
            let _ = writeln!(text, "  {}: {}{role}", feature.fqn, feature.ty);
        }
    }
    for resolver in &manifest.resolvers {
        let class = &manifest.classes[resolver.class as usize];
        let _ = writeln!(
            text,
            "\nstream {} from {} to {}",
            resolver.name, manifest.sources[resolver.source as usize].name, class.name
        );
        match &resolver.input {
            MessageInput::Json(plan) => describe_plan(text, plan),
            MessageInput::Text => text.push_str("  message: text\n"),
            MessageInput::Bytes => text.push_str("  message: bytes\n"),
        }
        if let Some(prefilter) = resolver.prefilter {
            describe_kernel(text, &manifest.kernels[prefilter as usize]);
        }
        describe_kernel(text, &manifest.kernels[resolver.main as usize]);
        for output in &resolver.outputs {
            let _ = match output {
                ResolverOutput::Feature(feature) => writeln!(text, "    -> {}", class.features[*feature as usize].fqn),
                ResolverOutput::Expression(feature) => {
                    writeln!(text, "    -> {} (expression)", class.features[*feature as usize].fqn)
                }
                ResolverOutput::EventTime => writeln!(text, "    -> event time"),
                ResolverOutput::Event => writeln!(text, "    -> key or column of an event"),
            };
        }
    }
    state::describe(text, manifest);
    if !manifest.imports.is_empty() {
        text.push_str("\nimports\n");
        for import in &manifest.imports {
            let _ = writeln!(text, "  {import}");
        }
    }
}

fn describe_kernel(text: &mut String, kernel: &Kernel) {
    let _ = writeln!(text, "  kernel {}: {} bytes at {:#x}", kernel.symbol, kernel.size_bytes, kernel.text_offset);
    for input in &kernel.inputs {
        let _ = match input {
            KernelInput::Decoded(column) => writeln!(text, "    <- column {column}"),
            KernelInput::Feature(feature) => writeln!(text, "    <- feature {feature}"),
            KernelInput::Header(name) => writeln!(text, "    <- header {name:?}"),
            other => writeln!(text, "    <- {}", format!("{other:?}").to_lowercase()),
        };
    }
}

/// The wanted columns, and every declared field with what happens to it.
fn describe_plan(text: &mut String, plan: &DecodePlan) {
    let mode = if plan.strict { "strict" } else { "relaxed" };
    let _ = writeln!(text, "  message {} (JSON, {mode})", plan.root.name);
    for (position, column) in plan.columns.iter().enumerate() {
        let mut path = Vec::new();
        let mut message = Some(&plan.root);
        for &field in &column.path {
            let Some(fields) = message else { break };
            let field: &FieldPlan = &fields.fields[field as usize];
            path.push(field.name.as_str());
            message = field.message.as_deref();
        }
        let what = match column.wanted {
            Wanted::Value => "",
            Wanted::Presence => " is there",
        };
        let path = if path.is_empty() { "the whole message".to_owned() } else { path.join(".") };
        let _ = writeln!(text, "    column {position}: {path}{what}: {}", column.ty);
    }
    let mut skipped = Vec::new();
    collect_skipped(&plan.root, &mut Vec::new(), plan, &mut skipped);
    if !skipped.is_empty() {
        let _ = writeln!(text, "    skipped: {}", skipped.join(", "));
    }
}

/// Declared fields that no column reads.
fn collect_skipped(message: &MessagePlan, path: &mut Vec<u32>, plan: &DecodePlan, skipped: &mut Vec<String>) {
    for (position, field) in message.fields.iter().enumerate() {
        path.push(position as u32);
        let is_read = plan.columns.iter().any(|column| path.starts_with(&column.path));
        let leads_on = plan.columns.iter().any(|column| column.path.starts_with(path));
        match &field.message {
            Some(inner) if leads_on && !is_read => collect_skipped(inner, path, plan, skipped),
            _ if is_read => {}
            _ => skipped.push(name_of(&plan.root, path)),
        }
        path.pop();
    }
}

fn name_of(root: &MessagePlan, path: &[u32]) -> String {
    let mut names = Vec::new();
    let mut message = Some(root);
    for &field in path {
        let Some(fields) = message else { break };
        names.push(fields.fields[field as usize].name.as_str());
        message = fields.fields[field as usize].message.as_deref();
    }
    names.join(".")
}
