//! The documents: the README's walk-through works as typed, tables match the code, links lead to files that exist.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::process::Program;

/// Compares a file with what the code says it contains. `UPDATE_DOCS=1` writes the file instead.
#[expect(clippy::disallowed_methods, reason = "UPDATE_DOCS belongs to this test")]
fn is_generated(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(found == expected, "{} is outdated; run UPDATE_DOCS=1 cargo test --test readme", path.display());
}

#[test]
fn the_settings_page_lists_every_setting() {
    let page = include_str!("../docs/settings.md");
    let (before, rest) = page.split_once("<!-- settings -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /settings -->").unwrap();
    let tables = usher::config::markdown_tables();
    is_generated("docs/settings.md", &format!("{before}<!-- settings -->\n{tables}<!-- /settings -->{after}"));
}

#[test]
fn the_example_file_lists_every_setting() {
    is_generated("config.toml", &usher::config::example_file());
}

#[test]
fn the_packages_settings_file_names_the_services_data_directory() {
    let text = usher::config::example_file();
    let (default, packaged) = ("# data_dir = \"\"\n", "data_dir = \"/var/lib/usher\"\n");
    assert_eq!(text.matches(default).count(), 1);
    is_generated("packaging/debian/config.toml", &text.replace(default, packaged));
}

/// The commands and expected output of the `console` blocks of a page, in order.
fn walk_through(page: &str) -> (String, Vec<String>) {
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let (mut script, mut expected) = (String::new(), Vec::new());
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => script.extend([command, "; echo\n"]),
            None => expected.push(line.to_owned()),
        }
    }
    (script, expected)
}

/// A line of output with ids and times replaced, as they differ from run to run.
fn without_ids_and_times(line: &str) -> String {
    let pattern = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{15}Z";
    regex::Regex::new(pattern).unwrap().replace_all(line, "…").into_owned()
}

#[test]
fn the_walk_through_in_the_readme_works_as_typed() {
    let server = Program::new(&[]).superuser().start();
    let (script, expected) = walk_through(include_str!("../README.md"));
    assert!(script.contains("127.0.0.1:7860") && expected.len() > 5);
    let script = script.replace("127.0.0.1:7860", &server.address.to_string());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<String> = printed.lines().filter(|line| !line.is_empty()).map(without_ids_and_times).collect();
    assert_eq!(printed, expected.iter().map(|line| without_ids_and_times(line)).collect::<Vec<_>>());
}

#[test]
fn the_documents_name_the_current_schema_version() {
    let version = usher::store::SCHEMA_VERSION.to_string();
    let doctor = include_str!("../docs/command-line.md").split_once("integrity_check passed, schema ").unwrap().1;
    assert!(doctor.starts_with(&format!("{version},")));
    let changelog = include_str!("../CHANGELOG.md");
    let newest = changelog.split_once("Schema version ").unwrap().1;
    assert!(newest.starts_with(&version));
    assert!(changelog.contains(&format!("\n| {version} | ")));
}

#[test]
fn every_path_in_architecture_md_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let spans = include_str!("../ARCHITECTURE.md").split('`').skip(1).step_by(2);
    let ends = ["/", ".rs", ".md", ".sql", ".toml"];
    let paths: Vec<_> = spans.filter(|span| ends.iter().any(|end| span.ends_with(end))).collect();
    assert!(paths.len() > 40);
    for path in paths {
        assert!(root.join("src").join(path).exists() || root.join(path).exists(), "{path}");
    }
}

#[test]
fn the_readme_and_the_architecture_stay_short() {
    for (page, most) in [(include_str!("../README.md"), 150), (include_str!("../ARCHITECTURE.md"), 120)] {
        assert!(page.lines().count() <= most);
    }
}

/// The Markdown files at the top and in `docs/`, each with its path.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [root.to_owned(), root.join("docs")].map(|dir| fs::read_dir(dir).unwrap());
    let files = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let pages = files.filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Adds the paths and the text of the Rust files below a directory.
fn read_sources(directory: &Path, sources: &mut String) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let module = path.to_str().unwrap().trim_end_matches(".rs").trim_end_matches("/mod");
            sources.extend([module, "\n", &fs::read_to_string(&path).unwrap()]);
        }
    }
}

