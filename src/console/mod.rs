//! Owns the files of the console: the pages with which people manage accounts and read about the API. They are clients
//! of the public API like any other; nothing here knows how they are sent.

pub mod pages;

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
/// What somebody is shown who may not enter a site behind the proxy.
pub const CLOSED: &str = include_str!("closed.html");
/// The page to read and try the API.
pub const DOCS: &str = include_str!("docs.html");
/// How the pages look. It is part of each page, as a page that must ask for it is shown later.
pub const STYLE: &str = include_str!("style.css");
/// Loads a page's scripts once its frame was shown; part of each page too.
pub const BOOT: &str = include_str!("boot.js");
/// The picture beside the name, which the pages' scripts use too, by its id.
pub const LOGO: &str = include_str!("icon.svg");
/// The name of the file that browsers show beside a page's title.
pub const ICON: &str = "icon.svg";

/// What the console's page loads: the last one leads to all others.
pub const OUTSIDE: &[&str] = &[
    "vendor/preact.js",
    "vendor/hooks.js",
    "vendor/htm.js",
    "route.js",
    "api.js",
    "work.js",
    "ui.js",
    "focus.js",
    "entry.js",
    "sites.js",
    "app.js",
];
/// What it loads for somebody who is signed in, besides.
pub const INSIDE: &[&str] =
    &["shell.js", "users.js", "people.js", "user.js", "profile.js", "lists.js", "account.js", "audit.js"];
/// What the page about the API loads.
pub const READING: &[&str] =
    &["vendor/preact.js", "vendor/hooks.js", "vendor/htm.js", "route.js", "api.js", "work.js", "ui.js", "docs.js"];

/// Words that stand in the pages where something else belongs.
pub mod mark {
    /// [`super::STYLE`].
    pub const STYLE: &str = "STYLE";
    /// [`super::BOOT`].
    pub const BOOT: &str = "BOOT";
    /// [`super::LOGO`].
    pub const LOGO: &str = "LOGO";
    /// The path's prefix, by which a page knows whether it is where the server thinks.
    pub const BASE: &str = "BASE_PATH";
    /// Who may sign up: the setting's word.
    pub const SIGN_UP: &str = "SIGN_UP";
    /// The files' version.
    pub const VERSION: &str = "VERSION";
    /// Whether the browser is `known` or `new`.
    pub const VISITOR: &str = "VISITOR";
    /// The names of the scripts that are loaded, as a JavaScript array.
    pub const FILES: &str = "FILES";
    /// The one of them that leads to the others.
    pub const MAIN: &str = "MAIN";
}

/// What both load.
pub const FILES: &[File] = &[
    file!("icon.svg", "", "image/svg+xml"),
    file!("app.js", "", SCRIPT),
    file!("api.js", "", SCRIPT),
    file!("ui.js", "", SCRIPT),
    file!("work.js", "", SCRIPT),
    file!("route.js", "", SCRIPT),
    file!("focus.js", "", SCRIPT),
    file!("shell.js", "", SCRIPT),
    file!("lists.js", "", SCRIPT),
    file!("people.js", "", SCRIPT),
    file!("profile.js", "", SCRIPT),
    file!("entry.js", "", SCRIPT),
    file!("sites.js", "", SCRIPT),
    file!("users.js", "", SCRIPT),
    file!("user.js", "", SCRIPT),
    file!("account.js", "", SCRIPT),
    file!("audit.js", "", SCRIPT),
    file!("docs.js", "", SCRIPT),
    file!("preact.js", "vendor/", SCRIPT),
    file!("hooks.js", "vendor/", SCRIPT),
    file!("htm.js", "vendor/", SCRIPT),
];
