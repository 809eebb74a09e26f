//! The query of the list of users: the page, the order and the filters.

use std::str::FromStr;

use serde_json::json;
use strum::{EnumString, VariantNames};
use utoipa::IntoParams;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Object, ObjectBuilder};

use crate::domain::username::{self, UsernameError};
use crate::http::models::choice_schema;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::coerce;
use crate::http::pipeline::fields;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::messages::field;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location};
use crate::store::user_list::{UserQuery, UserSort, UserState};

/// The smallest and largest `limit` of usher's own lists.
pub const LIMITS: (i64, i64) = (0, 1000);
/// The items on a page of a list, if the client doesn't say.
const DEFAULT_LIMIT: i64 = 10;

/// Which part of a list is returned.
#[derive(IntoParams)]
pub struct Page {
    /// How many items to skip.
    #[param(required = false, minimum = 0, default = 0)]
    pub skip: i64,
    #[param(required = false, schema_with = limit)]
    pub limit: i64,
}

fn limit() -> ObjectBuilder {
    let number = Object::builder().schema_type(Type::Integer).minimum(Some(LIMITS.0)).maximum(Some(LIMITS.1));
    number.default(Some(DEFAULT_LIMIT.into())).description(Some("How many items to return at most."))
}

impl Page {
    /// Reads and checks both parameters; `limits` are those of `limit`.
    pub fn read(source: &InputSource<'_>, limits: (i64, i64), errors: &mut FieldErrors) -> Option<Self> {
        let mut number = |name, default, range| {
            let Some(text) = source.query.get(name) else { return Some(default) };
            errors.collect(Location::Query(name), coerce::integer_text(text).and_then(|number| within(number, range)))
        };
        let (skip, limit) = (number("skip", 0, (0, i64::MAX)), number("limit", DEFAULT_LIMIT, limits));
        Some(Self { skip: skip?, limit: limit? })
    }
}

fn within(number: i64, (min, max): (i64, i64)) -> Result<i64, FieldError> {
    match number {
        _ if number < min => {
            Err(FieldError::new("greater_than_equal", format!("Input should be greater than or equal to {min}")))
        }
        _ if number > max => {
            Err(FieldError::new("less_than_equal", format!("Input should be less than or equal to {max}")))
        }
        _ => Ok(number),
    }
}

/// The direction of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum SortOrder {
    Asc,
    Desc,
}

/// Which users are listed, and in which order.
#[derive(IntoParams)]
struct UserListQuery {
    /// Only users whose name contains this text, in any case, with or without accents, or whose id it is.
    #[param(nullable = false, max_length = 255)]
    search: Option<String>,
    /// Only the user with this name, in any case.
    #[param(nullable = false, max_length = 255)]
    username: Option<String>,
    #[param(required = false, schema_with = sort)]
    sort: Option<UserSort>,
    #[param(required = false, schema_with = order)]
    order: Option<SortOrder>,
    #[param(required = false, schema_with = state)]
    state: Option<UserState>,
    /// Only users who asked to delete their account. `false` doesn't filter.
    #[param(required = false, default = false)]
    deletion_requested: bool,
    #[param(required = false, schema_with = include)]
    include: Option<Include>,
}

/// What the list tells besides the users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum Include {
    SecondFactor,
}

fn sort() -> ObjectBuilder {
    let about = "Sort by date of creation, by name, or by last sign-in.";
    choice_schema::<UserSort>().default(Some("created".into())).description(Some(about))
}

fn order() -> ObjectBuilder {
    choice_schema::<SortOrder>().default(Some("asc".into())).description(Some("Sort ascending or descending."))
}

fn state() -> ObjectBuilder {
    let about =
        "Only users that wait for approval, can sign in, are deactivated, are superusers, or have no second factor.";
    choice_schema::<UserState>().description(Some(about))
}

/// What the answer about one user tells besides the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum Detail {
    MustChangePassword,
}

fn detail() -> ObjectBuilder {
    choice_schema::<Detail>().description(Some("Add `must_change_password`."))
}

/// The query of the answer about one user.
#[derive(IntoParams)]
#[expect(dead_code, reason = "describes the query; `UserInclude` is what is read from it")]
struct UserQueryParameters {
    #[param(required = false, schema_with = detail)]
    include: Option<Detail>,
}

