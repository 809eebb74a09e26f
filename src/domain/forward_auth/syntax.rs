//! Parsing and formatting of access rules.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::domain::forward_auth::{AccessRule, Audience, HostPattern, PortPattern, RuleError, UserMatch};
use crate::domain::site;
use crate::domain::username::Username;

impl FromStr for AccessRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (hosts, who) = text.split_once('=').ok_or(RuleError)?;
        let bare = who.trim_start().strip_prefix("basic").filter(|rest| rest.starts_with(char::is_whitespace));
        Ok(Self { hosts: hosts.parse()?, accepts_basic: bare.is_some(), who: bare.unwrap_or(who).parse()? })
    }
}

impl FromStr for HostPattern {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let text = text.trim();
        let (text, port) = match text.strip_suffix(":*") {
            Some(text) => (text, PortPattern::Any),
            None => match site::split_port(text).ok_or(RuleError)? {
                (host, None) => (host, PortPattern::Default),
                (host, Some(port)) => {
                    (host, PortPattern::Exact(port.parse().ok().filter(|&port| port > 0).ok_or(RuleError)?))
                }
            },
        };
        let (subdomains, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        // Settings may contain Unicode names; proxies and browsers send ASCII (IDNA).
        let name = match url::Host::parse(name).map_err(|_| RuleError)? {
            url::Host::Domain(name) => site::host_name(&name),
            _ if subdomains => None,
            address => site::host_name(&address.to_string()),
        };
        Ok(Self { subdomains, name: name.ok_or(RuleError)?, port })
    }
}

impl FromStr for Audience {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        match text.trim() {
            "signed-in" => Ok(Self::SignedIn),
            "superusers" => Ok(Self::Superusers),
            text => {
                let people = text.strip_prefix("users:").ok_or(RuleError)?.split(';');
                people.map(str::parse).collect::<Result<_, _>>().map(Self::Users)
            }
        }
    }
}

impl FromStr for UserMatch {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        // Only the hyphenated form is an id; other forms may be names.
        let id = Uuid::try_parse(text.trim()).ok().filter(|id| id.to_string().eq_ignore_ascii_case(text.trim()));
        match id {
            Some(id) => Ok(Self::Id(id)),
            None => Username::parse(text).map(Self::Name).map_err(|_| RuleError),
        }
    }
}

impl fmt::Display for AccessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.hosts, if self.accepts_basic { "basic " } else { "" })?;
        match &self.who {
            Audience::SignedIn => f.write_str("signed-in"),
            Audience::Superusers => f.write_str("superusers"),
            Audience::Users(people) => {
                let shown: Vec<String> = people.iter().map(ToString::to_string).collect();
                write!(f, "users: {}", shown.join("; "))
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.subdomains { "*." } else { "" }, self.name)?;
        match self.port {
            PortPattern::Default => Ok(()),
            PortPattern::Any => f.write_str(":*"),
            PortPattern::Exact(port) => write!(f, ":{port}"),
        }
    }
}

impl fmt::Display for UserMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}
