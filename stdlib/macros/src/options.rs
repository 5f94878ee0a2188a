//! The options of `#[function(…)]` and what a doc comment holds: text and examples.
//!
//! This file must not know what is generated.

use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Path, Token};

/// `#[function(…)]`
pub(crate) struct Options {
    pub(crate) signature: LitStr,
    pub(crate) check: Option<Path>,
    pub(crate) lower: Option<Path>,
    pub(crate) instances: Option<LitStr>,
    pub(crate) known_as: Option<LitStr>,
    pub(crate) impure: bool,
    pub(crate) hidden: bool,
    pub(crate) fold: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let start = input.span();
        let mut signature = None;
        let mut options = (None, None, None, None);
        let mut flags = (false, false, false);
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            let valued = input.peek(Token![=]);
            if valued {
                input.parse::<Token![=]>()?;
            }
            match (name.to_string().as_str(), valued) {
                ("signature", true) => signature = Some(input.parse()?),
                ("check", true) => options.0 = Some(input.parse()?),
                ("lower", true) => options.1 = Some(input.parse()?),
                ("instances", true) => options.2 = Some(input.parse()?),
                ("known_as", true) => options.3 = Some(input.parse()?),
                ("impure", false) => flags.0 = true,
                ("hidden", false) => flags.1 = true,
                ("fold", false) => flags.2 = true,
                _ => return Err(syn::Error::new(name.span(), "unknown option of #[function]")),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let signature = signature.ok_or_else(|| syn::Error::new(start, "`signature = \"…\"` is missing"))?;
        let (check, lower, instances, known_as) = options;
        let (impure, hidden, fold) = flags;
        Ok(Options { signature, check, lower, instances, known_as, impure, hidden, fold })
    }
}

/// A doc comment without its examples, and the lines of its ```chalk fences.
pub(crate) fn documentation(attributes: &[Attribute]) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut examples = Vec::new();
    let mut in_example = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &pair.value else { continue };
        let line = line.value();
        let line = line.strip_prefix(' ').unwrap_or(&line).trim_end();
        if in_example {
            in_example = line != "```";
            if in_example && !line.trim().is_empty() {
                examples.push(line.trim().to_owned());
            }
        } else if line == "```chalk" {
            in_example = true;
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    (text.trim().to_owned(), examples)
}
