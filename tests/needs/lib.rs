//! `#[needs(nginx)]` marks a test as ignored where nginx is missing. The reason is in the output of `cargo test`.

use proc_macro::TokenStream;

// What each name stands for, and why it is missing; empty if it is there. Written by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/missing.rs"));

/// Goes above `#[test]`, which must still see the `#[ignore]` that this adds. `build.rs` lists the names.
#[proc_macro_attribute]
pub fn needs(names: TokenStream, test: TokenStream) -> TokenStream {
    let mut reasons = Vec::new();
    for name in names.to_string().split(',').map(str::trim) {
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
