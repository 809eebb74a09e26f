//! A SQLite VFS in front of the system's VFS. It reports each call to the watch of the file.
#![expect(unsafe_code, reason = "SQLite's file layer is an interface in C")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::Arc;

use rusqlite::ffi;

use super::{Event, Fault, WATCHES, Watch, held};

/// SQLite's memory for an open file: this struct, followed by the system VFS's.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    about: *mut About,
}

struct About {
    watch: Arc<Watch>,
    id: u64,
}

/// Makes the layer the process's default VFS.
pub(super) fn install() {
    // SAFETY: the system's layer is static; ours is a leaked copy of it with other functions, and so lives as long.
    unsafe {
        let system = ffi::sqlite3_vfs_find(std::ptr::null());
        assert!(!system.is_null(), "SQLite has a layer for files");
        let mut ours = *system;
        ours.szOsFile += c_int::try_from(size_of::<File>()).unwrap();
        ours.zName = c"watched".as_ptr();
        ours.pAppData = system.cast();
        ours.pNext = std::ptr::null_mut();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        ours.xAccess = Some(access);
        ours.xFullPathname = Some(full_path);
        ours.xSleep = Some(sleep);
        assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1), ffi::SQLITE_OK);
    }
}

/// The system's VFS, behind ours.
unsafe fn system(vfs: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    unsafe { (*vfs).pAppData.cast() }
}

/// The system's file, behind ours.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    unsafe { file.cast::<File>().add(1).cast() }
}

unsafe fn about<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a About> {
    unsafe { (*file.cast::<File>()).about.as_ref() }
}

/// The watch of a path and the file's name in its directory.
unsafe fn watched(name: *const c_char) -> Option<(Arc<Watch>, String)> {
    if name.is_null() {
        return None;
    }
    let path = Path::new(unsafe { CStr::from_ptr(name) }.to_str().ok()?);
    let watch = held(&WATCHES).get(path.parent()?).cloned()?;
    Some((watch, path.file_name()?.to_str()?.to_owned()))
}

/// Calls a function of the system's file.
macro_rules! forward {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let file = inner($file);
        match (*(*file).pMethods).$method {
            Some(method) => method(file $(, $argument)*),
            None => ffi::SQLITE_ERROR,
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    unsafe {
        (*file).pMethods = std::ptr::null();
        let system = system(vfs);
        let Some(open) = (*system).xOpen else { return ffi::SQLITE_CANTOPEN };
        let watched = watched(name);
        if let Some((watch, _)) = &watched
            && watch.fault() == Some(Fault::Everything)
        {
            return ffi::SQLITE_CANTOPEN;
        }
        let creates = flags & ffi::SQLITE_OPEN_CREATE != 0;
        let log = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
        let code = open(system, name, inner(file), flags, out_flags);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let about = watched.map(|(watch, name)| {
            let id = {
                let mut opened = held(&watch.opened);
                *opened += 1;
                *opened
            };
            watch.record(Event::Open { file: id, name, durable: creates && log });
            Box::into_raw(Box::new(About { watch, id }))
        });
        (*file.cast::<File>()).about = about.unwrap_or(std::ptr::null_mut());
        (*file).pMethods = &raw const METHODS;
        code
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    unsafe {
        let system = system(vfs);
        let Some(delete) = (*system).xDelete else { return ffi::SQLITE_ERROR };
        let code = delete(system, name, sync_dir);
        if code == ffi::SQLITE_OK
            && let Some((watch, name)) = watched(name)
        {
            watch.record(Event::Delete { name, synced: sync_dir != 0 });
        }
        code
    }
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, flags: c_int, found: *mut c_int) -> c_int {
    unsafe {
        let system = system(vfs);
        (*system).xAccess.map_or(ffi::SQLITE_ERROR, |access| access(system, name, flags, found))
    }
}

unsafe extern "C" fn full_path(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    unsafe {
        let system = system(vfs);
        (*system).xFullPathname.map_or(ffi::SQLITE_ERROR, |full| full(system, name, size, out))
    }
}

/// SQLite counts the requested sleep, not the actual one. With an injected lock, five seconds pass at once.
unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    if held(&WATCHES).values().any(|watch| watch.fault() == Some(Fault::Locked)) {
        return micros;
    }
    unsafe {
        let system = system(vfs);
        (*system).xSleep.map_or(0, |sleep| sleep(system, micros))
    }
}

/// With locks and shared memory, but without memory-mapped pages, whose changes can't be recorded.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe {
        let ours = &mut *file.cast::<File>();
        if !ours.about.is_null() {
            drop(Box::from_raw(ours.about));
            ours.about = std::ptr::null_mut();
        }
        forward!(file, xClose)
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, amount: c_int, offset: i64) -> c_int {
    unsafe {
        if about(file).is_some_and(|about| about.watch.fault() == Some(Fault::Everything)) {
            return ffi::SQLITE_IOERR_READ;
        }
        forward!(file, xRead, into, amount, offset)
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, amount: c_int, offset: i64) -> c_int {
    unsafe {
        if let Some(about) = about(file) {
            if let Some(code) = about.watch.write_fault() {
                return code;
            }
            let data = std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(amount).unwrap_or(0)).to_vec();
            about.watch.record(Event::Write { file: about.id, offset: offset.cast_unsigned(), data });
        }
        forward!(file, xWrite, from, amount, offset)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    unsafe {
        if let Some(about) = about(file) {
            if let Some(code) = about.watch.write_fault() {
                return code;
            }
            about.watch.record(Event::Truncate { file: about.id, size: size.cast_unsigned() });
        }
        forward!(file, xTruncate, size)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    unsafe {
        let Some(about) = about(file) else { return forward!(file, xSync, flags) };
        if matches!(about.watch.fault(), Some(Fault::Writes | Fault::Syncs | Fault::Everything)) {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        // The record alone decides what the disk keeps, so a real sync would only take time.
        about.watch.record(Event::Sync { file: about.id });
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    unsafe { forward!(file, xFileSize, size) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    unsafe { forward!(file, xLock, level) }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    unsafe { forward!(file, xUnlock, level) }
}

unsafe extern "C" fn check_reserved(file: *mut ffi::sqlite3_file, found: *mut c_int) -> c_int {
    unsafe { forward!(file, xCheckReservedLock, found) }
}

unsafe extern "C" fn control(file: *mut ffi::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    unsafe { forward!(file, xFileControl, op, argument) }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe { forward!(file, xSectorSize) }
}

unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe { forward!(file, xDeviceCharacteristics) }
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    unsafe { forward!(file, xShmMap, page, size, extend, out) }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    unsafe {
        // Slot 0 is the write lock (SQLite's WAL format, section 2.3).
        let takes_writer = offset == 0 && flags & ffi::SQLITE_SHM_LOCK != 0 && flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
        if takes_writer && about(file).is_some_and(|about| about.watch.fault() == Some(Fault::Locked)) {
            return ffi::SQLITE_BUSY;
        }
        forward!(file, xShmLock, offset, count, flags)
    }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    unsafe {
        let file = inner(file);
        if let Some(barrier) = (*(*file).pMethods).xShmBarrier {
            barrier(file);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    unsafe { forward!(file, xShmUnmap, delete) }
}
