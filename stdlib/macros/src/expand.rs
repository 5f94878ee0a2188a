//! From a module of items to a list of definitions and their shims.
//!
//! This file must not know the syntax of signatures beyond their name and the type variable `T` of instances.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, Item, ItemConst, ItemFn, ItemMod, LitStr, Type};

use crate::options::{Options, documentation};

pub(crate) fn family(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let family = family_name(args)?;
    let mut module: ItemMod = syn::parse2(item)?;
    let span = module.span();
    let Some((_, items)) = &mut module.content else {
        return Err(syn::Error::new(span, "#[functions] stands on a module with its items inline"));
    };
    let mut defs = Vec::new();
    let mut shims = Vec::new();
    let mut kept = Vec::new();
    for mut item in std::mem::take(items) {
        let attributes = match &mut item {
            Item::Fn(function) => &mut function.attrs,
            Item::Const(constant) => &mut constant.attrs,
            _ => {
                kept.push(item);
                continue;
            }
        };
        let Some(position) = attributes.iter().position(|attribute| attribute.path().is_ident("function")) else {
            kept.push(item);
            continue;
        };
        let attribute = attributes.remove(position);
        let options: Options = attribute.parse_args()?;
        let (doc, examples) = documentation(attributes);
        if !options.hidden {
            require(&doc, &examples, &options)?;
        }
        strip_examples(attributes);
        let declaration = Declaration { family: &family, options: &options, doc: &doc, examples: &examples };
        match item {
            Item::Const(constant) => defs.push(declaration.expression(&constant)?),
            Item::Fn(function) => {
                for instance in instances(&options) {
                    let number = shims.len();
                    let shim_name = format_ident!("shim_{}_{}", function.sig.ident, number);
                    shims.push(shim(&shim_name, &function, instance.as_deref())?);
                    defs.push(declaration.native(&shim_name, &function, instance.as_deref())?);
                }
                kept.push(Item::Fn(function));
            }
            _ => unreachable!("other items have no attribute"),
        }
    }
    *items = kept;
    let name = &module.ident;
    let content = &module.content.as_ref().expect("checked above").1;
    let attributes = &module.attrs;
    Ok(quote! {
        #(#attributes)*
        mod #name {
            #(#content)*
            #(#shims)*

            static DEFS: &[::chalk_catalog::def::FunctionDef] = &[#(#defs),*];

            /// The family's functions, in order of declaration.
            pub(super) fn defs() -> &'static [::chalk_catalog::def::FunctionDef] {
                DEFS
            }
        }

        /// The family's functions, in order of declaration.
        pub(crate) fn defs() -> &'static [::chalk_catalog::def::FunctionDef] {
            #name::defs()
        }
    })
}

fn family_name(args: TokenStream) -> syn::Result<LitStr> {
    let pair: syn::MetaNameValue = syn::parse2(args)?;
    match (&pair.value, pair.path.is_ident("family")) {
        (syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }), true) => Ok(name.clone()),
        _ => Err(syn::Error::new(pair.span(), "`family = \"…\"` expected")),
    }
}

fn require(doc: &str, examples: &[String], options: &Options) -> syn::Result<()> {
    if doc.is_empty() {
        return Err(syn::Error::new(options.signature.span(), "a function needs a doc comment"));
    }
    // A fragment is for what no expression alone can make, such as a map.
    if examples.is_empty() && !doc.contains("```chalk fragment") {
        return Err(syn::Error::new(options.signature.span(), "a function needs an example: a ```chalk fence"));
    }
    Ok(())
}

/// Rustdoc would take the fences for Rust tests.
fn strip_examples(attributes: &mut Vec<Attribute>) {
    attributes.retain(|attribute| !attribute.path().is_ident("doc"));
}

/// The types in place of `T`; one "instance" without any where nothing is generic.
fn instances(options: &Options) -> Vec<Option<String>> {
    match &options.instances {
        None => vec![None],
        Some(types) => types.value().split(',').map(|ty| Some(ty.trim().to_owned())).collect(),
    }
}

