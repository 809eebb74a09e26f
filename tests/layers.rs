//! Layers import downward only, files are short, and comments are no wider than code. To check the imports, the tests
//! read every path in `src` that starts with `crate`, `super` or `usher`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use imports::Import;

#[path = "layers/imports.rs"]
mod imports;

/// What the routes may import besides themselves.
const ROUTES: &[&str] =
    &["http::models", "http::sign_in", "http::pipeline", "auth", "store", "domain", "config", "platform", "console"];

/// A module, and what it may import besides itself. The longest matching name decides, so `store::engine` has rules of
/// its own inside `store`.
const RULES: [(&str, &[&str]); 19] = [
    ("main", &["cli"]),
    ("cli", &["server", "jobs", "http", "auth", "store", "domain", "config", "platform", "console"]),
    ("server", &["jobs", "http", "auth", "store", "domain", "config", "platform", "console"]),
    ("jobs", &["auth", "store", "domain", "config", "platform"]),
    ("http", &["http"]),
    ("http::router", &["http", "auth", "store", "domain", "config", "platform", "console"]),
    ("http::pages", ROUTES),
    ("http::api", ROUTES),
    ("http::forward_auth", ROUTES),
    ("http::sign_in", &["http::pipeline", "auth", "store", "domain", "config", "platform"]),
    ("http::models", &["http::pipeline", "auth", "store", "domain", "config", "platform"]),
    ("http::pipeline", &["auth", "store", "domain", "config", "platform", "console"]),
    ("auth", &["domain", "config", "platform"]),
    ("store", &["store", "domain", "config", "platform"]),
    ("store::engine", &["domain", "config", "platform"]),
    ("console", &["domain", "config", "platform"]),
    ("config", &["domain", "platform"]),
    ("domain", &[]),
    ("platform", &[]),
];

/// Folders whose files don't import each other.
const SEPARATE: [&str; 1] = ["http::api"];

/// Folders whose files and subfolders import each other in one direction only.
const NO_CIRCLES: [&str; 12] = [
    "store",
    "auth",
    "domain",
    "jobs",
    "config",
    "server",
    "cli",
    "cli::doctor",
    "http::pipeline",
    "http::sign_in",
    "http::models",
    "http::forward_auth",
];

/// The longest file in `src`.
const MAX_LINES: usize = 350;

/// The longest line of a comment: the width that rustfmt gives code.
const MAX_COLUMNS: usize = 120;

/// Whether `path` is `module` or inside it.
fn is_inside(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The rule for a module.
fn rule(path: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    RULES.iter().filter(|(module, _)| is_inside(path, module)).max_by_key(|(module, _)| module.len())
}

/// The part of `path` directly below `folder`.
fn child<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder)?.strip_prefix("::")?.split("::").next()
}

/// Why this import isn't allowed.
fn broken_rule(import: &Import) -> Option<String> {
    let Import { from, to, .. } = import;
    for folder in SEPARATE {
        if let (Some(from), Some(to)) = (child(from, folder), child(to, folder)) {
            return (from != to).then(|| format!("the files of {folder} don't import each other"));
        }
    }
    let (module, allowed) = rule(from)?;
    let is_own = rule(to).is_some_and(|(target, _)| target == module);
    let is_allowed = allowed.iter().any(|allowed| is_inside(to, allowed));
    (!is_own && !is_allowed).then(|| match allowed {
        [] => format!("{module} imports only itself"),
        _ => format!("{module} imports only itself, {}", allowed.join(", ")),
    })
}

/// The imports that break a rule, a line each: `file:line: path: rule`.
fn broken(imports: &[Import]) -> String {
    let mut report = String::new();
    for import in imports {
        if let Some(rule) = broken_rule(import) {
            let _ = writeln!(report, "{}:{}: {}: {rule}", import.file, import.line, import.to);
        }
    }
    report
}

/// A circle among the children of `folder`, as `a → b → a`.
fn circle(imports: &[Import], folder: &str) -> Option<String> {
    let edge = |import: &Import| {
        let (from, to) = (child(&import.from, folder)?, child(&import.to, folder)?);
        // What the folder's own `mod.rs` exports again is an item, not a module.
        let is_module = to.starts_with(char::is_lowercase);
        (from != to && is_module).then(|| (from.to_owned(), to.to_owned()))
    };
    let edges: BTreeSet<_> = imports.iter().filter_map(edge).collect();
    let nodes: BTreeSet<_> = edges.iter().map(|(from, _)| from.clone()).collect();
    nodes.iter().find_map(|start| way_back(&edges, &mut vec![start.clone()], &mut BTreeSet::new()))
}

fn way_back(edges: &BTreeSet<(String, String)>, way: &mut Vec<String>, seen: &mut BTreeSet<String>) -> Option<String> {
    let last = way.last()?.clone();
    for (_, to) in edges.iter().filter(|(from, _)| *from == last) {
        if *to == way[0] {
            return Some(format!("{} → {to}", way.join(" → ")));
        }
        if seen.insert(to.clone()) {
            way.push(to.clone());
            if let Some(found) = way_back(edges, way, seen) {
                return Some(found);
            }
            way.pop();
        }
    }
    None
}

/// The Rust files in `src`: path and text.
fn sources() -> Vec<(String, String)> {
    rust_files("src")
}

