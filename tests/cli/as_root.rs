//! Commands of root on another user's data directory, in which that user plants links.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use needs::needs;
use tempfile::TempDir;

use crate::helpers::{PASSWORD, done, names, server, token, usher};
use crate::support::Program;
use crate::support::process::ProcessOutput;
use crate::support::wait::until;

/// A user who isn't root.
const OWNER: u32 = 65_534;

/// A data directory of `OWNER`, in a directory that only root can enter.
fn owned() -> Arc<TempDir> {
    let server = server();
    token(&server, "admin", "adminpw123");
    let dir = Arc::clone(&server.dir);
    server.stop();
    give(&dir.path().join("data"));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    dir
}

/// Changes the owner of a directory and its files to `OWNER`.
fn give(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        chown(entry.unwrap().path(), Some(OWNER), Some(OWNER)).unwrap();
    }
    chown(dir, Some(OWNER), Some(OWNER)).unwrap();
}

/// Asserts that all files in the data directory belong to its owner.
#[track_caller]
fn assert_owned(dir: &Path) {
    for name in names(dir) {
        let path = dir.join(&name);
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o077), (OWNER, 0), "{name}");
        if found.is_dir() {
            assert_owned(&path);
        }
    }
}

/// The content, mode and owner of a file, and the names in a directory.
fn state(victims: &Path) -> (Vec<u8>, u32, u32, u32, Vec<String>) {
    let (file, dir) = (fs::metadata(victims.join("file")).unwrap(), fs::metadata(victims.join("dir")).unwrap());
    let content = fs::read(victims.join("file")).unwrap();
    (content, file.mode(), file.uid(), dir.mode(), [names(victims), names(&victims.join("dir"))].concat())
}

/// Puts a link to the victim in the place of the file, in a copy of the directory, and runs every command.
fn assert_no_command_follows(original: &Path, name: &str, victim: &str) {
    let dir = Arc::new(TempDir::new().unwrap());
    let copied = std::process::Command::new("cp").arg("-a").arg(original.join(".")).arg(dir.path()).status();
    assert!(copied.unwrap().success());
    let (data, victims) = (dir.path().join("data"), dir.path().join("victims"));
    fs::create_dir_all(victims.join("dir")).unwrap();
    fs::write(victims.join("file"), "root's own").unwrap();
    fs::set_permissions(victims.join("file"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(victims.join("dir"), fs::Permissions::from_mode(0o755)).unwrap();
    let before = state(&victims);
    let link = data.join(name);
    let _ = fs::remove_dir_all(&link).or_else(|_| fs::remove_file(&link));
    symlink(victims.join(victim), &link).unwrap();
    for arguments in [
        &["user", "list"][..],
        &["backup", "again.gz"],
        &["export", "again.jsonl"],
        &["import", "usher", "e.jsonl"],
        &["doctor"],
        &["rotate-secret", "--yes"],
        &["restore", "b.gz", "--yes"],
    ] {
        let ended = Program::in_dir(&dir, arguments).finish();
        assert_eq!(state(&victims), before, "{name} -> {victim}: {arguments:?}: {ended:?}");
        for file in ["again.gz", "again.jsonl"] {
            let _ = fs::remove_file(dir.path().join(file));
        }
    }
    let started = Program::in_dir(&dir, &[]).env("USHER_BACKUP_SCHEDULE", "daily").try_start();
    drop(started.map(crate::support::process::ServerProcess::stop));
    assert_eq!(state(&victims), before, "{name} -> {victim}: serve");
}

#[needs(root)]
#[test]
fn root_commands_follow_no_links_in_the_data_directory() {
    let links = [
        ("usher.db-shm", "file"),
        ("usher.db-wal", "file"),
        ("usher.db-journal", "file"),
        ("usher.db.version-5", "file"),
        ("usher.db.restored", "file"),
        ("usher.db.new", "file"),
        ("secret_key", "file"),
        ("secret_key.new", "file"),
        ("secret_key.next", "file"),
        ("setup-link", "file"),
        ("config.toml", "file"),
        ("usher.db", "file"),
        ("usher.db", "absent"),
        ("secret_key", "absent"),
        ("secret_key.next", "absent"),
        ("usher.db-wal", "absent"),
        ("usher.db-shm", "absent"),
        ("backups", "dir"),
    ];
    let dir = owned();
    done(&dir, &["backup", "b.gz"]);
    done(&dir, &["export", "e.jsonl"]);
    std::thread::scope(|scope| {
        for some in links.chunks(5) {
            let all = || some.iter().for_each(|(name, victim)| assert_no_command_follows(dir.path(), name, victim));
            scope.spawn(all);
        }
    });
}

#[needs(root)]
#[test]
fn root_commands_run_as_the_owner_but_write_other_files_as_root() {
    let dir = owned();
    let data = dir.path().join("data");
    assert!(done(&dir, &["user", "list"]).contains("admin"));
    Program::in_dir(&dir, &["user", "add", "ann"]).input(PASSWORD).finish();
    assert_owned(&data);
    done(&dir, &["backup", "b.gz"]);
    done(&dir, &["export", "e.jsonl"]);
    for name in ["b.gz", "e.jsonl"] {
        let found = fs::metadata(dir.path().join(name)).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o600), "{name}");
    }
    assert_eq!(names(dir.path()), ["b.gz", "data", "e.jsonl"]);
    // Only root can read these.
    done(&dir, &["restore", "b.gz", "--yes"]);
    done(&dir, &["rotate-secret", "--yes"]);
    Program::in_dir(&dir, &["user", "delete", "ann", "--yes"]).finish();
    assert!(done(&dir, &["import", "usher", "e.jsonl"]).contains("imported: 1 user"));
    assert_owned(&data);
    assert!(usher(&dir, &["doctor"]).status.success());
}

