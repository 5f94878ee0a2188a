//! Names as they are known outside of a package: snake case.
//!
//! This file must not know declarations.

/// A name in snake case; a run of capitals is one word: `MyHTTPServer2Thing` is `my_http_server2_thing`.
pub fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, &letter) in letters.iter().enumerate() {
        if letter.is_uppercase() && i > 0 {
            let before = letters[i - 1];
            let next_is_lower = letters.get(i + 1).is_some_and(|next| next.is_lowercase());
            let word_starts = before.is_lowercase() || before.is_numeric() || (before.is_uppercase() && next_is_lower);
            if word_starts && before != '_' {
                out.push('_');
            }
        }
        out.extend(letter.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn words_begin_at_capitals_and_acronyms_are_one_word() {
        for (name, snake) in [
            ("User", "user"),
            ("LoginAttempt", "login_attempt"),
            ("MyHTTPServer2Thing", "my_http_server2_thing"),
            ("HTTPServer", "http_server"),
            ("UserID", "user_id"),
            ("user_id", "user_id"),
            ("Snake_Case", "snake_case"),
            ("A", "a"),
            ("ABTest", "ab_test"),
            ("X509Cert", "x509_cert"),
            ("Größe", "größe"),
            ("ÄnderungAn", "änderung_an"),
        ] {
            assert_eq!(snake_case(name), snake, "{name}");
        }
    }
}