fn rust_files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push((file, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}

/// Every import of the program.
fn all_imports() -> Vec<Import> {
    let imports: Vec<_> = sources().iter().flat_map(|(file, source)| imports::read(file, source)).collect();
    assert!(imports.len() > 500, "only {} imports were found", imports.len());
    imports
}

#[test]
fn layers_import_downward_only() {
    let imports = all_imports();
    let circles = NO_CIRCLES.iter().filter_map(|folder| Some((folder, circle(&imports, folder)?)));
    let add = |report: String, (folder, circle)| report + &format!("src/{folder}: circle: {circle}\n");
    let report = circles.fold(broken(&imports), add);
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn no_file_in_src_is_too_long() {
    let long = |(file, source): &(String, String)| {
        let lines = source.lines().count();
        (lines > MAX_LINES).then(|| format!("{file} has {lines} lines; split it by topic"))
    };
    assert_eq!(sources().iter().filter_map(long).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn no_comment_is_too_wide() {
    let mut wide = String::new();
    for (file, source) in ["src", "tests"].into_iter().flat_map(rust_files) {
        for (line, number) in source.lines().zip(1..) {
            let is_comment = line.trim_start().starts_with("//") && !line.contains("://");
            if is_comment && line.chars().count() > MAX_COLUMNS {
                writeln!(wide, "{file}:{number}").unwrap();
            }
        }
    }
    assert!(wide.is_empty(), "\n{wide}");
}

/// `doctest = false` in Cargo.toml: an example would never run.
#[test]
fn examples_in_the_documentation_are_marked_as_text() {
    let mut unmarked = String::new();
    for (file, source) in sources() {
        let comments = source.lines().zip(1..).filter(|(line, _)| line.trim_start().starts_with("//"));
        let fences = comments.filter_map(|(line, number)| Some((line.split_once("```")?.1, number)));
        for (language, number) in fences.step_by(2) {
            if language != "text" {
                writeln!(unmarked, "{file}:{number}").unwrap();
            }
        }
    }
    assert!(unmarked.is_empty(), "\n{unmarked}");
}

#[test]
fn an_import_in_the_wrong_direction_is_reported() {
    let source = "use crate::domain::user::User;\nuse crate::{\n    domain,\n    http::{self, api::users},\n};\n";
    assert_eq!(
        broken(&imports::read("src/store/users.rs", source)),
        "src/store/users.rs:4: http: store imports only itself, store, domain, config, platform\n\
         src/store/users.rs:4: http::api::users: store imports only itself, store, domain, config, platform\n"
    );
    let cases = [
        ("src/domain/user.rs", "fn f() { crate::store::users::find() }", "domain imports only itself"),
        ("src/domain/user.rs", "fn f() { info!(\"{}\", crate::config::VERSION) }", "domain imports only itself"),
        ("src/store/engine/db.rs", "use super::super::users;", "store::engine imports only itself, domain"),
        ("src/store/engine/db.rs", "mod tests { use super::super::super::users; }", "store::engine imports only"),
        (
            "src/http/pipeline/body/mod.rs",
            "use crate::http::models::UserRead;",
            "http::pipeline imports only itself, auth",
        ),
        ("src/http/api/login.rs", "use crate::http::api::users;", "the files of http::api don't import each other"),
        ("src/http/api/login.rs", "use super::users::create;", "the files of http::api don't import each other"),
        (
            "src/http/forward_auth/site_token.rs",
            "use crate::http::api::users;",
            "http::forward_auth imports only itself",
        ),
        ("src/jobs/sweep.rs", "use crate::http::App;", "jobs imports only itself, auth"),
        ("src/server/mod.rs", "use crate::cli::serve;", "server imports only itself, jobs"),
        ("src/main.rs", "fn main() { usher::server::run() }", "main imports only itself, cli"),
    ];
    for (file, source, rule) in cases {
        let report = broken(&imports::read(file, source));
        assert!(report.starts_with(&format!("{file}:1: ")) && report.contains(rule), "{file} {source}: {report:?}");
    }
}

#[test]
fn imports_that_follow_the_rules_are_not_reported() {
    let cases = [
        ("src/store/users.rs", "use crate::store::engine::sqlite::time; use super::audit; pub(super) fn f() {}"),
        ("src/store/engine/db.rs", "use super::time; mod tests { use super::*; use super::super::file; }"),
        ("src/http/api/login.rs", "use crate::http::pipeline::app::App; /// [`crate::http::api::users`]\nfn f() {}"),
        ("src/http/mod.rs", "pub use crate::http::pipeline::app::App;"),
        ("src/main.rs", "fn main() { usher::cli::run() }"),
    ];
    for (file, source) in cases {
        assert_eq!(broken(&imports::read(file, source)), "", "{file} {source}");
    }
}

#[test]
fn a_circle_of_modules_is_reported() {
    let source = [("src/store/a.rs", "use super::b;"), ("src/store/b.rs", "use super::c::C;"), ("src/store/c.rs", "")];
    let mut imports: Vec<_> = source.iter().flat_map(|(file, source)| imports::read(file, source)).collect();
    assert_eq!(circle(&imports, "store"), None);
    imports.extend(imports::read("src/store/c.rs", "use crate::store::a;"));
    assert_eq!(circle(&imports, "store").as_deref(), Some("a → b → c → a"));
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut seen = BTreeMap::new();
    let mut shared = String::new();
    for (file, source) in sources() {
        for line in source.lines().filter_map(|line| line.trim_start().strip_prefix("pub ")) {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            if let (Some("struct" | "enum" | "trait" | "type"), Some(name)) = (words.next(), words.next())
                && let Some(other) = seen.insert(name.to_owned(), file.clone())
            {
                writeln!(shared, "{name}: {other} and {file}").unwrap();
            }
        }
    }
    assert!(shared.is_empty(), "\n{shared}");
}
