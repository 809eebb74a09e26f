//! The sign-in form.

use utoipa::ToSchema;

use crate::domain::secret::Secret;
use crate::http::pipeline::body::form::FormPairs;
use crate::http::pipeline::body::{Body, BodyKind};
use crate::http::pipeline::messages::field;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource};
use crate::http::pipeline::validation::{FieldError, FieldErrors, Location};

/// The sign-in form.
pub struct LoginForm {
    /// As it was typed.
    pub username: String,
    /// Perhaps with a code behind it.
    pub password: Secret,
}

/// Declares a schema of the sign-in form.
macro_rules! login_body {
    ($type:ident, $name:ident, $title:literal) => {
        /// A user name and password. The other fields are part of the OAuth 2 password flow and aren't used.
        #[derive(ToSchema)]
        #[schema(as = $name, title = $title)]
        #[expect(dead_code, reason = "it describes the fields that are read one by one")]
        struct $type {
            #[schema(pattern = "^password$")]
            grant_type: Option<String>,
            username: String,
            #[schema(format = Password)]
            password: String,
            #[schema(required = false)]
            scope: String,
            client_id: Option<String>,
            client_secret: Option<String>,
        }
    };
}

login_body!(LoginBody, Body_login_to_get_access_token_api_v1_login_post, "Sign-in form");
// Generators tell the two content types of a body apart by the schema.
login_body!(MultipartLoginBody, MultipartLogin, "Multipart sign-in form");

impl Input for LoginForm {
    const BODY: BodyKind = BodyKind::Form;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let none = FormPairs::default();
        let form = if let Body::Form(form) = source.body { form } else { &none };
        let read = |name| {
            if form.is_file(name) {
                return Err(FieldError::new("string_type", field::STRING));
            }
            // FastAPI takes an empty field for a missing one.
            Ok(form.get(name).filter(|value| !value.is_empty()))
        };
        let required =
            |name| read(name)?.map(ToOwned::to_owned).ok_or_else(|| FieldError::new("missing", field::MISSING));
        let grant_type = read("grant_type").and_then(|grant| match grant {
            None | Some("password") => Ok(()),
            Some(_) => Err(FieldError::new("string_pattern_mismatch", field::GRANT_TYPE)),
        });
        let grant_type = errors.collect(Location::Field("grant_type"), grant_type);
        let username = errors.collect(Location::Field("username"), required("username"));
        let password = errors.collect(Location::Field("password"), required("password"));
        grant_type?;
        Some(Self { username: username?, password: Secret::new(password?) })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<LoginBody>("application/x-www-form-urlencoded");
        operation.or_body::<MultipartLoginBody>("multipart/form-data");
        // openapi-python-client 0.29 writes invalid code for two content types without an optional parameter.
        operation.header("User-Agent", "The client's name in the list of sessions.");
    }
}
