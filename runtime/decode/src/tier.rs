//! Which implementation decodes: chosen once at start, forceable so that each can be tested.
//!
//! This file must not know what the implementations do.

use std::fmt;

/// The environment variable that forces a tier.
pub const TIER_VARIABLE: &str = "CHALK_DECODE";

/// An implementation. All of them give the same columns and the same errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The plain full-grammar parser that defines the meaning.
    Scalar,
    /// The fast tiers over 64-bit words: every processor.
    Portable,
    /// The fast tiers over AVX2.
    Avx2,
    /// The fast tiers over AVX-512 (BW, VL, VBMI2).
    Avx512,
}

/// A tier that was asked for and cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TierError {
    /// No tier has this name.
    Unknown(String),
    /// The processor cannot run it.
    Unavailable(Tier),
}

impl fmt::Display for TierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TierError::Unknown(name) => {
                write!(f, "{TIER_VARIABLE}=`{name}` names no decoder; choose scalar, portable, avx2, avx512 or auto")
            }
            TierError::Unavailable(tier) => {
                write!(
                    f,
                    "{TIER_VARIABLE}=`{tier}` asks for instructions that this processor lacks; auto takes the best it has"
                )
            }
        }
    }
}

impl std::error::Error for TierError {}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::Scalar => "scalar",
            Tier::Portable => "portable",
            Tier::Avx2 => "avx2",
            Tier::Avx512 => "avx512",
        })
    }
}

impl Tier {
    /// Every tier, slowest first.
    pub const ALL: [Tier; 4] = [Tier::Scalar, Tier::Portable, Tier::Avx2, Tier::Avx512];

    /// Whether this processor can run it.
    pub fn is_available(self) -> bool {
        match self {
            Tier::Scalar | Tier::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")
            }
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512 => {
                Tier::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi2")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Tier::Avx2 | Tier::Avx512 => false,
        }
    }

    /// The best tier of this processor.
    pub fn best() -> Tier {
        Tier::ALL.into_iter().rev().find(|tier| tier.is_available()).unwrap_or(Tier::Scalar)
    }

    /// The tier that the environment asks for, else the best.
    pub fn detect() -> Result<Tier, TierError> {
        match std::env::var(TIER_VARIABLE) {
            Ok(name) => Tier::from_name(&name),
            Err(std::env::VarError::NotPresent) => Ok(Tier::best()),
            Err(std::env::VarError::NotUnicode(name)) => Err(TierError::Unknown(name.to_string_lossy().into_owned())),
        }
    }

    /// The tier of that name; `auto` and nothing mean the best.
    pub fn from_name(name: &str) -> Result<Tier, TierError> {
        if name.is_empty() || name == "auto" {
            return Ok(Tier::best());
        }
        let tier = Tier::ALL
            .into_iter()
            .find(|tier| tier.to_string() == name)
            .ok_or_else(|| TierError::Unknown(name.to_owned()))?;
        if tier.is_available() { Ok(tier) } else { Err(TierError::Unavailable(tier)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_taken_by_name_or_refused_with_advice() {
        assert_eq!(Tier::from_name("scalar"), Ok(Tier::Scalar));
        assert_eq!(Tier::from_name("auto"), Ok(Tier::best()));
        let error = Tier::from_name("sse9").unwrap_err();
        assert_eq!(
            error.to_string(),
            "CHALK_DECODE=`sse9` names no decoder; choose scalar, portable, avx2, avx512 or auto"
        );
        for tier in Tier::ALL {
            match Tier::from_name(&tier.to_string()) {
                Ok(found) => assert_eq!(found, tier),
                Err(error) => assert_eq!(error, TierError::Unavailable(tier)),
            }
        }
    }
}
