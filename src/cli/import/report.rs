//! What an import prints.

use serde_json::json;

use crate::auth::link_token::LinkPage;
use crate::cli::Failure;
use crate::cli::import::ImportOptions;
use crate::cli::import::conflicts::{self, ImportPlan, ImportedResetLink, shown};
use crate::cli::output::{AlreadyPrinted, counted, print_result};
use crate::store::transfer::import::{AccountCompletion, AccountRecord};

/// Prints what was imported.
pub fn print(plan: &ImportPlan, options: ImportOptions, server_url: &str, json: bool) -> Result<(), Failure> {
    let ImportPlan { accounts: imported, completions, notices, links } = plan;
    // A dry run stores no links.
    let links = if options.dry_run { &[][..] } else { links };
    let link = |new: &ImportedResetLink| new.link.url(server_url, LinkPage::Reset);
    let keys: usize = imported.iter().map(|account| account.keys.len()).sum();
    let store_keys = imported.iter().filter(|account| account.user.store_api_key.is_some()).count();
    let verb = if options.dry_run { "would be imported" } else { "imported" };
    if json {
        let user = |a: &AccountRecord| json!({ "id": a.user.id, "username": a.user.username.as_str(), "api_keys": a.keys.len() });
        let completed = |completion: &AccountCompletion| {
            let AccountCompletion { user, store_api_key, keys } = completion;
            json!({
                "id": user.id, "username": user.username.as_str(), "api_keys": keys.len(),
                "store_key": store_api_key.is_some(),
            })
        };
        let printed = json!({
            "dry_run": options.dry_run, "imported": imported.iter().map(user).collect::<Vec<_>>(), "api_keys": keys,
            "store_keys": store_keys, "completed": completions.iter().map(completed).collect::<Vec<_>>(),
            "findings": notices,
            "links": links.iter().map(|new| json!({ "username": new.username, "link": link(new) })).collect::<Vec<_>>(),
        });
        print_result(true, &printed, String::new)?;
    } else {
        let mut lines: Vec<String> =
            notices.iter().map(|notice| format!("{}: {}", notice.subject, notice.text)).collect();
        let completed = if options.dry_run { "would be completed" } else { "completed" };
        lines.extend(completions.iter().map(|AccountCompletion { user, store_api_key, keys }| {
            let store_key = if store_api_key.is_some() { ", with the store key" } else { "" };
            format!("{} ({}): {completed}, API keys: {}{store_key}", shown(user.username.as_str()), user.id, keys.len())
        }));
        if options.dry_run {
            lines.extend(imported.iter().map(|a| format!("{}: would be imported{}", conflicts::label(a), details(a))));
        }
        lines.extend(links.iter().map(|new| format!("{}: {}", shown(&new.username), link(new))));
        let keys = [counted(keys, "API key"), counted(store_keys, "store key")].join(" and ");
        lines.push(format!("{verb}: {} with {keys}\n", counted(imported.len(), "user")));
        print_result(false, &(), || lines.join("\n"))?;
    }
    if plan.is_empty() {
        let existing = notices.iter().filter(|notice| notice.exists).count();
        let would = if options.dry_run { "would be" } else { "was" };
        let others = notices.len() - existing;
        let text = format!("nothing {would} imported; existing users: {existing}, other findings: {others}");
        return Err(AlreadyPrinted(text).into());
    }
    Ok(())
}

/// What a dry run prints about an account.
fn details(account: &AccountRecord) -> String {
    let user = &account.user;
    let facts = [
        (user.is_superuser, "a superuser".to_owned()),
        (!user.is_active, "inactive".to_owned()),
        (!account.keys.is_empty(), format!("API keys: {}", account.keys.len())),
        (user.store_api_key.is_some(), "with the store key".to_owned()),
    ];
    facts.into_iter().filter(|(applies, _)| *applies).fold(String::new(), |text, (_, fact)| format!("{text}, {fact}"))
}
