//! Owns what the doctor says of the data directory: whose its files are, who else can use them, how much room is left,
//! what lies around.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::doctor::{Report, size};
use crate::config::Config;
use crate::platform::inspect::{self, Access};
use crate::store::DATABASE_FILE;

const DIRECTORY: &str = "data directory";
const PERMISSIONS: &str = "permissions";
const SPACE: &str = "free space";
const LEFTOVERS: &str = "leftovers";

/// Below this nothing works for long.
const TOO_LITTLE: u64 = 16 << 20;
/// Below this it will soon be so.
const LITTLE: u64 = 256 << 20;

/// Looks at it.
pub(super) fn look(config: &Config, report: &mut Report) {
    let dir = &config.data_dir;
    let listed = match fs::read_dir(dir) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect::<Vec<_>>(),
        Err(error) => {
            let remedy = "choose the data directory of the server by --data-dir, or run this as its user";
            report.problem(DIRECTORY, format!("{}: {error}", dir.display()), remedy);
            return;
        }
    };
    if let Some(kind) = inspect::network_file_system(dir) {
        let remedy = "choose a data directory on a disk of this machine: SQLite's log is not safe elsewhere";
        report.problem(DIRECTORY, format!("{} is on a network file system ({kind})", dir.display()), remedy);
    }
    if !inspect::may_write(dir) {
        let remedy = "run this as the server's user, or make the directory writable for it";
        report.problem(DIRECTORY, format!("{} cannot be written by this user", dir.display()), remedy);
    }
    report.ok_unless_said(DIRECTORY, format!("{} is there and can be written", dir.display()));
    permissions(dir, &listed, report);
    space(dir, report);
    leftovers(dir, &listed, report);
}

/// What is private, and must be the server's own.
fn permissions(dir: &Path, listed: &[PathBuf], report: &mut Report) {
    let Ok(Some(whole)) = inspect::access(dir) else {
        report.ok(PERMISSIONS, "not looked at: this system has others");
        return;
    };
    if let Some(user) = inspect::user().filter(|user| *user != 0 && *user != whole.owner) {
        let found = format!("{} belongs to user {}, and this is user {user}", dir.display(), whole.owner);
        report.warning(PERMISSIONS, found, "run this as the server's user");
    }
    let mut paths = vec![dir.to_owned()];
    paths.extend(listed.iter().filter(|path| ours(path)).cloned());
    let shelf = dir.join(crate::store::backup::retention::DIRECTORY);
    if let Ok(kept) = crate::store::backup::retention::list(dir) {
        paths.extend(kept.into_iter().map(|kept| kept.path));
        paths.extend(shelf.is_dir().then_some(shelf));
    }
    for path in &paths {
        if let Ok(Some(access)) = inspect::access(path) {
            private(path, access, whole.owner, report);
        }
    }
    report.ok_unless_said(PERMISSIONS, format!("everything belongs to user {} alone", whole.owner));
}

/// Whether a file in the data directory is one of usher's that others must not read.
fn ours(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ["usher.db", "secret_key", "setup-link"].iter().any(|start| name.starts_with(start))
}

fn private(path: &Path, access: Access, owner: u32, report: &mut Report) {
    let shown = path.display();
    if access.owner != owner {
        let found = format!("{shown} belongs to user {}, the data directory to user {owner}", access.owner);
        report.problem(PERMISSIONS, found, format!("chown {owner} {shown}"));
    } else if access.mode & 0o077 != 0 {
        let found = format!("others can use {shown} (mode {:o})", access.mode);
        let mode = if path.is_dir() { "700" } else { "600" };
        report.warning(PERMISSIONS, found, format!("chmod {mode} {shown}"));
    } else if access.mode & 0o600 != 0o600 {
        let found = format!("its own user cannot read and write {shown} (mode {:o})", access.mode);
        report.problem(PERMISSIONS, found, format!("chmod u+rw {shown}"));
    }
}

fn space(dir: &Path, report: &mut Report) {
    let database = fs::metadata(dir.join(DATABASE_FILE)).map_or(0, |found| found.len());
    match inspect::space(dir) {
        Err(error) => report.warning(SPACE, format!("{}: {error}", dir.display()), "run this as the server's user"),
        Ok(None) => report.ok(SPACE, "not looked at: this system tells it otherwise"),
        Ok(Some(space)) => {
            let found = format!("{} are free, the database has {}", size(space.bytes), size(database));
            let remedy = "make room on that disk, or move the data directory to a larger one";
            if space.files == Some(0) {
                report.problem(SPACE, "the file system holds as many files as it can", "delete files on that disk");
            } else if space.bytes < TOO_LITTLE {
                report.problem(SPACE, found, remedy);
            } else if space.bytes < LITTLE.max(2 * database) {
                report.warning(SPACE, format!("{found}; a backup takes twice that while it is made"), remedy);
            } else {
                report.ok(SPACE, found);
            }
        }
    }
}

/// Copies that were kept on purpose, and steps of works that were cut off.
fn leftovers(dir: &Path, listed: &[PathBuf], report: &mut Report) {
    let named = |path: &PathBuf, test: &dyn Fn(&str) -> bool| {
        path.file_name().and_then(std::ffi::OsStr::to_str).is_some_and(test)
    };
    let kept = |name: &str| {
        name.starts_with("usher.db.before-restore-")
            || name.starts_with("usher.db.version-")
            || name.starts_with("secret_key.until-")
    };
    let step = |name: &str| name == "usher.db.restored" || name == "secret_key.new" || name.starts_with("import-");
    let of = |test: &dyn Fn(&str) -> bool| {
        let found: Vec<&PathBuf> = listed.iter().filter(|path| named(path, test)).collect();
        let bytes: u64 = found.iter().filter_map(|path| fs::metadata(path).ok()).map(|found| found.len()).sum();
        let names: Vec<_> =
            found.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect();
        (names, bytes)
    };
    let (steps, _) = of(&step);
    if !steps.is_empty() {
        let found = format!("left by a command that was cut off: {}", steps.join(", "));
        report.warning(LEFTOVERS, found, format!("delete them from {}", dir.display()));
    }
    let (names, bytes) = of(&kept);
    let text = match names.len() {
        0 => "none".to_owned(),
        count => {
            format!("kept from before updates, restores and new keys, to be deleted at will: {count} ({})", size(bytes))
        }
    };
    report.ok_unless_said(LEFTOVERS, text);
}