/// After a rename, a command would run no test and still succeed.
#[test]
fn every_test_that_a_page_runs_by_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let command = regex::Regex::new(r"cargo test (?:--release )?--(?:test (\w+)|lib)((?: --| [a-z0-9_:]+)+)").unwrap();
    let mut count = 0;
    for (path, page) in pages() {
        for found in command.captures_iter(&page) {
            let folder = match found.get(1).map(|target| target.as_str()) {
                None => "src".to_owned(),
                // It runs the tests of several folders.
                Some("sqlite") => "tests".to_owned(),
                Some(target) => format!("tests/{target}"),
            };
            let mut sources = String::new();
            read_sources(&root.join(folder), &mut sources);
            let names = found[2].split([' ', ':']).filter(|name| !["", "--"].contains(name));
            for name in names {
                let exists = regex::Regex::new(&format!(r"(fn \w*{name}\w*\(|/\w*{name}\w*\n)")).unwrap();
                assert!(exists.is_match(&sources), "{}: {}", path.display(), &found[0]);
                count += 1;
            }
        }
    }
    assert!(count > 15, "{count}");
}

/// Tables, code blocks and lines with a URL can be wider.
#[test]
fn no_paragraph_is_wider_than_120_columns() {
    let mut wide = Vec::new();
    for (path, page) in pages() {
        let mut is_code = false;
        for (line, number) in page.lines().zip(1..) {
            is_code ^= line.trim_start().starts_with("```");
            let is_text = !is_code && !line.starts_with('|') && !line.starts_with("    ") && !line.contains("://");
            if is_text && line.chars().count() > 120 {
                wide.push(format!("{}:{number}", path.display()));
            }
        }
    }
    assert_eq!(wide, [""; 0]);
}

/// The links of a page that lead to files, without the places in them.
fn links(page: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
    links
        .filter(|link| !link.contains("://"))
        .map(|link| link.split_once('#').map_or((link, None), |(file, place)| (file, Some(place))))
}

/// Where links to the headings of a page lead.
fn places(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    headings.map(|heading| letters(&heading.to_lowercase()).replace(' ', "-")).collect()
}

#[test]
fn every_link_leads_to_something() {
    let mut count = 0;
    for (path, page) in pages() {
        for (file, place) in links(&page) {
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            assert!(target.exists(), "{}: {file}", path.display());
            if let Some(place) = place {
                let there = places(&fs::read_to_string(target).unwrap());
                assert!(there.iter().any(|heading| heading == place), "{}: {file}#{place}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_chapter_can_be_reached_from_the_readme() {
    let readme = include_str!("../README.md");
    for (path, _) in pages() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let linked = links(readme).any(|(file, _)| file.trim_start_matches("docs/") == name);
        assert!(linked || name == "README.md", "{name}");
    }
}

/// The Debian package has the pages where what they link to is in the same place beside them.
#[test]
fn links_lead_to_something_in_the_package_too() {
    const PLACE: &str = "usr/share/doc/usher/";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let folders: Vec<_> = assets
        .iter()
        .map(|asset| (asset[0].as_str().unwrap(), asset[1].as_str().unwrap()))
        .filter_map(|(from, to)| Some((from, to.strip_prefix(PLACE)?)))
        .collect();
    // Folders end with a slash; a pattern stands for everything below its first star.
    let packed = |file: &str| {
        folders.iter().any(|(from, to)| match from.split_once('*') {
            Some((folder, _)) => folder == *to && file.starts_with(folder),
            None => file == *from && Path::new(to).join(Path::new(from).file_name().unwrap()) == Path::new(file),
        })
    };
    for (path, page) in pages() {
        let own = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        assert!(packed(&own), "{own}");
        // The pictures are left out, as they are larger than all else.
        for (file, _) in links(&page).filter(|(file, _)| !file.is_empty() && !file.contains(".png")) {
            let target = path.with_file_name(file).canonicalize().unwrap();
            let target = target.strip_prefix(root.canonicalize().unwrap()).unwrap().to_str().unwrap().to_owned();
            let below = if root.join(&target).is_dir() { format!("{target}/") } else { target };
            assert!(packed(&below), "{own}: {below}");
        }
    }
}