#[needs(root)]
#[test]
fn a_failed_root_command_leaves_no_file() {
    let dir = owned();
    fs::remove_file(dir.path().join("data/usher.db")).unwrap();
    for arguments in [["backup", "b.gz"], ["export", "e.jsonl"]] {
        let ended = usher(&dir, &arguments);
        assert!(ended.stderr.contains("doesn't exist") || ended.stderr.contains("does not exist"), "{ended:?}");
        assert_eq!(names(dir.path()), ["data"]);
    }
}

#[needs(root)]
#[test]
fn a_server_started_by_root_runs_as_the_owner_of_its_data() {
    let dir = owned();
    let server = Program::in_dir(&dir, &[]).start();
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let owner = OWNER.to_string();
    assert_eq!((field("Uid:"), field("Gid:")), (vec![owner.clone(); 4], vec![owner.clone(); 4]));
    assert_eq!((field("Groups:"), field("NoNewPrivs:")), (Vec::new(), vec!["1".to_owned()]));
    // Only root can enter the directory above, so the process keeps CAP_DAC_READ_SEARCH, and nothing else.
    assert_eq!(
        (field("CapEff:"), field("CapPrm:")),
        (vec!["0000000000000004".into()], vec!["0000000000000004".into()])
    );
    token(&server, "admin", "adminpw123");
    server.stop();
    assert_owned(&dir.path().join("data"));

    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let server = Program::in_dir(&dir, &[]).start();
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
}

#[needs(root)]
#[test]
fn a_directory_its_owner_cannot_write_is_refused_with_the_remedy() {
    let dir = owned();
    let data: PathBuf = dir.path().join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o500)).unwrap();
    let ended: ProcessOutput = usher(&dir, &["user", "list"]);
    assert!(!ended.status.success() && ended.stderr.contains("sudo -u '#65534' usher"), "{ended:?}");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
}

#[needs(root)]
#[test]
fn a_data_directory_of_roots_that_the_group_can_write_is_used_with_a_warning() {
    use std::os::unix::process::CommandExt;
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("usher");
    // By another process: what other tests start meanwhile would inherit the open file, and nothing could run it.
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_usher")).arg(&program).status();
    assert!(copied.unwrap().success());
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    chown(&data, Some(0), Some(OWNER)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o2770)).unwrap();
    let start = || {
        let mut command = std::process::Command::new(&program);
        command.args(["serve", "--port-file", "port"]).env_clear().env("USHER_BIND", "127.0.0.1:0");
        command.env("USHER_DATA_DIR", &data).current_dir(&data).uid(OWNER).gid(OWNER);
        command.stderr(fs::File::create(dir.path().join("log")).unwrap());
        command.spawn().unwrap()
    };
    let log = || fs::read_to_string(dir.path().join("log")).unwrap();
    let mut server = start();
    until("the server neither starts nor ends", || data.join("port").exists() || server.try_wait().unwrap().is_some());
    let started = server.try_wait().unwrap().is_none();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(started && log().contains("belongs to another user"), "{}", log());
    assert_eq!(fs::metadata(data.join("usher.db")).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(data.join("usher.db-wal")).unwrap();
    fs::set_permissions(data.join("usher.db"), fs::Permissions::from_mode(0o400)).unwrap();
    let ended = start().wait().unwrap();
    let said = "usher.db: permission denied; make it readable and writable for usher";
    assert!(!ended.success() && log().contains(said), "{}", log());
}
