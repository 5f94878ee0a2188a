//! Bytes: hashes, encodings, compression and the parts of URLs.
//!
//! This file must not know slots.

use std::io::Read;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chalk_catalog::context::{CallContext, FunctionError};
use chalk_macros::functions;
use chalk_types::Value;
use sha2::Digest;

/// Standard base64; padding is written, and may be absent when reading.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Most bytes that `gunzip` gives: a small message must not exhaust memory.
const MAX_GUNZIPPED_BYTES: u64 = 64 << 20;

/// How bytes are written as text.
enum Encoding {
    Utf8,
    Hex,
    Base64,
}

fn encoding(name: &str) -> Result<Encoding, String> {
    match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Ok(Encoding::Utf8),
        "hex" => Ok(Encoding::Hex),
        "base64" => Ok(Encoding::Base64),
        _ => Err(format!("unknown encoding `{name}`: utf-8, hex or base64")),
    }
}

fn check_encoding(args: &[Option<Value>]) -> Result<(), (usize, String)> {
    match &args[1] {
        Some(Value::String(name)) => encoding(name).map(|_| ()).map_err(|message| (1, message)),
        _ => Ok(()),
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

fn from_hex(s: &str) -> Option<Vec<u8>> {
    if !s.len().is_multiple_of(2) {
        return None;
    }
    s.as_bytes().chunks_exact(2).map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?)).collect()
}

/// A URL in its parts, as far as they are there.
struct Url<'a> {
    scheme: &'a str,
    host: &'a str,
    path: &'a str,
}

