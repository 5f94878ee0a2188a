//! Time zones: from UTC to local time and back.
//!
//! This file must not know formats or functions.

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::iso::offset_part;

/// A time zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Zone {
    /// By its IANA name.
    Named(Tz),
    /// A fixed offset from UTC.
    Fixed(i64),
    /// `UTC`, by far the most frequent: it needs no table.
    Utc,
}

impl Zone {
    /// `Europe/Zurich`, `UTC` or `+01:00`.
    pub(crate) fn parse(name: &str) -> Result<Zone, String> {
        if name == "UTC" {
            return Ok(Zone::Utc);
        }
        if let Ok(zone) = name.parse::<Tz>() {
            return Ok(Zone::Named(zone));
        }
        let mut rest = name.as_bytes();
        match offset_part(&mut rest) {
            Some(offset_us) if rest.is_empty() => Ok(Zone::Fixed(offset_us)),
            _ => Err(format!("unknown time zone `{name}`: an IANA name such as `Europe/Zurich` is wanted")),
        }
    }

    /// How far local time is ahead of UTC at that moment; none beyond the years that zones are known for.
    pub(crate) fn offset_us(self, utc_us: i64) -> Option<i64> {
        match self {
            Zone::Utc => Some(0),
            Zone::Fixed(offset_us) => Some(offset_us),
            Zone::Named(zone) => {
                let utc = DateTime::from_timestamp_micros(utc_us)?.naive_utc();
                Some(i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * 1_000_000)
            }
        }
    }

    /// The moment at which clocks show that time: of two the earlier; none where clocks skip it.
    pub(crate) fn to_utc(self, local_us: i64) -> Option<i64> {
        match self {
            Zone::Utc => Some(local_us),
            Zone::Fixed(offset_us) => local_us.checked_sub(offset_us),
            Zone::Named(zone) => {
                let local = DateTime::from_timestamp_micros(local_us)?.naive_utc();
                match zone.offset_from_local_datetime(&local) {
                    MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                        local_us.checked_sub(i64::from(offset.fix().local_minus_utc()) * 1_000_000)
                    }
                    MappedLocalTime::None => None,
                }
            }
        }
    }

    /// What `z` prints: the abbreviation in use at that moment.
    pub(crate) fn abbreviation(self, utc_us: i64) -> String {
        match self {
            Zone::Utc => "UTC".to_owned(),
            Zone::Fixed(offset_us) => offset_text(offset_us, true),
            Zone::Named(zone) => DateTime::from_timestamp_micros(utc_us).map_or_else(
                || zone.name().to_owned(),
                |utc| zone.offset_from_utc_datetime(&utc.naive_utc()).to_string(),
            ),
        }
    }

    /// Its IANA name.
    pub(crate) fn name(self) -> String {
        match self {
            Zone::Utc => "UTC".to_owned(),
            Zone::Fixed(offset_us) => offset_text(offset_us, true),
            Zone::Named(zone) => zone.name().to_owned(),
        }
    }
}

/// `+01:00` or `+0100`.
pub(crate) fn offset_text(offset_us: i64, colon: bool) -> String {
    let minutes = offset_us.unsigned_abs() / 60_000_000;
    let sign = if offset_us < 0 { '-' } else { '+' };
    format!("{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    #[test]
    fn clocks_that_change() {
        let zurich = Zone::parse("Europe/Zurich").expect("known");
        // 2024-03-31: clocks go from 02:00 to 03:00; 2024-10-27: from 03:00 back to 02:00.
        let spring_us = 1_711_846_800_000_000;
        assert_eq!(zurich.offset_us(spring_us - 1), Some(HOUR_US));
        assert_eq!(zurich.offset_us(spring_us), Some(2 * HOUR_US));
        assert_eq!(zurich.to_utc(spring_us + HOUR_US + HOUR_US / 2), None, "02:30 does not exist");
        let autumn_us = 1_729_990_800_000_000;
        assert_eq!(zurich.to_utc(autumn_us + HOUR_US + 1), Some(autumn_us - HOUR_US + 1), "the earlier of two");
    }

    #[test]
    fn names_and_offsets() {
        assert_eq!(Zone::parse("-05:30"), Ok(Zone::Fixed(-19_800_000_000)));
        assert!(Zone::parse("Mars/Olympus").is_err() && Zone::parse("").is_err());
        assert_eq!(offset_text(-19_800_000_000, true), "-05:30");
    }
}
