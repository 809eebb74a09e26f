//! The tests of routes, security rules and commands, on servers with PostgreSQL.

#[path = "../routes/api_keys.rs"]
mod api_keys;
#[path = "../security/attempts_in_flight.rs"]
mod attempts_in_flight;
#[path = "../routes/audit.rs"]
mod audit;
#[path = "../routes/auto_login.rs"]
mod auto_login;
#[path = "../cli/invitations.rs"]
mod cli_invitations;
#[path = "../cli/reset_links.rs"]
mod cli_reset_links;
#[path = "../cli/commands.rs"]
mod commands;
#[path = "../routes/current_session.rs"]
mod current_session;
#[path = "../routes/factors.rs"]
mod factors;
#[path = "../security/guesses.rs"]
mod guesses;
#[path = "../routes/health.rs"]
mod health;
#[path = "../cli/helpers.rs"]
pub mod helpers;
#[path = "../security/http.rs"]
mod http;
#[path = "../cli/import.rs"]
mod import;
#[path = "../cli/import_csv.rs"]
mod import_csv;
#[path = "../cli/import_faults.rs"]
mod import_faults;
#[path = "../routes/invitations.rs"]
mod invitations;
#[path = "../cli/jsonl.rs"]
mod jsonl;
#[path = "../cli/langflow.rs"]
pub mod langflow;
#[path = "../security/limits.rs"]
mod limits;
#[path = "../cli/lists.rs"]
mod lists;
#[path = "../routes/login.rs"]
mod login;
#[path = "../routes/login_again.rs"]
mod login_again;
#[path = "../security/logs.rs"]
mod logs;
#[path = "../routes/long_lists.rs"]
mod long_lists;
#[path = "../routes/metrics.rs"]
mod metrics;
#[path = "../routes/optins.rs"]
mod optins;
#[path = "../routes/own_data.rs"]
mod own_data;
#[path = "../routes/passkeys.rs"]
mod passkeys;
#[path = "../routes/passwords.rs"]
mod passwords;
#[path = "../routes/recovery_codes.rs"]
mod recovery_codes;
#[path = "../security/required_factor.rs"]
mod required_factor;
#[path = "../security/required_password.rs"]
mod required_password;
#[path = "../routes/reset_links.rs"]
mod reset_links;
#[path = "../security/revoked_meanwhile.rs"]
mod revoked_meanwhile;
#[path = "../cli/rotate_secret.rs"]
mod rotate_secret;
#[path = "../routes/schema.rs"]
pub mod schema;
#[path = "../routes/second_factor.rs"]
mod second_factor;
#[path = "../security/second_factor.rs"]
mod security_second_factor;
#[path = "../routes/sessions.rs"]
mod sessions;
#[path = "../routes/setup.rs"]
mod setup;
#[path = "../security/throttle.rs"]
mod throttle;
#[path = "../routes/totp.rs"]
mod totp;
#[path = "../cli/user_arguments.rs"]
mod user_arguments;
#[path = "../routes/users.rs"]
mod users;
#[path = "../routes/wire.rs"]
mod wire;
