//! The token of a one-time link, as the routes that check a link read it.

use utoipa::ToSchema;

use crate::domain::secret::Secret;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::coerce;
use crate::http::pipeline::fields::Fields;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::FieldErrors;

/// The token of a link.
#[derive(ToSchema)]
#[schema(title = "Link token")]
pub struct LinkToken {
    #[schema(value_type = String)]
    pub token: Secret,
}

impl Input for LinkToken {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, faults: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, faults)?;
        fields.required("token", faults, coerce::string).map(|token| Self { token: Secret::new(token) })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}
