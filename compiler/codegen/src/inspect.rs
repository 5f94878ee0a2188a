//! Assembly beside the source: for `chalkc inspect`.
//!
//! This file must not know how code was made; it works on an artifact as well as on a fresh module.

use std::fmt::Write as _;

use chalk_artifact::file::{ArtifactFile, SourceMap};
use chalk_artifact::manifest::Manifest;
use cranelift_codegen::isa::TargetIsa;

use crate::{CodegenError, Target};

/// The assembly of an artifact, with the lines it comes from; `source_line` gives the text of a line (file, line) where it is known.
pub fn disassemble_artifact(
    artifact: &ArtifactFile<'_>,
    source_line: impl Fn(u32, u32) -> Option<String>,
) -> Result<String, CodegenError> {
    let header = &artifact.header;
    let target = Target::ALL
        .into_iter()
        .find(|target| target.triple() == header.target && target.features() == header.cpu_features)
        .ok_or_else(|| CodegenError::new(format!("no target like {}", header.target)))?;
    let map = artifact.source_map().map_err(|error| CodegenError::new(error.to_string()))?;
    disassemble(target.isa()?.as_ref(), &artifact.manifest, &map, artifact.text, source_line)
}

pub(crate) fn disassemble(
    isa: &dyn TargetIsa,
    manifest: &Manifest,
    map: &SourceMap,
    text: &[u8],
    source_line: impl Fn(u32, u32) -> Option<String>,
) -> Result<String, CodegenError> {
    let failed = |error: &dyn std::fmt::Display| CodegenError::new(format!("code cannot be disassembled: {error}"));
    let mut reader = isa.to_capstone().map_err(|error| failed(&error))?;
    // Constants lie between instructions.
    reader.set_skipdata(true).map_err(|error| failed(&error))?;
    let mut out = String::new();
    for kernel in &manifest.kernels {
        let start = kernel.text_offset as usize;
        let code = text
            .get(start..start + kernel.size_bytes as usize)
            .ok_or_else(|| CodegenError::new(format!("kernel `{}` lies outside of the code", kernel.symbol)))?;
        let _ = writeln!(out, "{}: {} bytes", kernel.symbol, code.len());
        let mut shown = None;
        for instruction in reader.disasm_all(code, kernel.text_offset).map_err(|error| failed(&error))?.iter() {
            let at = instruction.address() as u32;
            let index = map.partition_point(|range| range.end <= at);
            let place = map.get(index).filter(|range| range.start <= at).map(|range| (range.file, range.line));
            if let Some((file, line)) = place
                && shown != place
            {
                let path = manifest.files.get(file as usize).map_or("?", String::as_str);
                let text = source_line(file, line).unwrap_or_default();
                let _ = writeln!(out, "                  ; {path}:{line}  {}", text.trim());
            }
            shown = place.or(shown);
            let (mnemonic, operands) = (instruction.mnemonic().unwrap_or(""), instruction.op_str().unwrap_or(""));
            let _ = writeln!(out, "  {at:8x}  {}", format!("{mnemonic:<8}{operands}").trim_end());
        }
        out.push('\n');
    }
    Ok(out)
}
