//! What code is made for: the triple and the instruction-set level, stated and never taken from the machine that compiles.
//!
//! A level is a list of features that the loader compares with the host. Below x86-64-v2 Cranelift would call library
//! functions for rounding, which a kernel cannot, so that is the floor.
//!
//! This file must not know code.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cranelift_codegen::isa::{self, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use target_lexicon::{Architecture, Triple};

use crate::CodegenError;

/// A triple with a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `x86_64-unknown-linux-gnu` with SSE4.2 and POPCNT.
    X86_64V2,
    /// The same with AVX2, BMI and FMA: the default.
    X86_64V3,
    /// `aarch64-unknown-linux-gnu`
    Aarch64,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::X86_64V2, Target::X86_64V3, Target::Aarch64];

    /// What this machine runs best: the level it has, or none where it has none of ours.
    pub fn host() -> Option<Target> {
        let features = chalk_artifact::file::host_features();
        Target::ALL
            .into_iter()
            .rev()
            .find(|target| target.architecture() == std::env::consts::ARCH && target.features() & !features == 0)
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Target::X86_64V2 => "x86_64-v2",
            Target::X86_64V3 => "x86_64",
            Target::Aarch64 => "aarch64",
        }
    }

    /// The triple that an artifact states.
    pub fn triple(self) -> &'static str {
        match self {
            Target::X86_64V2 | Target::X86_64V3 => "x86_64-unknown-linux-gnu",
            Target::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    fn architecture(self) -> &'static str {
        match self {
            Target::X86_64V2 | Target::X86_64V3 => "x86_64",
            Target::Aarch64 => "aarch64",
        }
    }

    /// What the processor must have, as the bits of `chalk_artifact::file::cpu`.
    pub fn features(self) -> u64 {
        match self {
            Target::X86_64V2 => chalk_artifact::file::cpu::X86_64_V2,
            Target::X86_64V3 => chalk_artifact::file::cpu::X86_64_V3,
            Target::Aarch64 => 0,
        }
    }

    /// The back end for it.
    pub(crate) fn isa(self) -> Result<Arc<dyn TargetIsa>, CodegenError> {
        let mut flags = settings::builder();
        let mut set = |name: &str, value: &str| {
            flags.set(name, value).map_err(|error| CodegenError::new(format!("setting `{name}`: {error}")))
        };
        set("opt_level", "speed")?;
        // Kernels refer to nothing by address, so they run anywhere; cranelift-jit insists on this setting.
        set("is_pic", "false")?;
        set("preserve_frame_pointers", "true")?;
        set("unwind_info", "false")?;
        set("enable_probestack", "false")?;
        set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" })?;
        let triple = Triple::from_str(self.triple())
            .map_err(|error| CodegenError::new(format!("target `{}`: {error}", self.triple())))?;
        debug_assert!(matches!(triple.architecture, Architecture::X86_64 | Architecture::Aarch64(_)));
        let mut builder =
            isa::lookup(triple).map_err(|error| CodegenError::new(format!("target `{self}`: {error}")))?;
        let preset = match self {
            Target::X86_64V2 => Some("x86-64-v2"),
            Target::X86_64V3 => Some("x86-64-v3"),
            Target::Aarch64 => None,
        };
        if let Some(preset) = preset {
            builder.enable(preset).map_err(|error| CodegenError::new(format!("level `{preset}`: {error}")))?;
            if preset == "x86-64-v3" {
                builder.enable("has_avx").map_err(|error| CodegenError::new(format!("AVX: {error}")))?;
            }
        }
        builder
            .finish(settings::Flags::new(flags))
            .map_err(|error| CodegenError::new(format!("target `{self}`: {error}")))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Target {
    type Err = CodegenError;

    fn from_str(name: &str) -> Result<Target, CodegenError> {
        let found = Target::ALL.into_iter().find(|target| target.name() == name);
        let by_triple = || match name {
            "x86_64-v3" | "x86_64-unknown-linux-gnu" => Some(Target::X86_64V3),
            "aarch64-unknown-linux-gnu" => Some(Target::Aarch64),
            _ => None,
        };
        found.or_else(by_triple).ok_or_else(|| {
            CodegenError::new(format!("no target `{name}`; known are x86_64-v2, x86_64 (the default) and aarch64"))
        })
    }
}
