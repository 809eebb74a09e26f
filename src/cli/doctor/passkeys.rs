//! Checks passkeys: each belongs to the domain that it was made at, and can't be used at another.

use crate::auth::passkey::RelyingParty;
use crate::cli::doctor::Report;
use crate::config::Config;
use crate::server::local_url;
use crate::store::inspection::Inspection;

const CHECK: &str = "passkeys";

pub(super) fn check(config: &Config, inspection: Option<&Inspection>, report: &mut Report) {
    let address = || config.bind.resolve().ok().and_then(|found| found.into_iter().next());
    let Some(url) = config.public_url.clone().or_else(|| address().map(local_url)) else { return };
    let party = RelyingParty::new("usher", &url).ok();
    let domain = party.as_ref().map(RelyingParty::id);
    // An older database has no passkeys.
    let Some(Ok(count @ 1..)) = inspection.map(|inspection| inspection.orphaned_passkeys(domain)) else { return };
    let found = match domain {
        Some(domain) => format!("{count} belong to another domain than {domain}, so nobody can use them"),
        None => format!("{count} can't be used, because browsers offer none at {url}"),
    };
    let remedy = "set `public_url` back; or let their owners sign in another way and add them again, and run \
                  `usher user reset-factors NAME` for users who can't";
    report.warning(CHECK, found, remedy);
}
