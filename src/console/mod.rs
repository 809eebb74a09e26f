//! The console's files: the pages that manage accounts and show the API reference. They are clients of the public API.

pub mod pages;

/// A file that the pages load.
pub struct File {
    /// The last segment of its path.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub body: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $folder:literal, $content_type:expr) => {
        File { name: $name, content_type: $content_type, body: include_bytes!(concat!($folder, $name)) }
    };
}

/// The console's page. It also handles setup links and reset links.
pub const APP: &str = include_str!("index.html");
/// The page for a user who has no access to a site behind the proxy.
pub const ACCESS_DENIED: &str = include_str!("access_denied.html");
/// The page for an unknown address.
pub const NOT_FOUND: &str = include_str!("not_found.html");
/// The API reference.
pub const DOCS: &str = include_str!("docs.html");
/// The style sheet. Each page contains it, as loading it would delay the first paint.
pub const STYLE: &str = include_str!("style.css");
/// Loads a page's scripts after the first paint. Each page contains it.
pub const BOOT: &str = include_str!("boot.js");
/// The logo. The scripts refer to it by its id.
pub const LOGO: &str = include_str!("icon.svg");
/// The file name of the favicon.
pub const ICON: &str = "icon.svg";

/// The scripts of the console's page; the last one imports the others.
pub const SIGNED_OUT_SCRIPTS: &[&str] = &[
    "vendor/preact.js",
    "vendor/hooks.js",
    "vendor/htm.js",
    "texts.js",
    "routing.js",
    "api.js",
    "async.js",
    "ui.js",
    "focus.js",
    "passkeys.js",
    "sign_in.js",
    "second_step.js",
    "return_to.js",
    "app.js",
];
/// The additional scripts for a signed-in user.
pub const SIGNED_IN_SCRIPTS: &[&str] = &[
    "shell.js",
    "users.js",
    "user_badges.js",
    "user.js",
    "links.js",
    "invitations.js",
    "profile.js",
    "credentials.js",
    "account.js",
    "security.js",
    "enroll.js",
    "again.js",
    "audit.js",
    "export.js",
    "bulk.js",
    "activity.js",
    "server.js",
    "own_data.js",
    "deletion_request.js",
    "typed_confirm.js",
];
/// The scripts of the API reference.
pub const DOCS_SCRIPTS: &[&str] = &[
    "vendor/preact.js",
    "vendor/hooks.js",
    "vendor/htm.js",
    "texts.js",
    "routing.js",
    "api.js",
    "async.js",
    "ui.js",
    "docs.js",
];

/// Placeholders in the pages.
pub mod mark {
    /// [`super::STYLE`].
    pub const STYLE: &str = "STYLE";
    /// [`super::BOOT`].
    pub const BOOT: &str = "BOOT";
    /// [`super::LOGO`].
    pub const LOGO: &str = "LOGO";
    /// The setting `base_path`, which a page compares with its own path.
    pub const BASE: &str = "BASE_PATH";
    /// The setting `signup`, or `closed` with automatic sign-in.
    pub const SIGN_UP: &str = "SIGN_UP";
    /// The version of usher.
    pub const RELEASE: &str = "USHER_RELEASE";
    /// The setting `password_min_length`.
    pub const PASSWORD_MIN: &str = "PASSWORD_MIN";
    /// The setting `self_deletion`.
    pub const SELF_DELETION: &str = "SELF_DELETION";
    /// Whether second factors are off, optional, or required of some users.
    pub const SECOND_FACTOR: &str = "SECOND_FACTOR";
    /// The domain that passkeys belong to; empty if they can't be used.
    pub const PASSKEY_DOMAIN: &str = "PASSKEY_DOMAIN";
    /// The path of the file with the setup link, if there is one.
    pub const SETUP_FILE: &str = "SETUP_FILE";
    /// The setting `site_name`.
    pub const SITE_NAME: &str = "SITE_NAME";
    /// The files' version.
    pub const VERSION: &str = "VERSION";
    /// What the server knows of the browser: `known`, `new`, or `setup` while there is no superuser.
    pub const VISITOR: &str = "VISITOR";
    /// The names of the scripts to load, as a JavaScript array.
    pub const FILES: &str = "FILES";
    /// The script that imports the others.
    pub const MAIN: &str = "MAIN";
}

/// All files that the pages load.
pub const FILES: &[File] = &[
    file!("icon.svg", "", "image/svg+xml"),
    file!("app.js", "", SCRIPT),
    file!("api.js", "", SCRIPT),
    file!("ui.js", "", SCRIPT),
    file!("async.js", "", SCRIPT),
    file!("routing.js", "", SCRIPT),
    file!("focus.js", "", SCRIPT),
    file!("passkeys.js", "", SCRIPT),
    file!("second_step.js", "", SCRIPT),
    file!("security.js", "", SCRIPT),
    file!("enroll.js", "", SCRIPT),
    file!("again.js", "", SCRIPT),
    file!("shell.js", "", SCRIPT),
    file!("credentials.js", "", SCRIPT),
    file!("user_badges.js", "", SCRIPT),
    file!("profile.js", "", SCRIPT),
    file!("sign_in.js", "", SCRIPT),
    file!("return_to.js", "", SCRIPT),
    file!("users.js", "", SCRIPT),
    file!("user.js", "", SCRIPT),
    file!("links.js", "", SCRIPT),
    file!("invitations.js", "", SCRIPT),
    file!("account.js", "", SCRIPT),
    file!("audit.js", "", SCRIPT),
    file!("docs.js", "", SCRIPT),
    file!("texts.js", "", SCRIPT),
    file!("export.js", "", SCRIPT),
    file!("bulk.js", "", SCRIPT),
    file!("activity.js", "", SCRIPT),
    file!("server.js", "", SCRIPT),
    file!("own_data.js", "", SCRIPT),
    file!("deletion_request.js", "", SCRIPT),
    file!("typed_confirm.js", "", SCRIPT),
    file!("preact.js", "vendor/", SCRIPT),
    file!("hooks.js", "vendor/", SCRIPT),
    file!("htm.js", "vendor/", SCRIPT),
];
