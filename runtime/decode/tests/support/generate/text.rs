//! The texts of single JSON values: strings with all that may stand in one, numbers at the edges of every type, times,
//! base64, and values that only look like one.

use std::io::Write as _;

use super::super::random::Random;

/// Numbers that are special to some type, and some that are none.
const NUMBERS: [&str; 47] = [
    "0",
    "-0",
    "-0.0",
    "0e0",
    "0.0e-5",
    "1.0",
    "10.00",
    "1e3",
    "1E+3",
    "120e-1",
    "127",
    "128",
    "-129",
    "255",
    "256",
    "65536",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9007199254740992.5",
    "999999999999999999",
    "1234567890123456789",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "16777217",
    "16777216.5",
    "8.000001430511474",
    "1.00000005960464477539",
    "8.5899346e9",
    "0.1",
    "0.000001",
    "0.30000001192092896",
    "1.1754943e-38",
    "3.4028236e38",
    "1.7976931348623157e308",
    "2.2250738585072011e-308",
    "5e-324",
    "1e-400",
    "1e22",
    "1e23",
    "-123456789.123456789",
    "0.12345678901234567",
];

const NO_NUMBERS: [&str; 16] =
    ["-", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "1.e5", "0x1", "1e400", "-1e400", "00", "1.5.5", "NaN", "1_000"];

/// Values that are no JSON, or not all of it.
const NO_VALUES: [&str; 12] =
    ["nul", "tru", "nulL", "truE", "falsE", "fals", "[", "{}}", "{\"a\"}", "[1,]", "'a'", "\u{feff}1"];

/// Escapes and raw bytes that no string may have.
const NO_STRINGS: [&[u8]; 32] = [
    b"\\ud800",
    b"\\ud800\\u0041",
    b"\\udc00",
    b"\\udfff",
    b"\\ud83d\\ud83d",
    b"\\ud83d\\udbff",
    b"\\ud83d\\ue000",
    b"\\ud83d\\n",
    b"\\ud83dx",
    b"\\x",
    b"\\u12g4",
    b"\\u12",
    b"\\",
    b"\n",
    b"\x1f",
    b"\x00",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x80",
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf5\x80\x80\x80",
    b"\xed\xbf\xbf",
    b"\xe2\x82\xff",
    b"\xc3\xa9\xa9",
    b"\xe2\x82",
    b"\xc3",
];

/// Appends a number, good for most types; once in `odd` times one that is special or none.
pub fn number_json(random: &mut Random, odd: usize, out: &mut Vec<u8>) {
    if random.once_in(odd) {
        let text = if random.once_in(3) { random.pick(&NO_NUMBERS) } else { random.pick(&NUMBERS) };
        return out.extend_from_slice(text.as_bytes());
    }
    let value = random.next() as i64 >> random.below(63);
    match random.below(12) {
        0 | 1 => out.extend_from_slice(random.pick(&NUMBERS).as_bytes()),
        2 => put(out, format_args!("{value}")),
        3 => {
            let bits = random.next() & !(0x7ff << 52) | ((1000 + random.next() % 50) << 52);
            put(out, format_args!("{}", f64::from_bits(bits)));
        }
        4 => put(out, format_args!("{value}e{}", random.below(8))),
        5 => put(out, format_args!("{}.{}E-{}", value >> 30, random.below(1000), random.below(30))),
        6 => digits_with_point(random, out),
        7 => {
            // Close to the middle between two `float32`s, where rounding twice is not rounding once.
            let below = f32::from_bits(0x4000_0000 + (random.next() as u32 & 0xff_ffff));
            let middle = (f64::from(below) + f64::from(f32::from_bits(below.to_bits() + 1))) / 2.0;
            put(out, format_args!("{middle:.15}"));
        }
        _ => put(out, format_args!("{}.{}", value >> 45, random.below(100))),
    }
}

