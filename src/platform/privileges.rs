//! Dropping root's privileges: root becomes the owner of the data directory before it touches a file there, because the
//! owner could plant links that root would follow.

use std::io;
use std::path::Path;

/// The user that root must become to work on a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirOwner {
    /// The user's id.
    pub uid: u32,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can become this user"))]
    gid: u32,
}

/// The owner of a directory, if this process is root's and the owner is another user. `None` also if the directory
/// doesn't exist.
pub fn owner_to_become(dir: &Path) -> io::Result<Option<DirOwner>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let found = match std::fs::File::open(dir) {
            Ok(opened) => opened.metadata()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // Root's group has rights of its own.
        let gid = if found.gid() == 0 { found.uid() } else { found.gid() };
        Ok((found.uid() != 0).then_some(DirOwner { uid: found.uid(), gid }))
    }
    #[cfg(not(unix))]
    {
        let _ = dir;
        Ok(None)
    }
}

impl DirOwner {
    /// Becomes this user for good. Must be called before other threads start. If `dir` or one of `files` can't be
    /// reached by this user, keeps the capability to read all files (`CAP_DAC_READ_SEARCH`): systemd's dynamic users
    /// have data in a directory that only root can enter.
    ///
    /// # Errors
    /// If the system refuses, or other threads run.
    pub fn assume(self, dir: &Path, files: &[&Path]) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Gid, Uid};
            use rustix::thread::{
                CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_no_new_privs,
                set_thread_groups, set_thread_res_gid, set_thread_res_uid,
            };
            // The kernel keeps an identity for each thread.
            if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() != 1) {
                return Err(io::Error::other("other threads are running"));
            }
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            set_keep_capabilities(true)?;
            set_thread_groups(&[])?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
            set_keep_capabilities(false)?;
            set_no_new_privs(true)?;
            // Capabilities are not effective at this point.
            let is_reachable = std::iter::once(dir).chain(files.iter().copied()).all(may_read);
            let kept = if is_reachable { CapabilitySet::empty() } else { CapabilitySet::DAC_READ_SEARCH };
            let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
            set_capabilities(None, sets)?;
            // Make sure that root's rights can't be regained.
            if set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
                return Err(io::Error::other("the system let this process become root again"));
            }
            Ok(())
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (dir, files);
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

/// Whether this process can read `path`. A missing file is reported when it is opened.
#[cfg(target_os = "linux")]
fn may_read(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;
    !matches!(accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS), Err(Errno::ACCESS | Errno::PERM))
}
