//! The API's description (OpenAPI 3.1), built from the route table and from the types that handlers read and return.

use std::sync::OnceLock;

use actix_web::web::Bytes;
use serde_json::{Value, json};
use utoipa::openapi::path::{Operation as Inner, Parameter, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{KnownFormat, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Flow, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, Content, InfoBuilder, LicenseBuilder, Object, ObjectBuilder, OpenApiBuilder,
    PathItem, Ref, RefOr, Required, SecurityRequirement, ServerBuilder,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::error::response::ErrorBody;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::method::Method;
use crate::http::pipeline::validation::ValidationErrorBody;

const JSON: &str = "application/json";

/// The groups of operations, in the order in which they are shown.
const TAGS: &[(&str, &str)] = &[
    ("Users", "User accounts."),
    ("Data Subjects", "Your own data, and requests to delete an account."),
    ("Login", "Sign-in, refresh and sign-out."),
    ("APIKey", "API keys for programs."),
    ("Sessions", "Where a user is signed in."),
    ("Second factors", "Authenticator apps, passkeys and recovery codes."),
    ("Reset links", "One-time links that set a new password."),
    ("Invitations", "Links with which people create active accounts themselves."),
    ("Setup", "The first superuser."),
    ("Audit", "Who changed what, and when."),
    ("Forward auth", "Access to the sites behind a reverse proxy."),
    ("Health Check", "Whether the server works."),
    ("Server", "The server's state and its backups."),
    ("Monitoring", "Metrics for Prometheus."),
    ("Documentation", "This description."),
];

/// The errors that many operations share: status, name under `components/responses`, description.
const SHARED: [(u16, &str, &str); 9] = [
    (400, "BadRequest", "The request can't be read or carried out."),
    (401, "Unauthorized", "The access token or API key is not valid."),
    (403, "Forbidden", "Credentials are missing, or they don't allow this request."),
    (408, "RequestTimeout", "The request body didn't arrive in time."),
    (413, "ContentTooLarge", "The request body is too large."),
    (422, "UnprocessableContent", "Fields are missing or invalid. `detail` lists them."),
    (500, "InternalServerError", "The server failed. Its log has the cause."),
    (503, "ServiceUnavailable", "The server is busy, or can't use its database. `Retry-After` says when to try again."),
    (507, "InsufficientStorage", "The server's disk is full."),
];

/// The security schemes, each of which is enough.
const SECURITY: [&str; 3] = ["OAuth2PasswordBearer", "ApiKeyQuery", "ApiKeyHeader"];

/// The description of one route, filled in by its table entry and by the types of its handler.
pub struct Operation {
    pub generation: &'static Generation,
    pub method: Method,
    pub path: &'static str,
    pub needs_credentials: bool,
    inner: Inner,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl Operation {
    /// An operation without parameters and responses.
    pub fn new(generation: &'static Generation, method: Method, path: &'static str) -> Self {
        let (inner, schemas) = (Inner::default(), Vec::new());
        Self { generation, method, path, needs_credentials: false, inner, schemas }
    }

    /// Sets the group, the id and the one-line summary.
    pub fn name(&mut self, tag: &str, id: &str, summary: &str) {
        self.inner.tags = Some(vec![tag.to_owned()]);
        self.inner.operation_id = Some(id.to_owned());
        self.inner.summary = Some(summary.to_owned());
    }

    /// Sets the description.
    pub fn describe(&mut self, description: &str) {
        self.inner.description = Some(description.to_owned());
    }

    /// Adds a UUID in the path.
    pub fn path_id(&mut self, name: &str, description: &str) {
        let uuid =
            Object::builder().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        self.parameter(name, ParameterIn::Path, Required::True, uuid, description);
    }

    /// Adds a path parameter that is any text.
    pub fn path_text(&mut self, name: &str, description: &str) {
        let text = Object::builder().schema_type(Type::String);
        self.parameter(name, ParameterIn::Path, Required::True, text, description);
    }

    /// Adds the fields of `T` as query parameters.
    pub fn query<T: IntoParams>(&mut self) {
        // The derive drops a field's doc comment for a schema from a function, which has its own description.
        let described = |mut parameter: Parameter| {
            if let (None, Some(RefOr::T(Schema::Object(schema)))) = (&parameter.description, &mut parameter.schema) {
                parameter.description = schema.description.take();
            }
            RefOr::T(parameter)
        };
        let parameters = T::into_params(|| Some(ParameterIn::Query)).into_iter().map(described);
        self.inner.parameters.get_or_insert_default().extend(parameters);
    }

    /// Changes the schema of a query parameter that was added.
    pub fn adjust_query(&mut self, name: &str, adjust: impl FnOnce(&mut Object)) {
        let mut parameters = self.inner.parameters.iter_mut().flatten();
        let found = parameters.find_map(|parameter| match parameter {
            RefOr::T(Parameter { name: found, schema: Some(RefOr::T(Schema::Object(schema))), .. }) => {
                (found == name).then_some(schema)
            }
            _ => None,
        });
        found.map(adjust);
    }

    /// Adds an optional header.
    pub fn header(&mut self, name: &str, description: &str) {
        let text = Object::builder().schema_type(Type::String);
        self.parameter(name, ParameterIn::Header, Required::False, text, description);
    }

    fn parameter(&mut self, name: &str, place: ParameterIn, required: Required, schema: ObjectBuilder, about: &str) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .schema(Some(schema))
            .description(Some(about))
            .build();
        self.inner.parameters.get_or_insert_default().push(RefOr::T(parameter));
    }

    /// Sets the body to a `T` of this media type.
    pub fn body<T: ToSchema>(&mut self, media_type: &str) {
        self.set_body::<T>(media_type, Required::True);
    }

    /// Sets the body, which can be left out, to a `T` of this media type.
    pub fn optional_body<T: ToSchema>(&mut self, media_type: &str) {
        self.set_body::<T>(media_type, Required::False);
    }

    fn set_body<T: ToSchema>(&mut self, media_type: &str, required: Required) {
        let content = Content::new(Some(self.reference::<T>()));
        let body = RequestBodyBuilder::new().content(media_type, content).required(Some(required)).build();
        self.inner.request_body = Some(RefOr::T(body));
    }

    /// Adds a second media type to the body.
    pub fn or_body<T: ToSchema>(&mut self, media_type: &str) {
        let content = Content::new(Some(self.reference::<T>()));
        if let Some(RefOr::T(body)) = &mut self.inner.request_body {
            body.content.insert(media_type.to_owned(), content.into());
        }
    }

    /// Refers to the schema of `T`, and adds it and those that it refers to.
    fn reference<T: ToSchema>(&mut self) -> Ref {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        Ref::from_schema_name(T::name())
    }

    /// Adds a response that is a `T`, described as the type is.
    pub fn returns<T: ToSchema>(&mut self, status: u16) {
        let description = match T::schema() {
            RefOr::T(Schema::Object(object)) => object.description,
            _ => None,
        };
        self.returns_as::<T>(status, &description.unwrap_or_default());
    }

    /// Adds a response that is a `T`.
    pub fn returns_as<T: ToSchema>(&mut self, status: u16, description: &str) {
        let content = Content::new(Some(self.reference::<T>()));
        self.respond(status, ResponseBuilder::new().description(description).content(JSON, content));
    }

    /// Adds an error whose `detail` is a sentence.
    pub fn fails_with(&mut self, status: u16, description: &str) {
        self.returns_as::<ErrorBody<'_>>(status, description);
    }

    /// Adds a response that is any JSON object.
    pub fn returns_object(&mut self, status: u16, description: &str) {
        let content = Content::new(Some(Object::with_type(Type::Object)));
        self.respond(status, ResponseBuilder::new().description(description).content(JSON, content));
    }

    /// Adds a response that is a file of this media type.
    pub fn returns_file(&mut self, status: u16, media_type: &str, description: &str) {
        let content = Content::new(Some(Object::with_type(Type::String)));
        self.respond(status, ResponseBuilder::new().description(description).content(media_type, content));
    }

    /// Adds a response without a body.
    pub fn responds_empty(&mut self, status: u16, description: &str) {
        self.respond(status, ResponseBuilder::new().description(description));
    }

    fn respond(&mut self, status: u16, response: impl Into<RefOr<utoipa::openapi::Response>>) {
        self.inner.responses.responses.insert(status.to_string(), response.into());
    }

    /// Adds the errors that follow from what the route reads and from who may call it.
    pub fn common_errors(&mut self, body: BodyKind, safe: bool) {
        let has_body = body != BodyKind::None;
        // Headers accept any text.
        let is_other = |parameter: &RefOr<Parameter>| {
            matches!(parameter, RefOr::T(Parameter { parameter_in: ParameterIn::Path | ParameterIn::Query, .. }))
        };
        let validated = has_body || self.inner.parameters.iter().flatten().any(is_other);
        for (status, name, _) in SHARED {
            let applies = match status {
                400 | 408 | 413 => has_body,
                401 => self.needs_credentials,
                403 => self.needs_credentials || !safe,
                422 => validated,
                _ => true,
            };
            if applies {
                self.respond(status, Ref::from_response_name(name));
            }
        }
    }

    /// Says that sessions need a recent sign-in.
    pub fn needs_recent_sign_in(&mut self) {
        self.fails_with(
            403,
            "You aren't allowed to do this. With `reauthenticate`: sign in again first (`/login/again`).",
        );
    }

    fn finish(mut self) -> (PathItem, Vec<(String, RefOr<Schema>)>) {
        let schemes = SECURITY.iter().filter(|_| self.needs_credentials);
        self.inner.security = Some(schemes.map(|name| SecurityRequirement::new(*name, [""; 0])).collect());
        // Every request can be malformed.
        if !self.inner.responses.responses.keys().any(|status| status.starts_with('4')) {
            self.respond(400, Ref::from_response_name(SHARED[0].1));
        }
        (PathItem::new(self.method.described(), self.inner), self.schemas)
    }
}

/// The description that one server sends, built on first request: most servers are never asked.
pub struct ApiDescription {
    describe: fn(&'static Generation) -> Value,
    generation: &'static Generation,
    text: OnceLock<Bytes>,
}

impl ApiDescription {
    /// A description that `describe` builds.
    pub fn new(describe: fn(&'static Generation) -> Value, generation: &'static Generation) -> Self {
        Self { describe, generation, text: OnceLock::new() }
    }

    /// The document as JSON, for a server below `base_path`.
    pub fn json(&self, base_path: &str) -> Bytes {
        let make = || {
            let mut document = (self.describe)(self.generation);
            if !base_path.is_empty() {
                document["servers"][0]["url"] = json!(base_path);
            }
            document.to_string().into()
        };
        self.text.get_or_init(make).clone()
    }
}

/// The whole document.
pub fn document(operations: impl Iterator<Item = Operation>) -> Value {
    let (mut paths, mut components) = (PathsBuilder::new(), shared_components());
    for operation in operations {
        let path = operation.path;
        let (item, schemas) = operation.finish();
        paths = paths.path(path, item);
        components = components.schemas_from_iter(schemas);
    }
    let tag = |(name, about)| TagBuilder::new().name(name).description(Some(about)).build();
    let info = InfoBuilder::new()
        .title("usher")
        .description(Some("User accounts for self-hosted software. Speaks Langflow's Users API."))
        .version(env!("CARGO_PKG_VERSION"))
        .contact(Some(ContactBuilder::new().name(Some("The maintainers of usher")).build()))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()));
    let document = OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").description(Some("This server")).build()]))
        .tags(Some(TAGS.iter().copied().map(tag)))
        .paths(paths)
        .components(Some(components.build()))
        .build();
    serde_json::to_value(document).expect("the description is plain data with text keys")
}

/// The responses that operations refer to, their schemas, and the security schemes.
fn shared_components() -> ComponentsBuilder {
    let components = SHARED.iter().fold(ComponentsBuilder::new(), |components, (status, name, description)| {
        let schema = if *status == 422 { ValidationErrorBody::name() } else { ErrorBody::name() };
        let content = Content::new(Some(Ref::from_schema_name(schema)));
        components.response(*name, ResponseBuilder::new().description(*description).content(JSON, content))
    });
    let mut parts = vec![];
    ValidationErrorBody::schemas(&mut parts);
    let [oauth, query, header] = SECURITY;
    let key = || ApiKeyValue::new("x-api-key");
    components
        .schema(ErrorBody::name(), ErrorBody::schema())
        .schema(ValidationErrorBody::name(), ValidationErrorBody::schema())
        .schemas_from_iter(parts)
        .security_scheme(
            oauth,
            SecurityScheme::OAuth2(OAuth2::new([Flow::Password(Password::new("api/v1/login", Scopes::new()))])),
        )
        .security_scheme(query, SecurityScheme::ApiKey(ApiKey::Query(key())))
        .security_scheme(header, SecurityScheme::ApiKey(ApiKey::Header(key())))
}
