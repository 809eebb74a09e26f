//! The file that `backup` and `export` write. It appears when it is complete. `-` stands for standard output.

use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::Failure;
use crate::platform::files::NewFile;

/// The hidden command that completes a file for a process that has dropped its privileges.
pub(super) const HELPER_COMMAND: &str = "finish-file";

/// A file that will be written.
pub(super) struct OutputFile {
    path: PathBuf,
    /// `None` until it is opened, so that an early Ctrl-C leaves no file.
    file: Option<NewFile>,
    /// The directory for the work's own temporary files, if it isn't the data directory.
    scratch: Option<PathBuf>,
}

impl OutputFile {
    /// Checks the path. `example` is a name for a message. If this process is about to drop its privileges, creates the
    /// file, and a helper process keeps the privileges to rename or remove it.
    pub fn prepare(path: &Path, example: &str, drops_privileges: bool) -> Result<Self, Failure> {
        let shown = path.display();
        if path == Path::new("-") {
            return Ok(Self { path: path.to_owned(), file: None, scratch: None });
        }
        if path.is_dir() {
            let example = path.join(example);
            return Err(format!("{shown} is a directory; name a file in it, such as {}", example.display()).into());
        }
        if path.symlink_metadata().is_ok() {
            return Err(format!("{shown} exists; move it away, or choose another name").into());
        }
        let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            return Err(format!("{} is not a directory; create it, or choose another place", parent.display()).into());
        }
        if !drops_privileges {
            return Ok(Self { path: path.to_owned(), file: None, scratch: Some(parent.to_owned()) });
        }
        let mut file = NewFile::create(path).map_err(|error| format!("{shown}: {error}"))?;
        let mut helper = Command::new(std::env::current_exe()?);
        helper.arg(HELPER_COMMAND);
        file.spawn_helper(helper)?;
        Ok(Self { path: path.to_owned(), file: Some(file), scratch: None })
    }

    /// Whether the file goes to standard output.
    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory for temporary files of the work.
    pub fn scratch<'a>(&'a self, data_dir: &'a Path) -> &'a Path {
        self.scratch.as_deref().unwrap_or(data_dir)
    }

    /// Opens the file. For standard output, it is a temporary file in the data directory.
    pub fn open(&mut self, data_dir: &Path) -> io::Result<File> {
        let file = match self.file.take() {
            Some(file) => file,
            None if self.is_stdout() => NewFile::create(&data_dir.join("output"))?,
            None => NewFile::create(&self.path)?,
        };
        self.file.insert(file).file().try_clone()
    }

    /// Makes the file appear, or writes it to standard output.
    pub fn publish(self) -> io::Result<()> {
        let Some(file) = self.file else { return Ok(()) };
        if self.path != Path::new("-") {
            return file.publish_new();
        }
        let mut written = file.file();
        written.rewind()?;
        io::copy(&mut written, &mut io::stdout().lock()).map(drop)
    }
}
