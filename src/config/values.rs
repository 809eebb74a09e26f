//! Owns how each kind of value is read from text. Every reader returns the value or what would be right, as it follows
//! "it must be". Must not know where a text came from.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use log::LevelFilter;
use url::Url;

use crate::domain::schedule::Schedule;

/// A choice of a few words, and what each means in code.
pub(super) trait Word: Sized + 'static {
    /// Every word with its meaning.
    const WORDS: &'static [(&'static str, Self)];
}

/// Who may add users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signup {
    /// Anyone; new users are inactive until a superuser approves them.
    Approval,
    /// Anyone, active at once.
    Open,
    /// Superusers only.
    Closed,
}

impl Signup {
    /// The setting's word.
    pub fn as_str(self) -> &'static str {
        word(&self)
    }
}

impl Word for Signup {
    const WORDS: &'static [(&'static str, Self)] =
        &[("approval", Self::Approval), ("open", Self::Open), ("closed", Self::Closed)];
}

/// Whether cookies carry `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieSecure {
    /// When the request came by HTTPS.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Word for CookieSecure {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("true", Self::Always), ("false", Self::Never)];
}

/// The word for a value, to show it.
pub(super) fn word<T: Word + PartialEq>(value: &T) -> &'static str {
    T::WORDS.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

/// The value of a word.
pub(super) fn choice<T: Word + Clone>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let found = T::WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let words: Vec<String> = T::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("one of {}", words.join(", "))
    })
}

/// With which program the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitWith {
    /// With none.
    Nobody,
    /// With the one that started it.
    Parent,
    /// With the one of this process id.
    Process(u32),
}

impl fmt::Display for ExitWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("false"),
            Self::Parent => f.write_str("true"),
            Self::Process(id) => id.fmt(f),
        }
    }
}

/// Reads true or false in any of the usual words (of which 1 is one: process 1 never ends first), or a process id.
pub(super) fn exit_with(text: &str) -> Result<ExitWith, String> {
    // Process ids are positive and fit an i32 on every Unix.
    let id = || text.trim().parse().ok().filter(|id| (2..=i32::MAX.cast_unsigned()).contains(id));
    match boolean(text) {
        Ok(true) => Ok(ExitWith::Parent),
        Ok(false) => Ok(ExitWith::Nobody),
        Err(_) => id().map(ExitWith::Process).ok_or_else(|| "true, false or the id of a process".to_owned()),
    }
}

/// Where to listen: an address, or a name that is looked up when the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind(Host);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(SocketAddr),
    Name(String, u16),
}

impl Bind {
    /// Every address that is meant. Looking up a name may block.
    ///
    /// # Errors
    /// When the name is not known.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name, port) => Ok((name.as_str(), *port).to_socket_addrs()?.collect()),
        }
    }

    /// The port; 0 stands for any that is free.
    pub fn port(&self) -> u16 {
        match &self.0 {
            Host::Address(address) => address.port(),
            Host::Name(_, port) => *port,
        }
    }
}

impl From<SocketAddr> for Bind {
    fn from(address: SocketAddr) -> Self {
        Self(Host::Address(address))
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Host::Address(address) => address.fmt(f),
            Host::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// Reads `host:port`; an IPv6 address stands in brackets.
pub(super) fn bind(text: &str) -> Result<Bind, String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Bind::from(address));
    }
    let named = || {
        let (name, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|_| port.bytes().all(|b| b.is_ascii_digit()))?;
        is_host_name(name).then(|| Bind(Host::Name(name.to_owned(), port)))
    };
    named().ok_or_else(|| "an address and a port, such as 127.0.0.1:7860, localhost:7860 or [::1]:7860".to_owned())
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // A last label of digits is an IPv4 address gone wrong; a resolver might still guess one from it.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && !numeric
}

/// Reads true or false in any of the usual words.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// Reads a whole number within bounds.
pub(super) fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("a whole number from {least} to {most}"))
}