/// Takes a URL apart (RFC 3986); none where it cannot be one.
fn url(s: &str) -> Option<Url<'_>> {
    if s.contains(|c: char| {
        c.is_ascii_whitespace() || c.is_ascii_control() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`')
    }) {
        return None;
    }
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let (scheme, rest) = match s.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => ("", s),
    };
    let end = |text: &str, stops: &[char]| text.find(stops).unwrap_or(text.len());
    let (host, rest) = match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, after) = rest.split_at(end(rest, &['/', '?', '#']));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let port_at = match host.rfind(':') {
                // The colons of an IPv6 address stand in brackets.
                Some(at) if !host[at..].contains(']') => at,
                _ => host.len(),
            };
            if !host[port_at..].bytes().skip(1).all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            (&host[..port_at], after)
        }
        None => ("", rest),
    };
    Some(Url { scheme, host, path: &rest[..end(rest, &['?', '#'])] })
}

#[functions(family = "bytes")]
mod defs {
    use super::*;

    /// The bytes of a text: its UTF-8, or what it stands for in `"hex"` or `"base64"` (padding may be absent). A malformed text
    /// fails the message; an unknown literal encoding does not compile.
    ///
    /// ```chalk
    /// string_to_bytes("abc") == b"abc"
    /// string_to_bytes("616263", "hex") == b"abc"
    /// string_to_bytes("YWJj", "base64") == b"abc"
    /// ```
    #[function(signature = "string_to_bytes(s: string, encoding: string = \"utf-8\") -> bytes", known_as = "encode, to_utf8, from_hex, unhex, from_base64, base64_decode", check = check_encoding)]
    fn string_to_bytes<'a>(cx: &'a CallContext, s: &'a str, encoding: &str) -> Result<&'a [u8], FunctionError> {
        match super::encoding(encoding).map_err(FunctionError::from)? {
            Encoding::Utf8 => Ok(s.as_bytes()),
            Encoding::Hex => match from_hex(s) {
                Some(bytes) => Ok(cx.arena.copy(&bytes)),
                None => Err("the text is no hex: pairs of the digits 0-9 and a-f".into()),
            },
            Encoding::Base64 => match BASE64.decode(s) {
                Ok(bytes) => Ok(cx.arena.copy(&bytes)),
                Err(error) => Err(format!("the text is no base64: {error}").into()),
            },
        }
    }

    /// Bytes as text: read as UTF-8 (what is none becomes U+FFFD; `as string` fails instead), or written in `"hex"` or
    /// `"base64"`. An unknown literal encoding does not compile.
    ///
    /// ```chalk
    /// bytes_to_string(b"abc") == "abc"
    /// bytes_to_string(b"abc", "hex") == "616263"
    /// bytes_to_string(b"abc", "base64") == "YWJj"
    /// ```
    #[function(signature = "bytes_to_string(b: bytes, encoding: string = \"utf-8\") -> string", known_as = "decode, from_utf8, to_hex, hex, to_base64, base64_encode", check = check_encoding)]
    fn bytes_to_string<'a>(cx: &'a CallContext, b: &'a [u8], encoding: &str) -> Result<&'a str, FunctionError> {
        match super::encoding(encoding).map_err(FunctionError::from)? {
            Encoding::Utf8 => match std::str::from_utf8(b) {
                Ok(text) => Ok(text),
                Err(_) => Ok(cx.arena.copy_str(&String::from_utf8_lossy(b))),
            },
            Encoding::Hex => {
                let mut text = cx.text();
                for byte in b {
                    for digit in [byte >> 4, byte & 15] {
                        text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                    }
                }
                Ok(text.finish())
            }
            Encoding::Base64 => Ok(cx.arena.copy_str(&BASE64.encode(b))),
        }
    }

    /// The MD5 hash: 16 bytes. Not for secrets.
    ///
    /// ```chalk
    /// bytes_to_string(md5(b"abc"), "hex") == "900150983cd24fb0d6963f7d28e17f72"
    /// ```
    #[function(signature = "md5(b: bytes) -> bytes")]
    fn md5<'a>(cx: &'a CallContext, b: &[u8]) -> &'a [u8] {
        cx.arena.copy(&md5::Md5::digest(b))
    }

    /// The SHA-1 hash: 20 bytes. Not for secrets.
    ///
    /// ```chalk
    /// bytes_to_string(sha1(b"abc"), "hex") == "a9993e364706816aba3e25717850c26c9cd0d89d"
    /// ```
    #[function(signature = "sha1(b: bytes) -> bytes")]
    fn sha1<'a>(cx: &'a CallContext, b: &[u8]) -> &'a [u8] {
        cx.arena.copy(&sha1::Sha1::digest(b))
    }

    /// The SHA-256 hash: 32 bytes.
    ///
    /// ```chalk
    /// bytes_to_string(sha256(b"abc"), "hex") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    /// ```
    #[function(signature = "sha256(b: bytes) -> bytes")]
    fn sha256<'a>(cx: &'a CallContext, b: &[u8]) -> &'a [u8] {
        cx.arena.copy(&sha2::Sha256::digest(b))
    }

    /// The SHA-512 hash: 64 bytes.
    ///
    /// ```chalk
    /// length(sha512(b"abc")) == 64
    /// ```
    #[function(signature = "sha512(b: bytes) -> bytes")]
    fn sha512<'a>(cx: &'a CallContext, b: &[u8]) -> &'a [u8] {
        cx.arena.copy(&sha2::Sha512::digest(b))
    }

    /// The signed integer that 4 bytes are, the highest first; another number of bytes fails the message.
    ///
    /// ```chalk
    /// from_big_endian_32(b"\x00\x00\x01\x00") == 256
    /// from_big_endian_32(b"\xff\xff\xff\xff") == -1
    /// ```
    #[function(signature = "from_big_endian_32(b: bytes) -> int32")]
    fn from_big_endian_32(b: &[u8]) -> Result<i32, FunctionError> {
        let bytes = b.try_into().map_err(|_| FunctionError::from(format!("4 bytes are wanted, not {}", b.len())))?;
        Ok(i32::from_be_bytes(bytes))
    }

    /// The signed integer that 8 bytes are, the highest first; another number of bytes fails the message.
    ///
    /// ```chalk
    /// from_big_endian_64(b"\x00\x00\x00\x00\x00\x00\x01\x00") == 256
    /// ```
    #[function(signature = "from_big_endian_64(b: bytes) -> int")]
    fn from_big_endian_64(b: &[u8]) -> Result<i64, FunctionError> {
        let bytes = b.try_into().map_err(|_| FunctionError::from(format!("8 bytes are wanted, not {}", b.len())))?;
        Ok(i64::from_be_bytes(bytes))
    }

    /// What gzip has packed. What is no gzip, and more than 64 MiB, fails the message.
    ///
    /// Deviation: the reference gives no bytes where it is no gzip.
    ///
    /// ```chalk
    /// gunzip(string_to_bytes("H4sIAAAAAAAAA0tMSgYAwkEkNQMAAAA=", "base64")) == b"abc"
    /// ```
    #[function(signature = "gunzip(b: bytes) -> bytes", known_as = "gzip_decompress, decompress")]
    fn gunzip(b: &[u8]) -> Result<Vec<u8>, FunctionError> {
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(b)
            .take(MAX_GUNZIPPED_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| FunctionError::from(format!("the bytes are no gzip: {error}")))?;
        if bytes.len() as u64 > MAX_GUNZIPPED_BYTES {
            return Err("gzip holds more than 64 MiB".into());
        }
        Ok(bytes)
    }

    /// The host of a URL, without user and port; empty where it has none, null where the text is no URL.
    ///
    /// ```chalk
    /// url_extract_host("https://me@example.com:8080/a/b?c=d") == "example.com"
    /// url_extract_host("example.com/a") == ""
    /// ```
    #[function(signature = "url_extract_host(s: string) -> string?", known_as = "parse_url, url_host")]
    fn url_extract_host(s: &str) -> Option<&str> {
        url(s).map(|url| url.host)
    }

    /// The path of a URL, as written; null where the text is no URL.
    ///
    /// ```chalk
    /// url_extract_path("https://example.com/a/b?c=d#e") == "/a/b"
    /// ```
    #[function(signature = "url_extract_path(s: string) -> string?")]
    fn url_extract_path(s: &str) -> Option<&str> {
        url(s).map(|url| url.path)
    }

    /// The scheme of a URL, as written; empty where it has none, null where the text is no URL.
    ///
    /// ```chalk
    /// url_extract_protocol("https://example.com/a") == "https"
    /// ```
    #[function(signature = "url_extract_protocol(s: string) -> string?")]
    fn url_extract_protocol(s: &str) -> Option<&str> {
        url(s).map(|url| url.scheme)
    }
}
