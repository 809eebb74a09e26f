//! Reads the imports of source files.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path in a source file.
#[derive(Clone, Debug)]
pub struct Import {
    pub file: String,
    pub line: usize,
    /// The module that contains the path.
    pub from: String,
    /// What the path names, without `crate::`.
    pub to: String,
}

/// Collects the paths of one file.
struct Reader {
    file: String,
    imports: Vec<Import>,
}

/// The imports of a file below `src`.
pub fn read(file: &str, source: &str) -> Vec<Import> {
    let mut reader = Reader { file: file.to_owned(), imports: Vec::new() };
    reader.walk(&module(file), source.parse::<TokenStream>().unwrap());
    reader.imports
}

impl Reader {
    fn walk(&mut self, module: &[String], tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                // `mod name { … }`
                TokenTree::Group(group) if is_ident(at.checked_sub(2).map(|at| &tokens[at]), "mod") => {
                    let inner = [module, &[tokens[at - 1].to_string()]].concat();
                    self.walk(&inner, group.stream());
                }
                TokenTree::Group(group) => self.walk(module, group.stream()),
                TokenTree::Ident(ident) if !is_path_separator(&tokens, at.wrapping_sub(2)) => {
                    let mut parents = module.to_vec();
                    let mut next = at + 1;
                    match ident.to_string().as_str() {
                        "crate" | "usher" => parents.clear(),
                        "super" => {
                            parents.pop();
                            while is_path_separator(&tokens, next) && is_ident(tokens.get(next + 2), "super") {
                                parents.pop();
                                next += 3;
                            }
                        }
                        _ => continue,
                    }
                    if is_path_separator(&tokens, next) {
                        self.path(module, parents, &tokens[next + 2..]);
                    }
                }
                _ => {}
            }
        }
    }

    /// Follows a path from behind its `::`; a `{…}` is a branch for each of its parts.
    fn path(&mut self, module: &[String], mut to: Vec<String>, tokens: &[TokenTree]) {
        let Some(first) = tokens.first() else { return };
        match first {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                for branch in inner.split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',')) {
                    self.path(module, to.clone(), branch);
                }
                return;
            }
            TokenTree::Ident(ident) if ident != "self" => to.push(ident.to_string()),
            _ => {}
        }
        if is_path_separator(tokens, 1) && matches!(tokens.get(3), Some(TokenTree::Ident(_) | TokenTree::Group(_))) {
            return self.path(module, to, &tokens[3..]);
        }
        let line = first.span().start().line;
        self.imports.push(Import { file: self.file.clone(), line, from: module.join("::"), to: to.join("::") });
    }
}

fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(at) && colon(at.wrapping_add(1))
}

/// The module that a file below `src` is: `store/users.rs` is `store::users`, `store/mod.rs` is `store`.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod").trim_end_matches("lib");
    path.split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
}
