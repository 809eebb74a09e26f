//! The input of routes that a link leads to.

use utoipa::ToSchema;

use crate::auth::password_hasher::MAX_BYTES;
use crate::domain::secret::Secret;
use crate::domain::username::{MAX_CHARS, Username};
use crate::http::models::text;
use crate::http::models::user_inputs::{CheckedUserCreate, UserCreate};
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::coerce;
use crate::http::pipeline::fields::Fields;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::{FieldErrors, Rejected};

/// The token of a link.
#[derive(ToSchema)]
#[schema(title = "Link token")]
pub struct LinkToken {
    #[schema(value_type = String)]
    pub token: Secret,
}

impl Input for LinkToken {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        fields.required("token", errors, coerce::string).map(|token| Self { token: Secret::new(token) })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

/// A new account, and the token of the link that allows it.
#[derive(ToSchema)]
#[schema(title = "Account by link")]
#[expect(dead_code, reason = "describes the body")]
struct NewAccount {
    #[schema(value_type = String)]
    token: Secret,
    #[schema(schema_with = text::<1, MAX_CHARS>)]
    username: Username,
    #[schema(schema_with = text::<1, MAX_BYTES>)]
    password: Secret,
}

/// The body of a route that creates an account by a link. Its fields have the right types.
pub struct LinkSignUp {
    pub token: Secret,
    /// The error is for the handler to send, once the token is checked.
    pub user: Result<UserCreate, Rejected>,
}

impl Input for LinkSignUp {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let token = fields.required("token", errors, coerce::string).map(Secret::new);
        let user = CheckedUserCreate::from_fields(&fields, source, errors);
        Some(Self { token: token?, user: user?.0 })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<NewAccount>("application/json");
    }
}