/// A number of 1 to 40 digits with the point anywhere.
fn digits_with_point(random: &mut Random, out: &mut Vec<u8>) {
    let whole = 1 + random.below(20);
    out.push(b'1' + random.below(9) as u8);
    out.extend((1..whole).map(|_| b'0' + random.below(10) as u8));
    if random.once_in(2) {
        out.push(b'.');
        out.extend((0..1 + random.below(20)).map(|_| b'0' + random.below(10) as u8));
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes everything");
}

/// Any text, of any length around those at which something changes.
pub fn random_text(random: &mut Random) -> String {
    let mut text = random
        .pick(&["", "x", "John Smith", "twelve bytes", "thirteen bytes", "john.smith@gmail.com", "grüße", "東京 😀"])
        .to_owned();
    while random.once_in(4) {
        text.push_str(random.pick(&[
            "\n",
            "\"",
            "\\",
            "/",
            "\u{1}",
            "\u{7f}",
            "é",
            "😀",
            "\u{80}\u{7ff}",
            "\u{800}\u{d7ff}",
            "\u{e000}\u{ffff}",
            "\u{10000}\u{10ffff}",
            "ääöüßéèñ",
            "日本語のテキスト",
            "}",
            ",\"a\":1",
            "0123456789012345678901234567890123456789",
        ]));
    }
    if random.once_in(10) {
        let size = random.below(140);
        text.extend((0..size).map(|index| (b'a' + (index % 26) as u8) as char));
    }
    text
}

/// Appends a JSON string of the text; once in `escapes` characters one is escaped that need not be.
pub fn text_json(random: &mut Random, text: &str, escapes: usize, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' if random.once_in(2) => out.extend_from_slice(b"\\n"),
            '/' if random.once_in(2) => out.extend_from_slice(b"\\/"),
            _ if (character as u32) < 0x20 || random.once_in(escapes) => {
                let upper = random.once_in(2);
                for unit in character.encode_utf16(&mut [0; 2]) {
                    if upper {
                        put(out, format_args!("\\u{unit:04X}"));
                    } else {
                        put(out, format_args!("\\u{unit:04x}"));
                    }
                }
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Appends a string; once in `odd` times it is broken.
pub fn string_json(random: &mut Random, odd: usize, out: &mut Vec<u8>) {
    let text = random_text(random);
    let escapes = if random.once_in(5) { 4 } else { 1_000 };
    text_json(random, &text, escapes, out);
    if random.once_in(25) {
        // A run of backslashes, which may reach from one vector into the next, and what the last of them escapes.
        out.pop();
        let greatest = if random.once_in(4) { 80 } else { 6 };
        let pairs = random.below(greatest);
        out.extend((0..2 * pairs).map(|_| b'\\'));
        out.extend_from_slice(random.pick(&["", "\\\"", "\\\"x", "\\u0041", "\\n", "x"]).as_bytes());
        out.push(b'"');
    }
    if random.once_in(odd) {
        // In front of the closing quote, or right behind the opening one.
        let at = out.len()
            - 1
            - if random.once_in(2) {
                0
            } else {
                out.iter().rev().skip(1).take_while(|&&byte| byte.is_ascii_alphabetic()).count()
            };
        let broken = NO_STRINGS[random.below(NO_STRINGS.len())];
        out.splice(at..at, broken.iter().copied());
    }
}

/// Appends base64 of random bytes, with either alphabet, padded or not; once in `odd` times broken.
pub fn base64_json(random: &mut Random, odd: usize, out: &mut Vec<u8>) {
    let alphabet: &[u8; 64] = if random.once_in(2) {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    } else {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    };
    let greatest = if random.once_in(4) { 100 } else { 20 };
    let size = random.below(greatest);
    let bytes: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
    let padded = random.once_in(2);
    out.push(b'"');
    for group in bytes.chunks(3) {
        let word =
            group.iter().enumerate().fold(0u32, |word, (index, &byte)| word | u32::from(byte) << (16 - 8 * index));
        for index in 0..=group.len() {
            let byte = alphabet[(word >> (18 - 6 * index) & 63) as usize];
            if byte == b'/' && random.once_in(2) {
                out.push(b'\\');
            }
            out.push(byte);
        }
        if padded {
            out.extend((group.len()..3).map(|_| b'='));
        }
    }
    out.push(b'"');
    if random.once_in(odd) {
        let at = out.len() - 1;
        out.splice(at..at, random.pick(&["=", "A", " ", "é", "AB", "!", "===", "B="]).bytes());
    }
}

/// Appends a moment in RFC 3339's form, or once in `odd` times nearly.
pub fn datetime_json(random: &mut Random, odd: usize, out: &mut Vec<u8>) {
    out.push(b'"');
    date_text(random, odd, out);
    out.push(if random.once_in(6) { *random.pick(&[b"t", b" "]).first().expect("a byte") } else { b'T' });
    time_text(random, odd, out);
    match random.below(6) {
        0..=3 => out.push(b'Z'),
        4 => out.push(b'z'),
        _ => {
            let sign = random.pick(&["+", "-"]);
            let (hours, minutes) = (random.below(24), random.below(60));
            put(out, format_args!("{sign}{hours:02}:{minutes:02}"));
        }
    }
    if random.once_in(odd) {
        let at = out.len() - random.below(8);
        out.splice(at..at, random.pick(&["", "0", "Z", " ", "+0100", "+24:00", "-00:60", ".", "\\u005a"]).bytes());
    }
    out.push(b'"');
}

/// Dates at which a calendar changes its mind.
const DATES: [&str; 12] = [
    "0000-01-01",
    "0000-02-29",
    "0000-03-01",
    "1600-02-29",
    "1900-02-29",
    "1969-12-31",
    "2000-02-29",
    "2000-03-01",
    "2023-02-29",
    "2024-02-29",
    "2100-02-29",
    "9999-12-31",
];

/// A date without its quotes.
pub fn date_text(random: &mut Random, odd: usize, out: &mut Vec<u8>) {
    if random.once_in(10) {
        return out.extend_from_slice(random.pick(&DATES).as_bytes());
    }
    let year = if random.once_in(3) { random.below(10_000) } else { 1_970 + random.below(80) };
    let (month, day) = match random.below(odd.min(12)) {
        0 => (random.below(14), random.below(33)),
        _ => (1 + random.below(12), 1 + random.below(28)),
    };
    put(out, format_args!("{year:04}-{month:02}-{day:02}"));
}

/// A time of day without its quotes.
pub fn time_text(random: &mut Random, odd: usize, out: &mut Vec<u8>) {
    let (hour, minute, second) = match random.below(odd) {
        0 => (random.below(26), random.below(62), random.below(62)),
        _ => (random.below(24), random.below(60), random.below(60)),
    };
    put(out, format_args!("{hour:02}:{minute:02}:{second:02}"));
    if random.once_in(2) {
        out.push(b'.');
        let digits = if random.once_in(2) { [3, 6][random.below(2)] } else { 1 + random.below(19) };
        if random.once_in(8) {
            out.extend((0..digits).map(|_| b'9'));
        } else {
            out.extend((0..digits).map(|_| b'0' + random.below(10) as u8));
        }
    }
    if random.once_in(odd) {
        out.extend_from_slice(random.pick(&[".", ".x", ":00", "5"]).as_bytes());
    }
}

/// Appends an ISO 8601 duration, or once in `odd` times something near.
pub fn duration_json(random: &mut Random, odd: usize, out: &mut Vec<u8>) {
    out.push(b'"');
    if random.once_in(5) {
        out.push(if random.once_in(3) { b'+' } else { b'-' });
    }
    out.push(b'P');
    let before = out.len();
    if random.once_in(8) {
        put(out, format_args!("{}W", random.below(10)));
    }
    if random.once_in(2) {
        put(out, format_args!("{}D", random.below(1_000)));
    }
    if random.once_in(2) || out.len() == before {
        out.push(b'T');
        let hours = out.len();
        if random.once_in(2) {
            put(out, format_args!("{}H", random.below(100)));
        }
        if random.once_in(2) {
            put(out, format_args!("{}M", random.next() as u32 >> random.below(32)));
        }
        if random.once_in(2) || out.len() == hours {
            put(out, format_args!("{}", random.next() >> (4 + random.below(60))));
            if random.once_in(2) {
                put(out, format_args!(".{}", random.next() >> random.below(60)));
            }
            out.push(b'S');
        }
    }
    if random.once_in(odd) {
        let at = out.len() - random.below(4);
        out.splice(at..at, random.pick(&["T", "1", "S", "1Y", "1M", ".5", "-", "999999999999999999", " "]).bytes());
    }
    out.push(b'"');
}

/// Appends any JSON value, and now and then something that only looks like one.
pub fn any_json(random: &mut Random, depth: usize, out: &mut Vec<u8>) {
    match random.below(if depth < 4 { 15 } else { 12 }) {
        0 => out.extend_from_slice(b"null"),
        1 => out.extend_from_slice(b"true"),
        2 => out.extend_from_slice(b"false"),
        3 | 4 => number_json(random, 100, out),
        5 => out.extend_from_slice(random.pick(&NUMBERS).as_bytes()),
        6..=9 => string_json(random, 200, out),
        10 if random.once_in(12) => {
            out.extend_from_slice(random.pick(&NO_VALUES).as_bytes());
        }
        10 => out.extend_from_slice(b"{}"),
        11 => out.extend_from_slice(b"[ ]"),
        12 | 13 => {
            out.push(b'[');
            for index in 0..random.below(4) {
                if index > 0 {
                    out.push(b',');
                }
                any_json(random, depth + 1, out);
            }
            out.push(b']');
        }
        _ => {
            out.push(b'{');
            for index in 0..random.below(4) {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                let key = random.pick(&["a", "id", "name", "länge", "a key with a \" quote", "x"]);
                text_json(random, key, 200, out);
                out.push(b':');
                any_json(random, depth + 1, out);
            }
            out.push(b'}');
        }
    }
}
