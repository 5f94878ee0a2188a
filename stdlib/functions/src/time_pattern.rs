//! Patterns of dates and times: strftime's (`%Y-%m-%d`) and Joda's (`yyyy-MM-dd`), read into one form.
//!
//! A pattern with a `%` is strftime's, any other Joda's. Both become the same list of items, which reads and prints.
//!
//! This file must not know functions.

use crate::calendar::{DAY_US, day_of, day_of_year, days_in_month, days_of, iso_week, weekday};
use crate::iso::{fraction_us, offset_part};
use crate::zone::{Zone, offset_text};

/// A pattern, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
enum Item {
    Literal(String),
    Number { field: Field, width: usize, pad: Pad },
    Fraction { digits: usize },
    MonthName { short: bool },
    WeekdayName { short: bool },
    AmPm,
    Offset { colon: bool },
    ZoneAbbreviation,
    ZoneName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pad {
    Zero,
    Space,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Year,
    YearOfCentury,
    WeekYear,
    Week,
    Month,
    Day,
    DayOfYear,
    /// Monday = 1 to Sunday = 7.
    Weekday,
    /// Sunday = 0 to Saturday = 6.
    WeekdayFromSunday,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    HourFrom1,
    /// 1 to 12.
    HalfDayHour,
    /// 0 to 11.
    HalfDayHourFrom0,
    Minute,
    Second,
    UnixSeconds,
}

impl Field {
    /// Most digits that are read.
    fn max_digits(self) -> usize {
        match self {
            Field::Year | Field::WeekYear => 4,
            Field::DayOfYear => 3,
            Field::Weekday | Field::WeekdayFromSunday => 1,
            Field::UnixSeconds => 12,
            _ => 2,
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A date and time as read, part by part.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    year: Option<i64>,
    week_year: Option<i64>,
    week: Option<i64>,
    weekday: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<i64>,
    hour: i64,
    half_day_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    fraction_us: i64,
    offset_us: Option<i64>,
    zone: Option<Zone>,
    unix_seconds: Option<i64>,
}

impl Pattern {
    /// Reads a pattern of either kind.
    pub(crate) fn parse(text: &str) -> Result<Pattern, String> {
        let items = if text.contains('%') { strftime(text)? } else { joda(text)? };
        Ok(Pattern { items })
    }

    fn has(&self, wanted: impl Fn(&Item) -> bool) -> bool {
        self.items.iter().any(wanted)
    }

    fn has_field(&self, wanted: Field) -> bool {
        self.has(|item| matches!(item, Item::Number { field, .. } if *field == wanted))
    }

    /// Whether what it reads says its own offset from UTC.
    pub(crate) fn has_offset(&self) -> bool {
        self.has_field(Field::UnixSeconds)
            || self.has(|item| matches!(item, Item::Offset { .. } | Item::ZoneAbbreviation | Item::ZoneName))
    }

    /// Whether a moment can be read by it: it needs a year at least.
    pub(crate) fn check_reads(&self) -> Result<(), String> {
        let fields = [Field::Year, Field::YearOfCentury, Field::WeekYear, Field::UnixSeconds];
        if fields.into_iter().any(|field| self.has_field(field)) {
            Ok(())
        } else {
            Err("the format has no year".to_owned())
        }
    }

    /// Reads a text; a time without an offset is local to `zone`. The error ends the sentence "`text` …".
    pub(crate) fn read(&self, text: &str, zone: Option<Zone>) -> Result<i64, &'static str> {
        const MISMATCH: &str = "does not match the format";
        let mut parts = Parts::default();
        let mut rest = text.as_bytes();
        for (index, item) in self.items.iter().enumerate() {
            let next_is_digits = matches!(self.items.get(index + 1), Some(Item::Number { .. } | Item::Fraction { .. }));
            read_item(item, &mut rest, next_is_digits, &mut parts).ok_or(MISMATCH)?;
        }
        if !rest.is_empty() {
            return Err(MISMATCH);
        }
        parts.moment(zone)
    }

    /// Prints a moment in a zone; none beyond the years that zones are known for.
    pub(crate) fn print(&self, utc_us: i64, zone: Zone, out: &mut impl std::fmt::Write) -> Option<()> {
        let offset_us = zone.offset_us(utc_us)?;
        let local_us = utc_us.checked_add(offset_us)?;
        let days = local_us.div_euclid(DAY_US);
        let time_us = local_us.rem_euclid(DAY_US);
        let date = day_of(days);
        let (hour, minute, second) = (time_us / 3_600_000_000, time_us / 60_000_000 % 60, time_us / 1_000_000 % 60);
        for item in &self.items {
            // Writing to text does not fail.
            let _ = match item {
                Item::Literal(text) => out.write_str(text),
                Item::Number { field, width, pad } => {
                    let value = match field {
                        Field::Year => date.year,
                        Field::YearOfCentury => date.year.rem_euclid(100),
                        Field::WeekYear => iso_week(days).0,
                        Field::Week => iso_week(days).1,
                        Field::Month => i64::from(date.month),
                        Field::Day => i64::from(date.day),
                        Field::DayOfYear => day_of_year(days),
                        Field::Weekday => weekday(days),
                        Field::WeekdayFromSunday => weekday(days) % 7,
                        Field::Hour => hour,
                        Field::HourFrom1 => {
                            if hour == 0 {
                                24
                            } else {
                                hour
                            }
                        }
                        Field::HalfDayHour => (hour + 11) % 12 + 1,
                        Field::HalfDayHourFrom0 => hour % 12,
                        Field::Minute => minute,
                        Field::Second => second,
                        Field::UnixSeconds => utc_us.div_euclid(1_000_000),
                    };
                    match pad {
                        Pad::Zero if value < 0 => write!(out, "-{:0>width$}", value.unsigned_abs()),
                        Pad::Zero => write!(out, "{value:0>width$}"),
                        Pad::Space => write!(out, "{value:>width$}"),
                    }
                }
                Item::Fraction { digits } => {
                    let text = format!("{:06}000", time_us % 1_000_000);
                    out.write_str(&text[..*digits])
                }
                Item::MonthName { short } => {
                    let name = MONTHS[date.month as usize - 1];
                    out.write_str(if *short { &name[..3] } else { name })
                }
                Item::WeekdayName { short } => {
                    let name = WEEKDAYS[weekday(days) as usize - 1];
                    out.write_str(if *short { &name[..3] } else { name })
                }
                Item::AmPm => out.write_str(if hour < 12 { "AM" } else { "PM" }),
                Item::Offset { colon } => out.write_str(&offset_text(offset_us, *colon)),
                Item::ZoneAbbreviation => out.write_str(&zone.abbreviation(utc_us)),
                Item::ZoneName => out.write_str(&zone.name()),
            };
        }
        Some(())
    }
}

/// Takes one item off the front of a text.
fn read_item(item: &Item, rest: &mut &[u8], next_is_digits: bool, parts: &mut Parts) -> Option<()> {
    match item {
        Item::Literal(text) => *rest = rest.strip_prefix(text.as_bytes())?,
        Item::Number { field, width, pad } => {
            if *pad == Pad::Space {
                while let [b' ', after @ ..] = *rest {
                    *rest = after;
                }
            }
            let negative = *field == Field::UnixSeconds && rest.first() == Some(&b'-');
            *rest = &rest[usize::from(negative)..];
            // Digits run together only where each field has its width.
            let most = if next_is_digits { (*width).max(1) } else { field.max_digits().max(*width) };
            let count = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
            if count == 0 {
                return None;
            }
            let (digits, after) = rest.split_at(count);
            *rest = after;
            let value = digits
                .iter()
                .try_fold(0i64, |value, digit| value.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
            set_field(*field, if negative { -value } else { value }, parts)?;
        }
        Item::Fraction { digits } => {
            if next_is_digits {
                let (mut own, after) = rest.split_at_checked(*digits)?;
                *rest = after;
                parts.fraction_us = fraction_us(&mut own)?;
                if !own.is_empty() {
                    return None;
                }
            } else {
                parts.fraction_us = fraction_us(rest)?;
            }
        }
        Item::MonthName { short } => parts.month = Some(read_name(rest, &MONTHS, *short)? as u32 + 1),
        Item::WeekdayName { short } => parts.weekday = Some(read_name(rest, &WEEKDAYS, *short)? as i64 + 1),
        Item::AmPm => parts.afternoon = Some(read_name(rest, &["AM", "PM"], false)? == 1),
        Item::Offset { .. } => parts.offset_us = Some(offset_part(rest)?),
        Item::ZoneAbbreviation | Item::ZoneName => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'+' | b'-' | b':');
            let (name, after) = rest.split_at(rest.iter().take_while(|byte| is_part(byte)).count());
            *rest = after;
            parts.zone = Some(Zone::parse(std::str::from_utf8(name).ok()?).ok()?);
        }
    }
    Some(())
}

/// Takes one of the names off the front, whatever its case: its position. A full name is taken where a short one is wanted too.
fn read_name(rest: &mut &[u8], names: &[&str], short: bool) -> Option<usize> {
    let starts = |name: &[u8], rest: &[u8]| rest.len() >= name.len() && rest[..name.len()].eq_ignore_ascii_case(name);
    for (index, name) in names.iter().enumerate() {
        let lengths: &[usize] = if short { &[name.len(), 3] } else { &[name.len()] };
        for length in lengths {
            if starts(&name.as_bytes()[..*length], rest) {
                *rest = &rest[*length..];
                return Some(index);
            }
        }
    }
    None
}

fn set_field(field: Field, value: i64, parts: &mut Parts) -> Option<()> {
    let within = |low: i64, high: i64| (low..=high).contains(&value).then_some(value);
    match field {
        Field::Year => parts.year = Some(value),
        // As POSIX has it: 69 to 99 are of the twentieth century.
        Field::YearOfCentury => parts.year = Some(within(0, 99)? + if value >= 69 { 1900 } else { 2000 }),
        Field::WeekYear => parts.week_year = Some(value),
        Field::Week => parts.week = Some(within(1, 53)?),
        Field::Month => parts.month = Some(within(1, 12)? as u32),
        Field::Day => parts.day = Some(within(1, 31)? as u32),
        Field::DayOfYear => parts.day_of_year = Some(within(1, 366)?),
        Field::Weekday => parts.weekday = Some(within(1, 7)?),
        Field::WeekdayFromSunday => parts.weekday = Some((within(0, 6)? + 6) % 7 + 1),
        Field::Hour => parts.hour = within(0, 23)?,
        Field::HourFrom1 => parts.hour = within(1, 24)? % 24,
        Field::HalfDayHour => parts.half_day_hour = Some(within(1, 12)? % 12),
        Field::HalfDayHourFrom0 => parts.half_day_hour = Some(within(0, 11)?),
        Field::Minute => parts.minute = within(0, 59)?,
        Field::Second => parts.second = within(0, 59)?,
        Field::UnixSeconds => parts.unix_seconds = Some(value),
    }
    Some(())
}

impl Parts {
    fn moment(&self, zone: Option<Zone>) -> Result<i64, &'static str> {
        const OUT_OF_RANGE: &str = "is out of range";
        if let Some(seconds) = self.unix_seconds {
            let us = seconds.checked_mul(1_000_000).and_then(|us| us.checked_add(self.fraction_us));
            return us.ok_or(OUT_OF_RANGE);
        }
        let days = self.days().ok_or("is no day of the calendar")?;
        let hour = match (self.half_day_hour, self.afternoon) {
            (Some(hour), afternoon) => hour + if afternoon == Some(true) { 12 } else { 0 },
            (None, _) => self.hour,
        };
        let seconds = (hour * 60 + self.minute) * 60 + self.second;
        let local_us = days * DAY_US + seconds * 1_000_000 + self.fraction_us;
        if let Some(offset_us) = self.offset_us {
            return Ok(local_us - offset_us);
        }
        let zone = self.zone.or(zone).ok_or("has no offset from UTC, and no `tz` is given")?;
        zone.to_utc(local_us).ok_or("is a time that clocks of its zone skip")
    }

