//! `#[needs(nginx)]` marks a test as ignored where nginx is missing. The reason is in the output of `cargo test`.

use proc_macro::TokenStream;

// The programs that are missing, with the reasons. Written by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/missing.rs"));

/// Goes above `#[test]`, which must still see the `#[ignore]` that this adds. `build.rs` lists the names.
#[proc_macro_attribute]
pub fn needs(names: TokenStream, test: TokenStream) -> TokenStream {
    let mut reasons = Vec::new();
    for name in names.to_string().split(',').map(str::trim) {
        if name == "sqlite" {
            // The test program `postgres` runs the tests of others, too.
            if std::env::var("CARGO_CRATE_NAME").is_ok_and(|program| program == "postgres") {
                reasons.push("it is about SQLite's file");
            }
            continue;
        }
        let Some((_, reason)) = MISSING.iter().find(|(known, _)| *known == name) else {
            return error(&format!("tests/needs/build.rs doesn't know {name}"));
        };
        if !reason.is_empty() {
            reasons.push(*reason);
        }
    }
    if !test.to_string().starts_with("#[test]") {
        return error("#[needs] goes directly above #[test]");
    }
    if reasons.is_empty() {
        return test;
    }
    let ignore = format!("#[ignore = {:?}]", reasons.join("; "));
    ignore.parse::<TokenStream>().into_iter().chain([test]).collect()
}

fn error(message: &str) -> TokenStream {
    format!("compile_error!({message:?});").parse().unwrap_or_default()
}

/// `#[test]` for a program whose tests all need PostgreSQL. `#[macro_use] extern crate needs` puts it in place of
/// Rust's.
#[proc_macro_attribute]
pub fn test(_: TokenStream, test: TokenStream) -> TokenStream {
    let missing = MISSING.iter().find(|(name, reason)| *name == "postgres" && !reason.is_empty());
    let ignore = missing.filter(|_| !test.to_string().contains("#[ignore"));
    let ignore = ignore.map(|(_, reason)| format!("#[ignore = {reason:?}]")).unwrap_or_default();
    let attributes = format!("#[::core::prelude::v1::test] {ignore}");
    attributes.parse::<TokenStream>().into_iter().chain([test]).collect()
}
