//! `usher user list`.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use strum::VariantNames;

use crate::cli::Failure;
use crate::cli::context::{CommandError, Context};
use crate::cli::output::{format_time, write_stdout};
use crate::domain::clock::rfc3339;
use crate::domain::printable::printable;
use crate::domain::user::User;
use crate::http::UserRead;
use crate::store::user_list::{self, UserQuery, UserSort, UserState};

/// The options of `usher user list`.
#[derive(Debug, Args)]
pub struct ListOptions {
    /// Only users whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only users in this state.
    #[arg(long, value_parser = choice_parser::<UserState>())]
    state: Option<UserState>,
    /// The order.
    #[arg(long, default_value = "created",
        value_parser = choice_parser::<UserSort>())]
    sort: UserSort,
    /// Reverse the order.
    #[arg(long)]
    reverse: bool,
    /// The maximum number of users.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32))]
    limit: Option<u32>,
    /// Print CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// Parses one of an enum's words.
fn choice_parser<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + FromStr + Clone + Send + Sync + 'static,
    T::Err: std::fmt::Display,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|word| word.parse::<T>().map_err(|error| error.to_string()))
}

/// Lists users.
pub(super) async fn run(context: &Context<'_>, options: ListOptions) -> Result<(), Failure> {
    let ListOptions { search, state, sort, reverse, limit, csv } = options;
    let limit = limit.map_or(i64::MAX, i64::from);
    let page = UserQuery { skip: 0, limit, search, sort, descending: reverse, state };
    let listed = context.db.read(move |connection| user_list::list(connection, &page));
    let (_, users) = listed.await.map_err(CommandError::Store)?;
    if csv {
        let csv = as_csv(&users)?;
        if !io::stdout().is_terminal() {
            return write_stdout(&csv);
        }
        let lines = String::from_utf8_lossy(&csv);
        return write_stdout(lines.split_inclusive("\r\n").map(printable_line).collect::<String>().as_bytes());
    }
    let row = |user: &User| {
        let role = if user.is_superuser { "superuser" } else { "" }.to_owned();
        let last = format_time(user.last_login_at);
        vec![user.username.to_string(), state_of(user).to_owned(), role, last, user.id.to_string()]
    };
    let shown = users.iter().map(UserRead::from).collect::<Vec<_>>();
    let rows = users.iter().map(row).collect::<Vec<_>>();
    context.print_table(&shown, &["NAME", "STATE", "ROLE", "LAST SIGN-IN", "ID"], &rows)
}

/// Escapes a line except for its end.
fn printable_line(line: &str) -> String {
    printable(line.trim_end_matches("\r\n")) + "\r\n"
}

fn state_of(user: &User) -> &'static str {
    match (user.is_active, user.last_login_at) {
        (true, _) => "active",
        (false, None) => "waiting",
        (false, Some(_)) => "inactive",
    }
}

/// The columns of the console's export.
fn as_csv(users: &[User]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let header = ["id", "username", "is_active", "is_superuser", "create_at", "updated_at", "last_login_at"];
    writer.write_record(header)?;
    for user in users {
        let name = user.username.as_str();
        // A spreadsheet would run a text that starts like a formula.
        let name = if name.starts_with(['=', '+', '-', '@']) { format!("'{name}") } else { name.to_owned() };
        let (created, updated) = (rfc3339(&user.create_at), rfc3339(&user.updated_at));
        let last = user.last_login_at.as_ref().map(rfc3339).unwrap_or_default();
        let (active, superuser) = (user.is_active.to_string(), user.is_superuser.to_string());
        writer.write_record([user.id.to_string(), name, active, superuser, created, updated, last])?;
    }
    Ok(writer.into_inner().map_err(|error| error.to_string())?)
}
