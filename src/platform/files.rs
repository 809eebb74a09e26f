//! Files in a directory that another user may control. Symbolic links are not followed, new files are exclusive, and
//! modes are changed through descriptors.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Opens a regular file for reading. Refuses symbolic links, and doesn't wait for the writer of a pipe.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    check_regular(no_follow(&mut options).open(path)?)
}

/// Whether this is a regular file, not a link, of the user that this process acts as. Always true where files have no
/// owner.
pub fn belongs_to_this_user(path: &Path) -> bool {
    let Ok(file) = open_regular(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        file.metadata().is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        true
    }
}

/// Creates a file that only its owner can read and write.
///
/// # Errors
/// If there is anything at `path`, even a dangling link.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Removes all permissions on a regular file except the owner's.
pub fn make_private(path: &Path) -> io::Result<()> {
    restrict(&open_regular(path)?, 0o600)
}

/// Reads a regular file of at most `max_bytes`.
pub fn read_regular(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    read_at_most(open_regular(path)?, max_bytes)
}

/// Reads at most `max_bytes`.
///
/// # Errors
/// If there is more to read.
pub fn read_at_most(file: impl io::Read, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // The metadata of a pipe or device doesn't tell the length.
    io::Read::read_to_end(&mut io::Read::take(file, max_bytes + 1), &mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::other(format!("it is larger than {max_bytes} bytes")));
    }
    Ok(bytes)
}

/// Fills `bytes` from the start of a file. Several threads can do that at the same time.
///
/// # Errors
/// If the file is shorter, or the system can't read at a position.
pub fn read_start(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Copies a regular file to a new private file.
pub fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let mut copy = create_private(to)?;
    io::copy(&mut open_regular(from)?, &mut copy)?;
    copy.sync_all()
}

/// Gives a file a second name, `name` or one that begins with it, and returns that name. Replaces nothing.
pub fn keep_copy(path: &Path, name: &Path) -> io::Result<PathBuf> {
    let mut kept = name.to_owned();
    let mut number = 1;
    loop {
        // Some file systems have no hard links.
        let linked = match fs::hard_link(path, &kept) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy_private(path, &kept),
            linked => linked,
        };
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
            linked => return linked.map(|()| kept),
        }
        kept = PathBuf::from(format!("{}-{number}", name.display()));
    }
}

/// Creates a directory that only its owner can enter, and its parents, and syncs them. Restricts an existing one.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|dir| !dir.exists()).collect();
    fs::create_dir_all(path)?;
    #[cfg(unix)]
    {
        let dir = no_follow(OpenOptions::new().read(true)).open(path)?;
        match restrict(&dir, 0o700) {
            // Somebody else's directory that this user can write, as Kubernetes makes with `fsGroup`.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_writable(path) => log::warn!(
                "{} belongs to another user, and usher can't take away the access of others; its files are private",
                path.display()
            ),
            outcome => outcome?,
        }
    }
    for parent in missing.iter().filter_map(|dir| dir.parent()) {
        sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// Whether this process can write a file, or create files in a directory.
#[cfg(unix)]
pub fn is_writable(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// Other systems say so when it is written.
#[cfg(not(unix))]
pub fn is_writable(_path: &Path) -> bool {
    true
}

/// Makes a rename in this directory survive a power cut.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// A file that appears at its path when it is complete. Until then it has a random name beside it. Dropping it removes
/// it.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    /// Renames the file if this process has dropped the privileges that it was created with.
    helper: Option<Child>,
    published: bool,
}

/// The target's name in the name of a temporary file, or of a file that SQLite puts beside one. `None` for other names.
pub fn target_of_temporary(name: &str) -> Option<&str> {
    let (front, suffix) = name.rsplit_once(".tmp")?;
    let (target, random) = front.rsplit_once('.')?;
    let is_random = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_random && ["", "-wal", "-shm", "-journal"].contains(&suffix)).then_some(target)
}

/// What the helper reads if the file is complete.
const COMPLETE: &[u8] = b"complete";

