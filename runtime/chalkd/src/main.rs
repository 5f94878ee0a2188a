//! The program `chalkd`.

fn main() {}
