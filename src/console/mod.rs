//! Owns the files of the console: the pages with which people manage accounts and read about the API. They are clients
//! of the public API like any other; nothing here knows how they are sent.

/// A file that the pages load.
pub struct File {
    /// The last part of its address.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub body: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $folder:literal, $content_type:expr) => {
        File { name: $name, content_type: $content_type, body: include_bytes!(concat!($folder, $name)) }
    };
}

/// The console's page, which also serves the links for setup and for a new password.
pub const APP: &str = include_str!("index.html");
/// The page to read and try the API.
pub const DOCS: &str = include_str!("docs.html");
/// Stands in the pages where the files' version belongs.
pub const VERSION_MARK: &str = "VERSION";
/// Stands in the pages where the path's prefix belongs, by which a page knows whether it is where the server thinks.
pub const BASE_MARK: &str = "BASE_PATH";

/// What both load.
pub const FILES: &[File] = &[
    file!("style.css", "", "text/css; charset=utf-8"),
    file!("icon.svg", "", "image/svg+xml"),
    file!("app.js", "", SCRIPT),
    file!("api.js", "", SCRIPT),
    file!("ui.js", "", SCRIPT),
    file!("lists.js", "", SCRIPT),
    file!("entry.js", "", SCRIPT),
    file!("users.js", "", SCRIPT),
    file!("user.js", "", SCRIPT),
    file!("account.js", "", SCRIPT),
    file!("audit.js", "", SCRIPT),
    file!("docs.js", "", SCRIPT),
    file!("preact.js", "vendor/", SCRIPT),
    file!("hooks.js", "vendor/", SCRIPT),
    file!("htm.js", "vendor/", SCRIPT),
];