    fn days(&self) -> Option<i64> {
        if let (Some(year), None) = (self.week_year, self.year) {
            // Week 1 holds the 4th of January.
            let fourth = days_of(year, 1, 4);
            return Some(fourth - weekday(fourth) + (self.week.unwrap_or(1) - 1) * 7 + self.weekday.unwrap_or(1));
        }
        let year = self.year?;
        if let Some(day_of_year) = self.day_of_year {
            let days = days_of(year, 1, 1) + day_of_year - 1;
            return (day_of(days).year == year).then_some(days);
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        (day <= days_in_month(year, month)).then(|| days_of(year, month, day))
    }
}

fn number(field: Field, width: usize) -> Item {
    Item::Number { field, width, pad: Pad::Zero }
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Literal(before)) => before.push_str(text),
        _ => items.push(Item::Literal(text.to_owned())),
    }
}

fn strftime(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            push_literal(&mut items, c.encode_utf8(&mut [0; 4]));
            continue;
        }
        let mut directive = rest.next();
        // `%-d`: without padding.
        let unpadded = directive == Some('-');
        if unpadded {
            directive = rest.next();
        }
        let expand = |items: &mut Vec<Item>, text: &str| strftime(text).map(|more| items.extend(more));
        match directive {
            Some('Y') => items.push(number(Field::Year, 4)),
            Some('y') => items.push(number(Field::YearOfCentury, 2)),
            Some('G') => items.push(number(Field::WeekYear, 4)),
            Some('V') => items.push(number(Field::Week, 2)),
            Some('m') => items.push(number(Field::Month, 2)),
            Some('d') => items.push(number(Field::Day, 2)),
            Some('e') => items.push(Item::Number { field: Field::Day, width: 2, pad: Pad::Space }),
            Some('j') => items.push(number(Field::DayOfYear, 3)),
            Some('u') => items.push(number(Field::Weekday, 1)),
            Some('w') => items.push(number(Field::WeekdayFromSunday, 1)),
            Some('H') => items.push(number(Field::Hour, 2)),
            Some('I') => items.push(number(Field::HalfDayHour, 2)),
            Some('M') => items.push(number(Field::Minute, 2)),
            Some('S') => items.push(number(Field::Second, 2)),
            Some('s') => items.push(number(Field::UnixSeconds, 1)),
            Some('f') => items.push(Item::Fraction { digits: 6 }),
            Some(digit @ ('3' | '6' | '9')) if rest.as_str().starts_with('f') => {
                rest.next();
                items.push(Item::Fraction { digits: digit as usize - '0' as usize });
            }
            Some('B') => items.push(Item::MonthName { short: false }),
            Some('b' | 'h') => items.push(Item::MonthName { short: true }),
            Some('A') => items.push(Item::WeekdayName { short: false }),
            Some('a') => items.push(Item::WeekdayName { short: true }),
            Some('p') => items.push(Item::AmPm),
            Some('z') => items.push(Item::Offset { colon: false }),
            Some(':') if rest.as_str().starts_with('z') => {
                rest.next();
                items.push(Item::Offset { colon: true });
            }
            Some('Z') => items.push(Item::ZoneAbbreviation),
            Some('F') => expand(&mut items, "%Y-%m-%d")?,
            Some('T') => expand(&mut items, "%H:%M:%S")?,
            Some('D') => expand(&mut items, "%m/%d/%y")?,
            Some('R') => expand(&mut items, "%H:%M")?,
            Some('n') => push_literal(&mut items, "\n"),
            Some('t') => push_literal(&mut items, "\t"),
            Some('%') => push_literal(&mut items, "%"),
            Some(other) => return Err(format!("unknown directive `%{other}` in the format")),
            None => return Err("the format ends in `%`".to_owned()),
        }
        if unpadded && let Some(Item::Number { width, .. }) = items.last_mut() {
            *width = 1;
        }
    }
    Ok(items)
}

