//! Parsers of values. Each returns the value, or what would be valid: the end of a sentence that begins "it must be".

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use log::LevelFilter;
use url::Url;

use crate::domain::notification::EventTarget;
use crate::domain::schedule::Schedule;

/// The process whose exit stops the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitWith {
    /// None.
    Never,
    /// The parent.
    Parent,
    /// The process with this id.
    Process(u32),
}

impl fmt::Display for ExitWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("false"),
            Self::Parent => f.write_str("true"),
            Self::Process(id) => id.fmt(f),
        }
    }
}

/// Parses a boolean or a process id. 1 means true: process 1 never exits first.
pub(super) fn exit_with(text: &str) -> Result<ExitWith, String> {
    // Process ids are positive and fit into an i32 on every Unix.
    let id = || text.trim().parse().ok().filter(|id| (2..=i32::MAX.cast_unsigned()).contains(id));
    match boolean(text) {
        Ok(true) => Ok(ExitWith::Parent),
        Ok(false) => Ok(ExitWith::Never),
        Err(_) => id().map(ExitWith::Process).ok_or_else(|| "true, false or a process id".to_owned()),
    }
}

/// Parses true or false in any of the usual words.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// Parses a whole number within bounds.
pub(super) fn number<const MIN: u32, const MAX: u32>(text: &str) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| (MIN..=MAX).contains(number));
    number.ok_or_else(|| format!("a whole number from {MIN} to {MAX}"))
}

/// Parses a whole number within bounds, as a size.
pub(super) fn size<const MIN: u32, const MAX: u32>(text: &str) -> Result<usize, String> {
    number::<MIN, MAX>(text).map(|number| number as usize)
}

/// Parses a number of threads. 0 stands for one per core.
pub(super) fn workers(text: &str) -> Result<usize, String> {
    Ok(match size::<0, 256>(text)? {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        number => number,
    })
}

/// Takes any text.
#[expect(clippy::unnecessary_wraps, reason = "it has the signature of a parser")]
pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// Parses a name that is shown on one line.
pub(super) fn site_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        return Err("a name of at most 60 characters".to_owned());
    }
    Ok(name.to_owned())
}

/// Parses a path and makes it absolute. It doesn't have to exist.
pub(super) fn path(text: &str, base: &Path) -> Result<PathBuf, String> {
    // Only shells expand a tilde. Here it would create a directory of that name.
    let tilde = text == "~" || text.starts_with("~/");
    if text.is_empty() || tilde || text.contains('\0') {
        return Err("the path of a directory or file without `~`".to_owned());
    }
    Ok(absolute(Path::new(text), base))
}

/// `path` relative to `base`. Collecting the components drops `.` and doubled slashes. `..` stays, because its meaning
/// depends on links.
pub(super) fn absolute(path: &Path, base: &Path) -> PathBuf {
    base.join(path).components().collect()
}

/// Parses the URL that links start with.
pub(super) fn public_url(text: &str) -> Result<String, String> {
    let wanted = || {
        "an http or https URL without a trailing slash, query or password, such as https://users.example.org".to_owned()
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

/// Parses a program or a URL that is told of events.
pub(super) fn event_target(text: &str) -> Result<EventTarget, String> {
    let wanted = || "the absolute path of a program, or an http or https URL without a user name".to_owned();
    let text = text.trim();
    if text.starts_with('/') && !text.contains('\0') {
        return Ok(EventTarget::Program(text.into()));
    }
    let url = Url::parse(text).map_err(|_| wanted())?;
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && bare {
        Ok(EventTarget::Webhook(url))
    } else {
        Err(wanted())
    }
}

/// The path of a URL that [`public_url`] has parsed.
pub(super) fn path_of(public_url: &str) -> &str {
    let (_, rest) = public_url.split_once("://").unwrap_or(("", public_url));
    rest.find('/').map_or("", |at| &rest[at..])
}

/// Parses the prefix of every path, or nothing. Its characters mean the same percent-encoded and not.
pub(super) fn base_path(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let text = text.trim();
    let segment = |segment: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
    };
    match text.strip_prefix('/') {
        Some(rest) if rest.split('/').all(segment) => Ok(text.to_owned()),
        _ => Err("a path such as /usher, of letters, digits and `-._~`, without a trailing slash".to_owned()),
    }
}

/// Parses an origin and writes it as browsers do: in lower case, without the scheme's default port.
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
        // Browsers don't send an origin for pages of these schemes.
        ("file" | "ftp" | "ws" | "wss", _) | (_, None | Some("")) => Err(wanted()),
        // Desktop shells and browser extensions have schemes of their own, such as tauri://localhost.
        (scheme, Some(host)) => Ok(match url.port() {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }),
    }
}

/// Parses a network, or an address as a network of one.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map(canonical);
    // Bits after the prefix have no meaning. Clear them, so that `usher config` shows what matches.
    network
        .map(|network| network.trunc())
        .map_err(|_| "addresses or networks, such as 127.0.0.1 or 10.0.0.0/8".to_owned())
}

/// An IPv4 network, if this is one that is written as IPv6. Addresses of clients are compared as IPv4.
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if network.addr().is_ipv6() => {
            IpNet::new(address.into(), length).unwrap_or(network)
        }
        _ => network,
    }
}

/// Parses a comma-separated list and drops duplicates.
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

/// Parses a schedule.
pub(super) fn schedule(text: &str) -> Result<Schedule, String> {
    text.parse().map_err(str::to_owned)
}

/// Parses a log filter. Stricter than `env_logger`, which takes an unknown word for a module: `log = "wran"` would
/// silence the server. Here a module needs a level.
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
