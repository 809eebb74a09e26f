//! Owns how the settings of forward auth are read, and that they fit together: a rule for a host that the cookie never
//! reaches would let nobody in, and send browsers round in circles. Must not know who is asked for what.

use crate::config::error::{self, ConfigError};
use crate::config::settings::Settings;
use crate::config::{Config, CookieSecure};
use crate::domain::forward_auth::{AccessRule, AccessRules, Hosts, is_below};

/// Reads one rule.
pub(super) fn rule(text: &str) -> Result<AccessRule, String> {
    text.parse().map_err(|_| {
        "rules such as `*.example.org = signed-in`, `wiki.example.org = superusers` or \
         `photos.example.org:8443 = users: ann; bob`"
            .to_owned()
    })
}

/// Reads the domain that the cookie is for.
pub(super) fn cookie_domain(text: &str) -> Result<String, String> {
    let text = text.trim();
    // A leading dot is what the standard before this one wanted (RFC 6265, section 5.2.3).
    let hosts = text.strip_prefix('.').unwrap_or(text).parse::<Hosts>();
    hosts.ok().filter(|hosts| hosts.is_domain() && hosts.name.contains('.')).map(|hosts| hosts.name).ok_or_else(|| {
        "a domain of at least two parts, such as example.org, without port; browsers keep no cookies for less"
            .to_owned()
    })
}

/// Puts the rules together and holds them against the other settings.
pub(super) fn check(config: &mut Config, rules: Vec<AccessRule>, settings: &Settings<'_>) -> Result<(), ConfigError> {
    let place = || settings.place("forward_auth");
    let unfit = |fault: String| ConfigError::ForwardAuth { place: place(), fault };
    let rules = AccessRules::new(rules).map_err(|twice| unfit(format!("has two rules for {twice}; keep one")))?;
    if rules.is_empty() {
        return Ok(());
    }
    let Some(url) = &config.public_url else {
        let what = "needs `public_url`, where people are sent to sign in, such as https://auth.example.org";
        return Err(unfit(what.to_owned()));
    };
    if config.trusted_proxies.is_empty() {
        return Err(unfit("needs `trusted_proxies`: the proxy that asks is to be believed, nobody else is".to_owned()));
    }
    let own = url::Url::parse(url).ok().and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default();
    match &config.cookie_domain {
        Some(domain) => {
            if own != *domain && !is_below(&own, domain) {
                let (own, domain) = (error::quoted(&own), error::quoted(domain));
                return Err(unfit(format!(
                    "sets a cookie for `cookie_domain`, {domain}; the host of `public_url`, {own}, must be in it"
                )));
            }
            if let Some(rule) = rules.iter().find(|rule| !rule.hosts.are_within(domain)) {
                let hosts = &rule.hosts;
                return Err(unfit(format!("has a rule for {hosts}, which is not in `cookie_domain`, {domain}")));
            }
        }
        None => {
            if let Some(rule) = rules.iter().find(|rule| rule.hosts.below || rule.hosts.name != own) {
                let hosts = &rule.hosts;
                return Err(unfit(format!(
                    "has a rule for {hosts}, which is another host than that of `public_url`, {own}; set \
                     `cookie_domain` to a domain that has both"
                )));
            }
        }
    }
    config.forward_auth = rules;
    Ok(())
}

impl Config {
    /// Whether the cookie that lets people into other sites is sent over HTTPS alone. It is set here and read there, so
    /// that this follows from the settings and not from how one request came.
    pub fn entry_by_https(&self) -> bool {
        match self.cookie_secure {
            CookieSecure::Auto => self.public_url.as_ref().is_some_and(|url| url.starts_with("https:")),
            CookieSecure::Always => true,
            CookieSecure::Never => false,
        }
    }
}