/// What to tell besides the user.
pub struct UserInclude {
    /// Whether the user must choose a new password.
    pub must_change_password: bool,
}

impl Input for UserInclude {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let include: Option<Detail> =
            errors.collect(Location::Query("include"), choice_parameter(source, "include"))?;
        Some(Self { must_change_password: include == Some(Detail::MustChangePassword) })
    }

    fn describe(operation: &mut Operation) {
        operation.query::<UserQueryParameters>();
    }
}

fn include() -> ObjectBuilder {
    choice_schema::<Include>().description(Some("Add `has_second_factor` to each user."))
}

impl UserListQuery {
    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let search = errors.collect(Location::Query("search"), search_text(source.query.get("search")));
        let username = errors.collect(Location::Query("username"), search_text(source.query.get("username")));
        if source.query.get("role_name").is_some() {
            // A client would take a list that ignores one of Langflow's filters for the filtered list.
            errors.collect::<()>(Location::Query("role_name"), Err(FieldError::value(field::NO_ROLES)));
        }
        let sort = errors.collect(Location::Query("sort"), choice_parameter(source, "sort"));
        let order = errors.collect(Location::Query("order"), choice_parameter(source, "order"));
        let state = errors.collect(Location::Query("state"), choice_parameter(source, "state"));
        let deletion_requested = match source.query.get("deletion_requested") {
            Some(text) => errors.collect(Location::Query("deletion_requested"), coerce::boolean(&json!(text))),
            None => Some(false),
        };
        let include = errors.collect(Location::Query("include"), choice_parameter(source, "include"));
        Some(Self {
            search: search?,
            username: username?,
            sort: sort?,
            order: order?,
            state: state?,
            deletion_requested: deletion_requested?,
            include: include?,
        })
    }
}

/// Reads the text to search for. One that is longer than any name is refused before work is done on it.
fn search_text(sent: Option<&str>) -> Result<Option<String>, FieldError> {
    let Some(text) = sent.map(str::trim) else { return Ok(None) };
    if username::is_too_long(text) {
        return Err(FieldError::new("string_too_long", UsernameError::TooLong.to_string()));
    }
    fields::without_nul(text).map(Some)
}

/// Reads a parameter that is one of an enum's words. An empty or missing parameter is `None`.
fn choice_parameter<T: FromStr + VariantNames>(source: &InputSource<'_>, name: &str) -> Result<Option<T>, FieldError> {
    let Some(sent) = source.query.get(name).filter(|sent| !sent.is_empty()) else { return Ok(None) };
    sent.parse().map(Some).map_err(|_| {
        let (last, others) = T::VARIANTS.split_last().unwrap_or((&"", &[]));
        let others = if others.is_empty() { String::new() } else { format!("'{}' or ", others.join("', '")) };
        FieldError::new("literal_error", format!("Input should be {others}'{last}'"))
    })
}

/// Which users are listed.
pub struct UserFilter {
    pub page: UserQuery,
    /// Only the user with this name.
    pub username: Option<String>,
    /// Only users who asked to delete their account.
    pub deletion_requested: bool,
    /// Whether to tell who has a second factor.
    pub include_factors: bool,
}

impl Input for UserFilter {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let generation = Generation::of(source.config);
        let page = Page::read(source, generation.list_limits, errors);
        let query = UserListQuery::read(source, errors);
        let (Page { skip, limit }, query) = (page?, query?);
        let UserListQuery { search, username, sort, order, state, deletion_requested, include } = query;
        let descending = order == Some(SortOrder::Desc);
        let sort = sort.unwrap_or(generation.list_order);
        let page = UserQuery { skip, limit, search, sort, descending, state };
        let include_factors = include == Some(Include::SecondFactor);
        Some(Self { page, username, deletion_requested, include_factors })
    }

    fn describe(operation: &mut Operation) {
        operation.query::<Page>();
        operation.query::<UserListQuery>();
        let Generation { list_limits: (min, max), list_order, .. } = operation.generation;
        operation.adjust_query("limit", |limit| {
            (limit.minimum, limit.maximum) = (Some((*min).into()), Some((*max).into()));
        });
        operation.adjust_query("sort", |sort| sort.default = Some(<&str>::from(*list_order).into()));
    }
}
