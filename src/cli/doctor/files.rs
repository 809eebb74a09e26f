//! Checks the data directory: owners and permissions, free space, leftover files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::doctor::{Report, format_size};
use crate::config::Config;
use crate::platform::files;
use crate::platform::inspect::{self, Access};
use crate::store::DATABASE_FILE;

const DIRECTORY: &str = "data directory";
const PERMISSIONS: &str = "permissions";
const SPACE: &str = "free space";
const LEFTOVERS: &str = "leftovers";

/// Below this, writes will fail soon.
const MIN_SPACE: u64 = 16 << 20;
/// Below this, space is low.
const LOW_SPACE: u64 = 256 << 20;

pub(super) fn check(config: &Config, report: &mut Report) {
    let dir = &config.data_dir;
    let listed = match fs::read_dir(dir) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect::<Vec<_>>(),
        Err(error) => {
            let remedy = "choose the server's data directory with --data-dir, or run this command as its user";
            report.problem(DIRECTORY, format!("{}: {error}", dir.display()), remedy);
            return;
        }
    };
    if let Some(kind) = inspect::network_file_system(dir) {
        let remedy = "choose a data directory on a local disk: SQLite's log isn't safe elsewhere";
        report.problem(DIRECTORY, format!("{} is on a network file system ({kind})", dir.display()), remedy);
    }
    if !inspect::may_write(dir) {
        let remedy = "run this command as the server's user, or make the directory writable for it";
        report.problem(DIRECTORY, format!("this user can't write to {}", dir.display()), remedy);
    }
    report.ok_if_clean(DIRECTORY, format!("{} exists and is writable", dir.display()));
    check_permissions(dir, &listed, report);
    check_space(dir, report);
    check_leftovers(dir, &listed, report);
}

/// Private files must belong to the directory's owner, who alone can use them.
fn check_permissions(dir: &Path, listed: &[PathBuf], report: &mut Report) {
    let Ok(Some(whole)) = inspect::access(dir) else {
        report.ok(PERMISSIONS, "not checked on this system");
        return;
    };
    if let Some(user) = inspect::user().filter(|user| *user != 0 && *user != whole.owner) {
        let found = format!("{} belongs to user {}, and this is user {user}", dir.display(), whole.owner);
        report.warning(PERMISSIONS, found, "run this command as the server's user");
    }
    let mut paths = vec![dir.to_owned()];
    paths.extend(listed.iter().filter(|path| is_private_file(path)).cloned());
    let backups = dir.join(crate::store::backup::retention::DIRECTORY);
    if let Ok(kept) = crate::store::backup::retention::list(dir) {
        paths.extend(kept.into_iter().map(|kept| kept.path));
        paths.extend(backups.is_dir().then_some(backups));
    }
    for path in &paths {
        if let Ok(Some(access)) = inspect::access(path) {
            check_access(path, access, whole.owner, report);
        }
    }
    report.ok_if_clean(PERMISSIONS, format!("only user {} can use the files", whole.owner));
}

/// Whether a file in the data directory is one that other users must not read.
fn is_private_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ["usher.db", "secret_key", "setup-link"].iter().any(|start| name.starts_with(start))
}

fn check_access(path: &Path, access: Access, owner: u32, report: &mut Report) {
    let shown = path.display();
    if access.owner != owner {
        let found = format!("{shown} belongs to user {}, the data directory to user {owner}", access.owner);
        report.problem(PERMISSIONS, found, format!("chown {owner} {shown}"));
    } else if access.mode & 0o077 != 0 {
        let found = format!("other users can access {shown} (mode {:o})", access.mode);
        let mode = if path.is_dir() { "700" } else { "600" };
        report.warning(PERMISSIONS, found, format!("chmod {mode} {shown}"));
    } else if access.mode & 0o600 != 0o600 {
        let found = format!("the owner can't read and write {shown} (mode {:o})", access.mode);
        report.problem(PERMISSIONS, found, format!("chmod u+rw {shown}"));
    }
}

fn check_space(dir: &Path, report: &mut Report) {
    let database = fs::metadata(dir.join(DATABASE_FILE)).map_or(0, |found| found.len());
    match inspect::space(dir) {
        Err(error) => {
            report.warning(SPACE, format!("{}: {error}", dir.display()), "run this command as the server's user");
        }
        Ok(None) => report.ok(SPACE, "not checked on this system"),
        Ok(Some(space)) => {
            let found = format!("{} are free, the database takes {}", format_size(space.bytes), format_size(database));
            let remedy = "free space on that disk, or move the data directory to a larger one";
            if space.files == Some(0) {
                report.problem(SPACE, "the file system has no room for another file", "delete files on that disk");
            } else if space.bytes < MIN_SPACE {
                report.problem(SPACE, found, remedy);
            } else if space.bytes < LOW_SPACE.max(2 * database) {
                report.warning(SPACE, format!("{found}; making a backup needs twice that"), remedy);
            } else {
                report.ok(SPACE, found);
            }
        }
    }
}

/// Lists copies that were kept on purpose, and temporary files of interrupted commands.
fn check_leftovers(dir: &Path, listed: &[PathBuf], report: &mut Report) {
    let named = |path: &PathBuf, test: &dyn Fn(&str) -> bool| {
        path.file_name().and_then(std::ffi::OsStr::to_str).is_some_and(test)
    };
    let kept = |name: &str| {
        name.starts_with("usher.db.before-restore-")
            || name.starts_with("usher.db.version-")
            || name.starts_with("secret_key.until-")
    };
    let temporary = |name: &str| files::target_of_temporary(name).is_some();
    let of = |test: &dyn Fn(&str) -> bool| {
        let found: Vec<&PathBuf> = listed.iter().filter(|path| named(path, test)).collect();
        let bytes: u64 = found.iter().filter_map(|path| fs::metadata(path).ok()).map(|found| found.len()).sum();
        let names: Vec<_> =
            found.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect();
        (names, bytes)
    };
    let (steps, _) = of(&temporary);
    if !steps.is_empty() {
        let found = format!("left by an interrupted command: {}", steps.join(", "));
        report.warning(LEFTOVERS, found, format!("delete them from {}", dir.display()));
    }
    let (names, bytes) = of(&kept);
    let text = match names.len() {
        0 => "none".to_owned(),
        count => {
            format!(
                "copies from before upgrades, restores and key rotations, which you can delete: {count} ({})",
                format_size(bytes)
            )
        }
    };
    report.ok_if_clean(LEFTOVERS, text);
}
