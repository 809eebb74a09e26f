//! The README says what the code does, and its links and those of the other pages lead somewhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The table of settings stands in the README as the code makes it.
#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("<!-- settings -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /settings -->").unwrap();
    assert_eq!(table, usher::config::markdown_table());
}

/// README, SECURITY and the chapters below `docs/`, each with its path.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let chapters = chapters.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let all = ["README.md", "SECURITY.md"].map(|name| root.join(name)).into_iter().chain(chapters);
    all.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
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
