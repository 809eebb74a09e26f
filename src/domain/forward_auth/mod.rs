//! Access rules for sites behind the proxy.

mod syntax;

use uuid::Uuid;

use crate::domain::site::Site;
use crate::domain::user::User;
use crate::domain::username::Username;

/// All rules, in the order in which they are tried. Without a rule a site is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRules(Vec<AccessRule>);

/// A rule: who may access the hosts of a pattern, such as `*.example.org = signed-in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// The hosts.
    pub hosts: HostPattern,
    /// Whether programs can send a user name and an API key as `Basic` credentials.
    accepts_basic: bool,
    who: Audience,
}

/// A host pattern: `app.example.org`, `*.example.org`, `app.example.org:8443`, `app.example.org:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// Matches every subdomain of [`HostPattern::name`] instead of the name itself.
    pub subdomains: bool,
    /// In the form of [`Site::host`].
    pub name: String,
    port: PortPattern,
}

/// The ports of a pattern, from least to most specific; the most specific match decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PortPattern {
    Any,
    /// The scheme's default port.
    Default,
    Exact(u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Audience {
    SignedIn,
    Superusers,
    Users(Vec<UserMatch>),
}

/// A user by name or by id.
#[derive(Clone, Debug, PartialEq, Eq)]
enum UserMatch {
    Name(Username),
    Id(Uuid),
}

/// Why access is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessDenied {
    /// No rule matches the host.
    UnknownHost,
    /// The rule doesn't admit this user.
    NotForYou,
}

/// A rule that can't be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleError;

impl AccessRules {
    /// Sorts rules by specificity.
    ///
    /// # Errors
    /// Returns a pattern that two rules have.
    pub fn new(mut rules: Vec<AccessRule>) -> Result<Self, HostPattern> {
        rules.sort_by_key(|rule| {
            let HostPattern { subdomains, name, port } = &rule.hosts;
            (*subdomains, std::cmp::Reverse((name.len(), *port)), name.clone())
        });
        match rules.windows(2).find(|pair| pair[0].hosts == pair[1].hosts) {
            Some(pair) => Err(pair[0].hosts.clone()),
            None => Ok(Self(rules)),
        }
    }

    /// Reports whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the rules.
    pub fn iter(&self) -> impl Iterator<Item = &AccessRule> {
        self.0.iter()
    }

    /// Returns the user names in rules, as written.
    pub fn names(&self) -> impl Iterator<Item = &Username> {
        let people =
            self.0.iter().filter_map(|rule| if let Audience::Users(people) = &rule.who { Some(people) } else { None });
        people.flatten().filter_map(|person| if let UserMatch::Name(name) = person { Some(name) } else { None })
    }

    /// Reports whether a rule matches the site.
    pub fn has_rule_for(&self, site: &Site) -> bool {
        self.of(site).is_some()
    }

    /// Checks whether the active user `user` may access the site.
    pub fn may_enter(&self, site: &Site, user: &User) -> Result<(), AccessDenied> {
        let allowed = match &self.of(site).ok_or(AccessDenied::UnknownHost)?.who {
            Audience::SignedIn => true,
            Audience::Superusers => user.is_superuser,
            Audience::Users(people) => people.iter().any(|person| match person {
                UserMatch::Name(name) => name.folded() == user.username.folded(),
                UserMatch::Id(id) => *id == user.id,
            }),
        };
        if allowed { Ok(()) } else { Err(AccessDenied::NotForYou) }
    }

    /// Reports whether the site accepts `Basic` credentials.
    pub fn accepts_basic(&self, site: &Site) -> bool {
        self.of(site).is_some_and(|rule| rule.accepts_basic)
    }

    /// Returns the most specific matching rule.
    fn of(&self, site: &Site) -> Option<&AccessRule> {
        self.0.iter().find(|rule| rule.hosts.match_site(site))
    }
}

impl HostPattern {
    fn match_site(&self, site: &Site) -> bool {
        let port = match self.port {
            PortPattern::Any => true,
            PortPattern::Default => site.has_default_port(),
            PortPattern::Exact(port) => port == site.port,
        };
        port && self.match_host(site)
    }

    fn match_host(&self, site: &Site) -> bool {
        if self.subdomains { is_subdomain_of(&site.host, &self.name) } else { site.host == self.name }
    }

    /// Reports whether it includes this site's host on another port. Browsers send the cookies of a host to all of its
    /// ports.
    pub fn includes_another_port(&self, site: &Site) -> bool {
        let is_other = match self.port {
            PortPattern::Any => true,
            PortPattern::Default => !site.has_default_port(),
            PortPattern::Exact(port) => port != site.port,
        };
        is_other && self.match_host(site)
    }

    /// Reports whether it is a plain domain name, without wildcard or port.
    pub fn is_domain(&self) -> bool {
        let is_address = self.name.starts_with('[') || self.name.parse::<std::net::Ipv4Addr>().is_ok();
        !self.subdomains && self.port == PortPattern::Default && !is_address
    }