/// Reads a path and makes it absolute, by names alone: what it leads to may not exist yet.
pub(super) fn path(text: &str, base: &Path) -> Result<PathBuf, String> {
    // Only a shell knows what a tilde means; kept as it is, it would make a directory of that name.
    let tilde = text == "~" || text.starts_with("~/");
    if text.is_empty() || tilde || text.contains('\0') {
        return Err("the path of a directory or file, written out, without `~`".to_owned());
    }
    Ok(absolute(Path::new(text), base))
}

/// `path` seen from `base`. Collecting the components drops `.` and doubled slashes; `..` stays, as what it means
/// depends on links.
pub(super) fn absolute(path: &Path, base: &Path) -> PathBuf {
    base.join(path).components().collect()
}

/// Reads the URL that people type, to which paths are appended.
pub(super) fn public_url(text: &str) -> Result<String, String> {
    let wanted = || {
        "an http or https URL without a slash at its end, query or password, such as https://users.example.org"
            .to_owned()
    };
    let text = text.trim();
    let url = Url::parse(text).map_err(|_| wanted())?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare || text.ends_with('/') {
        return Err(wanted());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The path of a URL that [`public_url`] has read.
pub(super) fn path_of(public_url: &str) -> &str {
    let (_, rest) = public_url.split_once("://").unwrap_or(("", public_url));
    rest.find('/').map_or("", |at| &rest[at..])
}

/// Reads the prefix of every path: segments that mean the same encoded and not.
pub(super) fn base_path(text: &str) -> Result<String, String> {
    let text = text.trim();
    let segment = |segment: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
    };
    match text.strip_prefix('/') {
        Some(rest) if rest.split('/').all(segment) => Ok(text.to_owned()),
        _ => Err("a path such as /usher, without a slash at its end, of letters, digits and `-._~`".to_owned()),
    }
}

/// Reads an origin and writes it as browsers do: lower case, without the scheme's own port.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let wanted = || {
        "exact origins, each scheme://host or scheme://host:port without a path and without `*`, \
                     such as https://app.example.org"
            .to_owned()
    };
    let (_, host) = text.split_once("://").ok_or_else(wanted)?;
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/\\?#@*,".contains(c)) {
        return Err(wanted());
    }
    let url = Url::parse(text).map_err(|_| wanted())?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url.origin().ascii_serialization()),
        // Browsers send no origin for pages of these.
        ("file" | "ftp" | "ws" | "wss", _) | (_, None | Some("")) => Err(wanted()),
        // Desktop shells and browser extensions have schemes of their own, such as tauri://localhost.
        (scheme, Some(host)) => Ok(match url.port() {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }),
    }
}

/// Reads a network, or an address as the network of itself.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    // The bits after the prefix mean nothing; without them a network looks like what it matches.
    network
        .map(|network| network.trunc())
        .map_err(|_| "addresses or networks, such as 127.0.0.1 or 10.0.0.0/8".to_owned())
}

/// Reads a comma-separated list, each item once.
pub(super) fn list<T: PartialEq>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut items = Vec::new();
    for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let item = item(text)?;
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Ok(items)
}

/// Reads when something is done by itself.
pub(super) fn schedule(text: &str) -> Result<Schedule, String> {
    text.parse().map_err(str::to_owned)
}

/// Reads a filter for `env_logger`, which itself prints a warning about what it cannot read and goes on. Stricter in
/// one point: it takes any unknown word for the name of a module and logs all of that and nothing else, so that
/// `log = "wran"` would silence the server; here a module needs its level.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let (directives, pattern) = text.split_once('/').unwrap_or((text, ""));
    let readable = |directive: &str| match directive.split_once('=') {
        None => directive.parse::<LevelFilter>().is_ok(),
        Some((module, level)) => !module.trim().is_empty() && level.trim().parse::<LevelFilter>().is_ok(),
    };
    let mut directives = directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()).peekable();
    if directives.peek().is_some() && directives.all(readable) && !pattern.contains('/') {
        return Ok(text.to_owned());
    }
    Err("error, warn, info, debug, trace or off, or a list such as `info,usher::http=debug`".to_owned())
}
