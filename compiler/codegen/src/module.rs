//! A compiled program: from the checked form through all stages, and out as an artifact or as callable code.
//!
//! This file must not know how a stage works.

use std::ops::Range;
use std::sync::Arc;

use chalk_artifact::file::{self, Contents, SourceRange};
use chalk_artifact::image::CodeImage;
use chalk_artifact::manifest::{self, ExpressionPlan, Manifest, MessageInput, Resolver};
use chalk_catalog::Catalog;
use chalk_diagnostics::SourceMap;
use chalk_hir::program::{self, Program};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::FunctionBuilderContext;

use crate::backend::{self, Text};
use crate::build::ExpressionKernel;
use crate::ir::Kernel;
use crate::tables::Tables;
use crate::{CodegenError, Target, build, jit, lower, plan};

/// What code is made for.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompileOptions {
    /// The target; none = this machine, at the best level it has.
    pub target: Option<Target>,
}

impl CompileOptions {
    /// For this machine.
    pub fn host() -> CompileOptions {
        CompileOptions { target: None }
    }

    /// For a target.
    pub fn for_target(target: Target) -> CompileOptions {
        CompileOptions { target: Some(target) }
    }
}

/// A compiled program.
pub struct Module {
    target: Target,
    isa: Arc<dyn TargetIsa>,
    manifest: Manifest,
    source_map: file::SourceMap,
    text: Vec<u8>,
    literals: Vec<u8>,
}

/// Compiles a program that was checked without errors.
pub fn compile(
    program: &Program,
    sources: &SourceMap,
    catalog: &Catalog,
    options: &CompileOptions,
) -> Result<Module, CodegenError> {
    let target = match options.target {
        Some(target) => target,
        None => Target::host().ok_or_else(|| {
            CodegenError::new(
                "this machine is no target: an x86-64 processor from 2009 on (x86-64-v2) or an aarch64 one is needed",
            )
        })?,
    };
    let isa = target.isa()?;
    let mut tables = Tables::default();
    let mut kernels: Vec<Kernel> = Vec::new();
    let mut manifest = Manifest {
        compiler_version: env!("CARGO_PKG_VERSION").to_owned(),
        files: sources.files().map(|(_, file)| file.path().to_owned()).collect(),
        sources: program.sources.iter().map(crate::manifest::source).collect(),
        classes: program.classes.iter().map(|class| crate::manifest::class(program, class)).collect(),
        ..Manifest::default()
    };
    let mut add = |kernel: Kernel| {
        kernels.push(kernel);
        kernels.len() as u32 - 1
    };
    manifest.aggregations = crate::manifest::aggregations(program, sources);
    for resolver in &program.resolvers {
        let prefilter = build::prefilter(program, catalog, &mut tables, resolver).map(&mut add);
        let mut main = build::main(program, catalog, &mut tables, resolver);
        let input = match resolver.input {
            program::MessageInput::Json(message) => {
                MessageInput::Json(plan::of_kernel(program, message, &mut main.kernel, &main.columns))
            }
            program::MessageInput::Text => MessageInput::Text,
            program::MessageInput::Bytes => MessageInput::Bytes,
        };
        let mut close = |close: &program::WindowClose| {
            let (kernel, outputs) = build::close(program, catalog, &mut tables, resolver, close);
            manifest::WindowClose { window_us: close.window_us, kernel: add(kernel), outputs }
        };
        let window = resolver.window.as_ref().map(|window| manifest::WindowedResolver {
            aggregation: window.aggregation as u32,
            closes: window.closes.iter().map(&mut close).collect(),
            sql: window.sql.as_ref().map(crate::manifest::sql),
        });
        manifest.resolvers.push(Resolver {
            name: resolver.name.clone(),
            source: resolver.source as u32,
            class: resolver.class as u32,
            input,
            prefilter,
            main: add(main.kernel),
            outputs: main.outputs,
            dedup: resolver.dedup.as_ref().map(crate::manifest::dedup),
            feeds: main.feeds,
            window,
            environments: resolver.environments.clone(),
            skip_online: resolver.skip_online,
            skip_offline: resolver.skip_offline,
        });
    }
    for (class, described) in program.classes.iter().zip(&mut manifest.classes) {
        if let Some(built) = build::expressions(program, catalog, &mut tables, class) {
            let ExpressionKernel { kernel, outputs, reads, links } = built;
            described.expressions = Some(ExpressionPlan { kernel: add(kernel), outputs, reads });
            described.links = links;
        }
    }

    let mut scratch = FunctionBuilderContext::new();
    let mut lowered = Vec::new();
    // Per kernel its functions: the kernel itself, and the parts of a long one.
    let mut functions: Vec<Range<usize>> = Vec::new();
    for kernel in &kernels {
        let first = lowered.len();
        lowered.extend(lower::lower(kernel, first as u32, isa.as_ref(), &mut tables, &mut scratch));
        functions.push(first..lowered.len());
    }
    let text = backend::compile(&isa, lowered)?;
    let placed = |range: &Range<usize>| &text.functions[range.clone()];
    manifest.kernels = kernels.iter().zip(&functions).map(|(kernel, range)| describe(kernel, placed(range))).collect();
    manifest.decode_plans = std::mem::take(&mut tables.decode_plans).into_iter().map(|(_, plan)| plan).collect();
    manifest.types = tables.types.items().to_vec();
    manifest.imports = tables.imports.items().to_vec();
    manifest.sites = tables.manifest_sites(sources);
    let source_map = source_map(&text, sources);
    Ok(Module { target, isa, manifest, source_map, text: text.bytes, literals: tables.literals.section() })
}