    /// Reports whether all its hosts are `domain` or subdomains of it.
    pub fn is_within(&self, domain: &str) -> bool {
        self.name == domain || is_subdomain_of(&self.name, domain)
    }
}

/// Reports whether a host is a subdomain of a domain.
pub fn is_subdomain_of(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;

    fn rules(texts: &[&str]) -> AccessRules {
        AccessRules::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
    }

    fn person(name: &str, is_superuser: bool) -> User {
        let at = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        User::new(Username::parse(name).unwrap(), true, is_superuser, at)
    }

    fn site(text: &str) -> Site {
        let (scheme, authority) = text.split_once("://").unwrap();
        Site::parse(scheme, authority).unwrap()
    }

    #[test]
    fn the_most_specific_pattern_decides_in_any_order() {
        let mut texts = [
            "*.example.org = signed-in",
            "secret.example.org = superusers",
            "*.deep.example.org = users: bob",
            "app.example.org:8443 = superusers",
            "app.example.org:* = users: bob",
        ];
        for _ in 0..texts.len() {
            texts.rotate_left(1);
            let rules = rules(&texts);
            let (alice, bob, root) = (person("alice", false), person("bob", false), person("root", true));
            for (at, open_to) in [
                ("https://wiki.example.org", [true, true, true]),
                ("http://wiki.example.org", [true, true, true]),
                ("https://secret.example.org", [false, false, true]),
                ("https://SECRET.example.org.", [false, false, true]),
                ("https://a.deep.example.org", [false, true, false]),
                ("https://deep.example.org", [true, true, true]),
                ("https://app.example.org:8443", [false, false, true]),
                ("https://app.example.org:9000", [false, true, false]),
                ("https://app.example.org", [false, true, false]),
            ] {
                let may = [&alice, &bob, &root].map(|user| rules.may_enter(&site(at), user).is_ok());
                assert_eq!(may, open_to, "{at} with {texts:?}");
            }
            for at in [
                "https://example.org",
                "https://badexample.org",
                "https://wiki.example.org:8443",
                "https://example.org.evil.net",
                "http://wiki.example.org:443",
            ] {
                assert_eq!(rules.may_enter(&site(at), &root), Err(AccessDenied::UnknownHost), "{at}");
                assert!(!rules.has_rule_for(&site(at)));
            }
        }
        assert_eq!(
            AccessRules::default().may_enter(&site("https://a"), &person("root", true)),
            Err(AccessDenied::UnknownHost)
        );
    }

    #[test]
    fn users_are_listed_by_name_in_any_spelling_or_by_id() {
        let (anna, other) = (person("Anna B", false), person("other", false));
        let id = other.id;
        let upper = id.to_string().to_uppercase();
        let rules = rules(&[&format!("a = users: ANNA B ; {id}"), "b=users:x", &format!("c = users: {upper}")]);
        let may = |host: &str, user: &User| rules.may_enter(&site(&format!("https://{host}")), user);
        assert_eq!((may("a", &anna), may("a", &other), may("c", &other)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(may("a", &person("other", false)), Err(AccessDenied::NotForYou), "another of the same name");
        assert_eq!(may("b", &anna), Err(AccessDenied::NotForYou));
        assert_eq!(rules.names().map(Username::as_str).collect::<Vec<_>>(), ["ANNA B", "x"]);
    }

    #[test]
    fn rules_are_shown_as_parsed_and_invalid_ones_are_refused() {
        for (text, shown) in [
            (" *.Example.ORG=signed-in ", "*.example.org = signed-in"),
            ("bücher.example = superusers", "xn--bcher-kva.example = superusers"),
            ("[::1]:8080 = users: a;b", "[::1]:8080 = users: a; b"),
            ("192.0.2.1:* = signed-in", "192.0.2.1:* = signed-in"),
            ("a. = signed-in", "a = signed-in"),
            ("a = basic   signed-in", "a = basic signed-in"),
            ("a = basic superusers", "a = basic superusers"),
            ("a = basic users: basic ; b", "a = basic users: basic; b"),
        ] {
            let rule: AccessRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), shown);
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        for bad in [
            "",
            "a",
            "a =",
            "a = everyone",
            "a = users:",
            "a = basic",
            "a = basicsigned-in",
            "a = signed-in basic",
            "a = basic basic signed-in",
            "a = users: ;b",
            "= signed-in",
            "* = signed-in",
            "*.*.a = signed-in",
            "a.*.b = signed-in",
            "https://a = signed-in",
            "a/b = signed-in",
            "a:x = signed-in",
            "a:0 = signed-in",
            "*.[::1] = signed-in",
            "*.192.0.2.1 = signed-in",
            "u@a = signed-in",
            "a b = signed-in",
        ] {
            assert_eq!(bad.parse::<AccessRule>(), Err(RuleError), "{bad}");
        }
        let twice = ["a.b = signed-in", "*.b = signed-in", "A.b=superusers"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(AccessRules::new(twice).unwrap_err().to_string(), "a.b");
    }
}