fn joda(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("''") {
            push_literal(&mut items, "'");
            rest = after;
            continue;
        }
        if c == '\'' {
            rest = &rest[1..];
            loop {
                let end = rest.find('\'').ok_or("the format has an unclosed quote")?;
                push_literal(&mut items, &rest[..end]);
                rest = &rest[end + 1..];
                // Two quotes are one, also inside of quotes.
                match rest.strip_prefix('\'') {
                    Some(after) => {
                        push_literal(&mut items, "'");
                        rest = after;
                    }
                    None => break,
                }
            }
            continue;
        }
        if !c.is_ascii_alphabetic() {
            push_literal(&mut items, c.encode_utf8(&mut [0; 4]));
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let count = rest.chars().take_while(|next| *next == c).count();
        rest = &rest[count..];
        items.push(match (c, count) {
            ('y' | 'Y' | 'u', 2) => number(Field::YearOfCentury, 2),
            ('y' | 'Y' | 'u', _) => number(Field::Year, count.min(9)),
            ('x', _) => number(Field::WeekYear, count.min(9)),
            ('w', _) => number(Field::Week, count),
            ('e', _) => number(Field::Weekday, count),
            ('E', 1..=3) => Item::WeekdayName { short: true },
            ('E', _) => Item::WeekdayName { short: false },
            ('D', _) => number(Field::DayOfYear, count),
            ('M', 1 | 2) => number(Field::Month, count),
            ('M', 3) => Item::MonthName { short: true },
            ('M', _) => Item::MonthName { short: false },
            ('d', _) => number(Field::Day, count),
            ('a', _) => Item::AmPm,
            ('H', _) => number(Field::Hour, count),
            ('k', _) => number(Field::HourFrom1, count),
            ('h', _) => number(Field::HalfDayHour, count),
            ('K', _) => number(Field::HalfDayHourFrom0, count),
            ('m', _) => number(Field::Minute, count),
            ('s', _) => number(Field::Second, count),
            ('S', 1..=9) => Item::Fraction { digits: count },
            ('z', _) => Item::ZoneAbbreviation,
            ('Z', 1) => Item::Offset { colon: false },
            ('Z', 2) => Item::Offset { colon: true },
            ('Z', _) => Item::ZoneName,
            _ => {
                let letters = c.to_string().repeat(count);
                return Err(format!("unknown letters `{letters}` in the format; text is written in 'single quotes'"));
            }
        });
        // A number that fills a line is no date.
        if count > 32 {
            return Err("the format repeats a letter too often".to_owned());
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chalk_types::format_datetime;

    fn read(pattern: &str, text: &str) -> Result<String, &'static str> {
        let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        pattern.read(text, Some(Zone::Fixed(0))).map(format_datetime)
    }

    fn print(pattern: &str, us: i64, zone: &str) -> String {
        let mut text = String::new();
        let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        pattern.print(us, Zone::parse(zone).expect("a zone"), &mut text).expect("in range");
        text
    }

    #[test]
    fn both_kinds_of_pattern_read() {
        for (pattern, text, expected) in [
            ("yyyy-MM-dd HH:mm:ss", "2024-09-17 12:34:56", "2024-09-17T12:34:56Z"),
            ("%Y-%m-%d %H:%M:%S", "2024-09-17 12:34:56", "2024-09-17T12:34:56Z"),
            ("yyyyMMddHHmmssSSS", "20240917123456789", "2024-09-17T12:34:56.789Z"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2024-09-17T12:34:56.789+0200", "2024-09-17T10:34:56.789Z"),
            ("%Y-%m-%dT%H:%M:%S.%f%z", "2024-09-17T12:34:56.5-01:30", "2024-09-17T14:04:56.5Z"),
            ("d MMM yyyy", "7 Sep 2024", "2024-09-07T00:00:00Z"),
            ("EEEE, d. MMMM yyyy", "Tuesday, 17. September 2024", "2024-09-17T00:00:00Z"),
            ("%d/%b/%Y:%I:%M %p", "17/SEP/2024:01:05 pm", "2024-09-17T13:05:00Z"),
            ("%y%m%d", "690102", "1969-01-02T00:00:00Z"),
            ("%y%m%d", "680102", "2068-01-02T00:00:00Z"),
            ("%Y %j", "2024 366", "2024-12-31T00:00:00Z"),
            ("xxxx-'W'ww-e", "2024-W38-2", "2024-09-17T00:00:00Z"),
            ("%s", "-1", "1969-12-31T23:59:59Z"),
            ("yyyy-MM-dd HH:mm ZZZ", "2024-07-01 12:00 Europe/Zurich", "2024-07-01T10:00:00Z"),
            ("%Y", "2024", "2024-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(pattern, text), Ok(expected.to_owned()), "{pattern} of {text}");
        }
    }

    #[test]
    fn what_does_not_match_is_refused() {
        for (pattern, text) in [
            ("yyyy-MM-dd", "2024-13-01"),
            ("yyyy-MM-dd", "2024-02-30"),
            ("yyyy-MM-dd", "2024-02-01x"),
            ("yyyy-MM-dd", ""),
            ("%Y %j", "2023 366"),
            ("HH:mm yyyy", "24:00 2024"),
            ("MMM yyyy", "Sap 2024"),
            ("%Y-%m-%d", "२०२४-०१-०१"),
        ] {
            assert!(read(pattern, text).is_err(), "{pattern} of {text}");
        }
        for pattern in ["%Q", "%", "yyyy-MM-ddTHH", "yyyy 'x", "qq"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn both_kinds_of_pattern_print() {
        let us = 1_726_576_496_789_012;
        for (pattern, zone, expected) in [
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "UTC", "2024-09-17T12:34:56.789+00:00"),
            ("%Y-%m-%d %H:%M:%S.%f %z", "UTC", "2024-09-17 12:34:56.789012 +0000"),
            ("%A %-d %B %Y, %I:%M %p %Z", "America/New_York", "Tuesday 17 September 2024, 08:34 AM EDT"),
            ("EEE d MMM yy h:mm a z ZZZ", "Europe/Zurich", "Tue 17 Sep 24 2:34 PM CEST Europe/Zurich"),
            ("%G-W%V-%u %j %e %s %%", "UTC", "2024-W38-2 261 17 1726576496 %"),
            ("HH 'o''clock'", "+05:30", "18 o'clock"),
        ] {
            assert_eq!(print(pattern, us, zone), expected, "{pattern}");
        }
    }
}