/// Parts lie behind their kernel, and count as its code.
fn describe(kernel: &Kernel, functions: &[backend::Placed]) -> manifest::Kernel {
    let start = functions.first().map_or(0, |first| first.offset);
    let end = functions.last().map_or(0, |last| last.offset + last.size_bytes);
    manifest::Kernel {
        symbol: kernel.symbol.clone(),
        text_offset: start,
        size_bytes: end - start,
        inputs: kernel.inputs.iter().map(|input| input.source.clone()).collect(),
        outputs: kernel.outputs.iter().map(|output| output.ty.clone()).collect(),
        ir: kernel.to_string(),
    }
}

/// Neighbouring pieces of one line are one range.
fn source_map(text: &Text, sources: &SourceMap) -> file::SourceMap {
    let mut ranges: file::SourceMap = Vec::new();
    for function in &text.functions {
        for (start, end, span) in &function.spans {
            let Some(source) = sources.get(span.file) else { continue };
            let line = source.line_of(span.start);
            let (start, end) = (function.offset as u32 + start, function.offset as u32 + end);
            match ranges.last_mut() {
                Some(last) if last.end == start && (last.file, last.line) == (span.file.0, line) => last.end = end,
                _ => ranges.push(SourceRange { start, end, file: span.file.0, line }),
            }
        }
    }
    ranges
}

impl Module {
    /// What the program says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it was compiled for.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The artifact's bytes; the same program gives the same ones.
    pub fn to_artifact(&self) -> Result<Vec<u8>, CodegenError> {
        file::write(&Contents {
            target: self.target.triple(),
            cpu_features: self.target.features(),
            manifest: &self.manifest,
            source_map: &self.source_map,
            text: &self.text,
            literals: &self.literals,
        })
        .map_err(|error| CodegenError::new(error.to_string()))
    }

    /// The code in this process, ready to be called.
    pub fn jit(&self) -> Result<CodeImage, CodegenError> {
        let host = Target::host();
        let runs = host.is_some_and(|host| {
            host.triple() == self.target.triple() && self.target.features() & !host.features() == 0
        });
        if !runs {
            return Err(CodegenError::new(format!("code for {} does not run on this machine", self.target)));
        }
        jit::map(&self.isa, &self.manifest, &self.text, &self.literals)
    }

    /// The column IR of all kernels.
    pub fn ir_text(&self) -> String {
        self.manifest.kernels.iter().map(|kernel| kernel.ir.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Assembly beside the source lines, as `chalkc inspect` shows it.
    pub fn disassembly(&self, sources: &SourceMap) -> Result<String, CodegenError> {
        let line = |file: u32, line: u32| {
            sources.get(chalk_diagnostics::FileId(file)).map(|source| source.line(line).to_owned())
        };
        crate::inspect::disassemble(self.isa.as_ref(), &self.manifest, &self.source_map, &self.text, line)
    }
}