impl NewFile {
    /// Creates an empty private file.
    pub fn create(target: &Path) -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let mut name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{:016x}.tmp", u64::from_ne_bytes(random)));
        let temporary = target.with_file_name(name);
        let file = create_private(&temporary)?;
        Ok(Self { file, temporary, target: target.to_owned(), helper: None, published: false })
    }

    /// Starts a process with the current privileges that renames or removes the file, so that this process can drop
    /// them. `program` must call [`finish_for`] with its two arguments.
    pub fn spawn_helper(&mut self, mut program: Command) -> io::Result<()> {
        let dir = self.target.parent().filter(|dir| !dir.as_os_str().is_empty());
        program.args([&self.temporary, &self.target].map(|path| path.file_name().unwrap_or_default()));
        program.current_dir(dir.unwrap_or(Path::new("."))).stdin(Stdio::piped()).stdout(Stdio::null());
        // Ctrl-C must not end it before this process.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut program, 0);
        self.helper = Some(program.spawn()?);
        Ok(())
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The path until the file is published.
    pub fn temporary_path(&self) -> &Path {
        &self.temporary
    }

    /// Moves the file to its path without waiting for the disk. Replaces an existing file. For what matters only as
    /// long as the machine runs.
    pub fn publish_unsynced(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.target)?;
        self.published = true;
        Ok(())
    }

    /// Syncs the file and moves it to its path. Replaces an existing file.
    pub fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        let target = self.target.clone();
        self.publish_unsynced()?;
        sync_dir(target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    /// Syncs the file and moves it to its path.
    ///
    /// # Errors
    /// If there is a file by now.
    pub fn publish_new(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        match self.helper.take() {
            None => finish(&self.temporary, &self.target)?,
            Some(mut helper) => {
                if let Some(mut input) = helper.stdin.take() {
                    io::Write::write_all(&mut input, COMPLETE)?;
                }
                if !helper.wait()?.success() {
                    return Err(io::Error::other("the file couldn't be renamed"));
                }
            }
        }
        self.published = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(mut helper) = self.helper.take() {
            // The end of its input tells the helper to remove the file.
            drop(helper.stdin.take());
            let _ = helper.wait();
        } else if !self.published {
            // It may be gone already.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// The work of the process that [`NewFile::spawn_helper`] starts: renames the file when the other process says that it
/// is complete, and removes it if that process ends before.
pub fn finish_for(temporary: &Path, target: &Path) -> io::Result<()> {
    if read_at_most(io::stdin(), 64)? == COMPLETE { finish(temporary, target) } else { fs::remove_file(temporary) }
}

/// Renames a file without replacing another one, and syncs the directory.
fn finish(temporary: &Path, target: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, temporary, CWD, target, RenameFlags::NOREPLACE) {
            // Some file systems can't do it.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(temporary, target)?,
            renamed => renamed?,
        }
    }
    #[cfg(not(target_os = "linux"))]
    fs::rename(temporary, target)?;
    sync_dir(target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
    }
    options
}

fn check_regular(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    match (found.is_file(), found.is_dir()) {
        (true, _) => Ok(file),
        (_, true) => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

/// Removes the permissions that `mode` doesn't have. The owner alone can change them, so nothing is asked for if there
/// is nothing to remove.
#[cfg(unix)]
fn restrict(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match file.metadata()?.permissions().mode() & 0o7777 & !mode {
        0 => Ok(()),
        _ => file.set_permissions(fs::Permissions::from_mode(mode)),
    }
}

/// Other systems protect the user's data directory by its place.
#[cfg(not(unix))]
fn restrict(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn links_are_not_followed_and_new_files_are_exclusive() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join("link"));
        fs::write(&victim, "content").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&victim, &link).unwrap();
        assert!(open_regular(&link).is_err() && make_private(&link).is_err() && create_private(&link).is_err());
        assert!(copy_private(&link, &dir.path().join("copy")).is_err() && copy_private(&victim, &link).is_err());
        assert!(open_regular(dir.path()).is_err());
        assert_eq!(fs::metadata(&victim).unwrap().permissions().mode() & 0o777, 0o644);
        make_private(&victim).unwrap();
        assert_eq!(fs::metadata(&victim).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_new_file_appears_when_it_is_complete_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        let count = || fs::read_dir(dir.path()).unwrap().count();
        drop(NewFile::create(&target).unwrap());
        assert_eq!(count(), 0);
        NewFile::create(&target).unwrap().publish_new().unwrap();
        assert!(target.exists() && count() == 1);
        assert!(NewFile::create(&target).unwrap().publish_new().is_err());
        NewFile::create(&target).unwrap().publish().unwrap();
        assert_eq!(count(), 1);
    }
}
