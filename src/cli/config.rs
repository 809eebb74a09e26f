//! `usher config`.

use serde_json::json;

use crate::cli::output::{notice, print_result, table};
use crate::cli::{Failure, running_server};
use crate::config::{Config, SETTINGS};

/// Prints every setting and its source, with secrets as `***`.
pub fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let source = |name: &str| config.sources.get(name).map(ToString::to_string).unwrap_or_default();
    let entry = |name: &str| json!({ "value": config.shown(name), "source": source(name) });
    let settings: serde_json::Map<_, _> =
        SETTINGS.iter().map(|setting| (setting.name.to_owned(), entry(setting.name))).collect();
    running_server::announce_database(config);
    match &config.file {
        Some(file) => notice(format_args!("configuration file: {}", file.display())),
        None => notice(format_args!("configuration file: none")),
    }
    print_result(json, &settings, || {
        let row = |name: &str| vec![name.to_owned(), config.shown(name), source(name)];
        let rows: Vec<_> = SETTINGS.iter().map(|setting| row(setting.name)).collect();
        table(&["SETTING", "VALUE", "SOURCE"], &rows)
    })
}
