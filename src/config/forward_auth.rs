//! Parses and validates the forward-auth settings. A rule for a host that never gets the cookie would redirect browsers
//! in circles.

use crate::config::error::{self, ConfigError};
use crate::config::sources::Sources;
use crate::config::{Config, CookieSecure, values};
use crate::domain::forward_auth::{AccessRule, AccessRules, HostPattern, is_subdomain_of};
use crate::domain::site::Site;

/// Parses all rules.
pub(super) fn access_rules(text: &str) -> Result<AccessRules, String> {
    let rules = values::list(text, access_rule)?;
    AccessRules::new(rules).map_err(|hosts| format!("one rule for each host, not two for {hosts}"))
}

fn access_rule(text: &str) -> Result<AccessRule, String> {
    text.parse().map_err(|_| {
        "rules such as `*.example.org = signed-in`, `wiki.example.org = superusers` or \
         `photos.example.org:8443 = users: ann; bob`"
            .to_owned()
    })
}

/// Parses the domain that the cookie is for.
pub(super) fn cookie_domain(text: &str) -> Result<String, String> {
    let text = text.trim();
    // Older standards wanted a leading dot (RFC 6265, section 5.2.3).
    let hosts = text.strip_prefix('.').unwrap_or(text).parse::<HostPattern>();
    hosts.ok().filter(|hosts| hosts.is_domain() && hosts.name.contains('.')).map(|hosts| hosts.name).ok_or_else(|| {
        "a domain of at least two parts without a port, such as example.org; browsers refuse cookies for less"
            .to_owned()
    })
}

/// Returns the site of `public_url`.
fn own_site(url: &str) -> Option<Site> {
    let url = url::Url::parse(url).ok()?;
    let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
    Some(Site { https: url.scheme() == "https", host, port })
}

/// Checks the rules against the other settings.
pub(super) fn validate(config: &Config, sources: &Sources<'_>) -> Result<(), ConfigError> {
    let rules = &config.forward_auth;
    if rules.is_empty() {
        return Ok(());
    }
    let refused = |fault: String| Err(ConfigError::Invalid { origin: sources.origin("forward_auth"), fault });
    let Some(url) = &config.public_url else {
        return refused("needs `public_url`, where people sign in, such as https://auth.example.org".to_owned());
    };
    if config.trusted_proxies.is_empty() {
        return refused("needs `trusted_proxies`, the addresses of the proxies that ask usher".to_owned());
    }
    let site = own_site(url);
    let own = site.as_ref().map(|site| site.host.clone()).unwrap_or_default();
    let shares_host = |rule: &&AccessRule| site.as_ref().is_some_and(|site| rule.hosts.includes_another_port(site));
    if let Some(rule) = rules.iter().find(shares_host).filter(|_| !config.allow_sites_on_own_host) {
        return refused(format!(
            "has a rule for {}, which includes the host of `public_url` on another port; browsers send usher's own \
             cookies there. Give usher a host of its own, or set `allow_sites_on_own_host`",
            rule.hosts
        ));
    }
    let Some(domain) = &config.cookie_domain else {
        return match rules.iter().find(|rule| rule.hosts.subdomains || rule.hosts.name != own) {
            None => Ok(()),
            Some(rule) => refused(format!(
                "has a rule for {}, but the host of `public_url` is {own}; set `cookie_domain` to a domain that \
                 contains both",
                rule.hosts
            )),
        };
    };
    if own != *domain && !is_subdomain_of(&own, domain) {
        let (own, domain) = (error::quoted(&own), error::quoted(domain));
        return refused(format!("needs the host of `public_url`, {own}, to be in `cookie_domain`, {domain}"));
    }
    match rules.iter().find(|rule| !rule.hosts.is_within(domain)) {
        None => Ok(()),
        Some(rule) => refused(format!("has a rule for {}, which is not in `cookie_domain`, {domain}", rule.hosts)),
    }
}

impl Config {
    /// Whether the cookie for guarded sites is sent over HTTPS only. It is set by usher and sent to other sites, so
    /// this depends on the settings and not on one request.
    pub fn site_cookie_is_secure(&self) -> bool {
        match self.cookie_secure {
            CookieSecure::Auto => self.public_url.as_ref().is_some_and(|url| url.starts_with("https:")),
            CookieSecure::Always => true,
            CookieSecure::Never => false,
        }
    }
}