/// The Rust type of an item of a Chalk type.
fn rust_type(chalk: &str, span: Span) -> syn::Result<Type> {
    let text = match chalk {
        "int" => "i64",
        "int8" => "i8",
        "int16" => "i16",
        "int32" => "i32",
        "uint8" => "u8",
        "uint16" => "u16",
        "uint32" => "u32",
        "uint64" => "u64",
        "float" => "f64",
        "float32" => "f32",
        "bool" => "bool",
        "string" => "&str",
        "bytes" => "&[u8]",
        "datetime" => "::chalk_catalog::slot::Datetime",
        "date" => "::chalk_catalog::slot::Date",
        "time" => "::chalk_catalog::slot::Time",
        "duration" => "::chalk_catalog::slot::Duration",
        _ => return Err(syn::Error::new(span, format!("no Rust type for instances of `{chalk}`"))),
    };
    syn::parse_str(text)
}

fn turbofish(function: &ItemFn, instance: Option<&str>) -> syn::Result<TokenStream> {
    match instance {
        None => Ok(TokenStream::new()),
        Some(chalk) => {
            let ty = rust_type(chalk, function.sig.ident.span())?;
            Ok(quote!(::<#ty>))
        }
    }
}

/// The parameters' types without a leading `&CallContext`, and whether there is one.
fn parameters(function: &ItemFn) -> syn::Result<(bool, Vec<&Type>)> {
    let mut types = Vec::new();
    for input in &function.sig.inputs {
        match input {
            FnArg::Typed(typed) => types.push(&*typed.ty),
            FnArg::Receiver(receiver) => return Err(syn::Error::new(receiver.span(), "a function has no `self`")),
        }
    }
    let is_context = |ty: &&Type| match ty {
        Type::Reference(reference) => {
            matches!(&*reference.elem, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "CallContext"))
        }
        _ => false,
    };
    let has_context = types.first().is_some_and(is_context);
    Ok((has_context, types.split_off(usize::from(has_context))))
}

fn shim(name: &Ident, function: &ItemFn, instance: Option<&str>) -> syn::Result<TokenStream> {
    let (has_context, types) = parameters(function)?;
    let arity = types.len();
    let body = &function.sig.ident;
    let turbofish = turbofish(function, instance)?;
    let context = has_context.then(|| quote!(cx,));
    let args = (0..arity).map(|index| quote!(::chalk_catalog::slot::FromSlot::from_slot(&args[#index])));
    Ok(quote! {
        unsafe extern "C" fn #name(
            cx: *mut ::chalk_catalog::macro_support::KernelContext,
            args: *const ::chalk_catalog::macro_support::Slot,
            ret: *mut ::chalk_catalog::macro_support::Slot,
            site: u64,
        ) -> u64 {
            // SAFETY: the caller keeps the contract of `ScalarShim`; a test holds the Rust types against the signature.
            unsafe {
                ::chalk_catalog::call::invoke(cx, args, ret, site, #arity, |cx, args| {
                    ::chalk_catalog::slot::IntoAnswer::into_answer(#body #turbofish (#context #(#args),*), cx)
                })
            }
        }
    })
}

/// What an item says, apart from its body.
struct Declaration<'a> {
    family: &'a LitStr,
    options: &'a Options,
    doc: &'a str,
    examples: &'a [String],
}

impl Declaration<'_> {
    fn expression(&self, constant: &ItemConst) -> syn::Result<TokenStream> {
        let value = &constant.expr;
        let body = if self.options.fold { quote!(Fold) } else { quote!(Chalk) };
        let signature = self.options.signature.value();
        Ok(self.def(
            &signature,
            quote!(::chalk_catalog::def::Body::#body(#value)),
            false,
            quote!(::std::vec::Vec::new()),
        ))
    }

    fn native(&self, shim: &Ident, function: &ItemFn, instance: Option<&str>) -> syn::Result<TokenStream> {
        let mut signature = self.options.signature.value();
        if let Some(chalk) = instance {
            // Narrowed rather than replaced: whether items may be null is still the caller's.
            signature = format!("{signature} where T: {chalk}");
        }
        let (_, types) = parameters(function)?;
        let result = match &function.sig.output {
            syn::ReturnType::Type(_, ty) => ty,
            syn::ReturnType::Default => {
                return Err(syn::Error::new(function.sig.ident.span(), "a function has a result"));
            }
        };
        let fallible = matches!(&**result, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Result"));
        let rust_types = match instance {
            None => {
                let types = types.iter().map(|ty| without_lifetimes(ty));
                let result = without_lifetimes(result);
                quote!(::std::vec![#(<#types as ::chalk_catalog::slot::FromSlot>::chalk_type(),)*
                    <#result as ::chalk_catalog::slot::IntoAnswer>::chalk_type()])
            }
            // The instance's types are those of the generic function with `T` replaced.
            Some(chalk) => {
                let ty = rust_type(chalk, function.sig.ident.span())?;
                let types = types.iter().map(|generic| replace_variable(&without_lifetimes(generic), &ty));
                let result = replace_variable(&without_lifetimes(result), &ty);
                quote!(::std::vec![#(<#types as ::chalk_catalog::slot::FromSlot>::chalk_type(),)*
                    <#result as ::chalk_catalog::slot::IntoAnswer>::chalk_type()])
            }
        };
        Ok(self.def(&signature, quote!(::chalk_catalog::def::Body::Native(#shim)), fallible, rust_types))
    }

    fn def(&self, signature: &str, body: TokenStream, fallible: bool, rust_types: TokenStream) -> TokenStream {
        let Declaration { family, options, doc, examples } = self;
        let written = match &options.instances {
            None => options.signature.value(),
            Some(types) => format!("{} where T: {}", options.signature.value(), types.value().replace(", ", " | ")),
        };
        let name = function_name(signature);
        let known_as = options.known_as.as_ref().map(syn::LitStr::value).unwrap_or_default();
        let known_as = known_as.split(',').map(str::trim).filter(|name| !name.is_empty());
        let (pure, hidden) = (!options.impure, options.hidden);
        let check = match &options.check {
            Some(path) => quote!(::std::option::Option::Some(#path)),
            None => quote!(::std::option::Option::None),
        };
        let lower = match &options.lower {
            Some(path) => quote!(::std::option::Option::Some(::chalk_catalog::def::#path)),
            None => quote!(::std::option::Option::None),
        };
        quote! {
            ::chalk_catalog::def::FunctionDef {
                name: #name,
                family: #family,
                signature: #signature,
                written: #written,
                known_as: &[#(#known_as),*],
                doc: #doc,
                examples: &[#(#examples),*],
                fallible: #fallible,
                pure: #pure,
                hidden: #hidden,
                body: #body,
                check: #check,
                lower: #lower,
                rust_types: || #rust_types,
            }
        }
    }
}

/// The name in a signature: what stands before the parameters.
fn function_name(signature: &str) -> String {
    let head = signature.rfind("->").map_or(signature, |arrow| &signature[..arrow]).trim_end();
    let mut depth = 0;
    for (position, c) in head.char_indices().rev() {
        depth += match c {
            ')' => 1,
            '(' => -1,
            _ => 0,
        };
        if c == '(' && depth == 0 {
            return head[..position].trim().to_owned();
        }
    }
    head.to_owned()
}

/// `&'a str` as `&str`, `ListRef<'a, T>` as `ListRef<'_, T>`: in a path of its own a lifetime has no name.
fn without_lifetimes(ty: &Type) -> Type {
    struct Anonymous;
    impl Anonymous {
        fn visit(&self, tokens: TokenStream) -> TokenStream {
            let mut result = Vec::new();
            let mut tokens = tokens.into_iter().peekable();
            while let Some(token) = tokens.next() {
                match token {
                    proc_macro2::TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                        tokens.next();
                        result.push(quote!('static));
                    }
                    proc_macro2::TokenTree::Group(group) => {
                        let inner = self.visit(group.stream());
                        result.push(
                            proc_macro2::TokenTree::from(proc_macro2::Group::new(group.delimiter(), inner)).into(),
                        );
                    }
                    other => result.push(other.into()),
                }
            }
            result.into_iter().collect()
        }
    }
    syn::parse2(Anonymous.visit(quote!(#ty))).unwrap_or_else(|_| ty.clone())
}

/// The type with the type variable `T` replaced.
fn replace_variable(ty: &Type, by: &Type) -> Type {
    fn visit(tokens: TokenStream, by: &Type) -> TokenStream {
        tokens
            .into_iter()
            .map(|token| match token {
                proc_macro2::TokenTree::Ident(name) if name == "T" => quote!(#by),
                proc_macro2::TokenTree::Group(group) => {
                    let inner = visit(group.stream(), by);
                    proc_macro2::TokenTree::from(proc_macro2::Group::new(group.delimiter(), inner)).into()
                }
                other => other.into(),
            })
            .collect()
    }
    syn::parse2(visit(quote!(#ty), by)).unwrap_or_else(|_| ty.clone())
}
