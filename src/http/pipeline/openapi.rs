//! Owns the API's description (OpenAPI 3.1). It is made from the route table and from the types that handlers take, so
//! that it cannot say anything else than the code does.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use actix_web::web::Bytes;

use serde_json::{Map, Value, json};

use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::schema::{self, Described, object, string};

/// One route's description, filled in by its table entry and by the types of its handler.
#[derive(Default)]
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub description: &'static str,
    pub needs_credentials: bool,
    pub parameters: Vec<Value>,
    pub request_body: Option<Value>,
    pub responses: BTreeMap<u16, Value>,
    pub schemas: BTreeMap<&'static str, Value>,
}

impl Operation {
    /// A parameter of the path that is a UUID.
    pub fn path_id(&mut self, name: &'static str) {
        self.parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema::uuid() }));
    }

    /// A parameter of the query that may be left out.
    pub fn query(&mut self, name: &'static str, schema: &Value, description: &'static str) {
        self.parameter("query", name, schema, description);
    }

    fn parameter(&mut self, place: &str, name: &str, schema: &Value, description: &str) {
        let parameter =
            json!({ "name": name, "in": place, "required": false, "schema": schema, "description": description });
        self.parameters.push(parameter);
    }

    /// A header that may be left out.
    pub fn header(&mut self, name: &'static str, description: &'static str) {
        self.parameter("header", name, &string(), description);
    }

    /// The body, of this media type.
    pub fn body(&mut self, media_type: &'static str, name: &'static str, schema: Value) {
        self.schemas.insert(name, schema);
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.request_body = Some(json!({ "required": true, "content": { media_type: { "schema": reference } } }));
    }

    /// What a success looks like.
    pub fn success<T: Described>(&mut self, status: u16) {
        self.schemas.extend(T::parts());
        self.schemas.insert(T::NAME, T::schema());
        self.reply(status, "Successful Response", schema::reference::<T>());
    }

    /// A refusal, whose `detail` is a sentence.
    pub fn refusal(&mut self, status: u16, description: &str) {
        self.schemas.insert("HTTPError", object(&[("detail", string(), true)]));
        self.reply(status, description, json!({ "$ref": "#/components/schemas/HTTPError" }));
    }

    /// Any reply with a JSON body.
    pub fn reply(&mut self, status: u16, description: &str, schema: Value) {
        let content = json!({ "application/json": { "schema": schema } });
        self.responses.insert(status, json!({ "description": description, "content": content }));
    }

    /// A reply that is plain text.
    pub fn reply_text(&mut self, status: u16, description: &str) {
        let content = json!({ "text/plain": { "schema": string() } });
        self.responses.insert(status, json!({ "description": description, "content": content }));
    }

    /// A reply without a body.
    pub fn status_alone(&mut self, status: u16, description: &str) {
        self.responses.insert(status, json!({ "description": description }));
    }

    /// The refusals that follow from what the route takes and from who may call it.
    pub fn common_refusals(&mut self, body: BodyKind, safe: bool) {
        if self.needs_credentials {
            self.refusal(401, "The token or key is no longer valid");
            self.refusal(403, "No valid credentials, or not allowed");
        } else if !safe {
            self.refusal(403, "Not allowed");
        }
        if body != BodyKind::None {
            self.refusal(400, "The body cannot be read, or the request cannot be carried out");
            self.refusal(408, "The body did not arrive in time");
            self.refusal(413, "The body is too large");
        }
        // Any text may stand in a header.
        if body != BodyKind::None || self.parameters.iter().any(|parameter| parameter["in"] != "header") {
            self.schemas.insert("ValidationError", validation_error());
            self.schemas.insert("HTTPValidationError", http_validation_error());
            self.reply(422, "Validation Error", json!({ "$ref": "#/components/schemas/HTTPValidationError" }));
        }
        self.refusal(500, "Something failed that should not; the log has the cause");
        self.refusal(503, "Busy, or the database cannot be used right now; `Retry-After` says when to try again");
        self.refusal(507, "The disk is full");
    }

    fn to_value(&self) -> Value {
        let responses: Map<String, Value> =
            self.responses.iter().map(|(status, reply)| (status.to_string(), reply.clone())).collect();
        let mut operation = json!({
            "tags": [self.tag],
            "summary": self.summary,
            "operationId": self.id,
            "responses": responses,
        });
        if !self.description.is_empty() {
            operation["description"] = json!(self.description);
        }
        if self.needs_credentials {
            operation["security"] =
                json!([{ "OAuth2PasswordBearer": [] }, { "API key query": [] }, { "API key header": [] }]);
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = json!(self.parameters);
        }
        if let Some(body) = &self.request_body {
            operation["requestBody"] = body.clone();
        }
        operation
    }
}

fn validation_error() -> Value {
    let loc = schema::array(json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }));
    object(&[("loc", loc, true), ("msg", string(), true), ("type", string(), true)])
}

fn http_validation_error() -> Value {
    object(&[("detail", schema::array(json!({ "$ref": "#/components/schemas/ValidationError" })), false)])
}

/// The description that one server sends, made when it is first asked for: most servers never are.
pub struct ApiDescription {
    describe: fn() -> Value,
    text: OnceLock<Bytes>,
}

impl ApiDescription {
    /// A description that `describe` makes.
    pub fn new(describe: fn() -> Value) -> Self {
        Self { describe, text: OnceLock::new() }
    }

    /// The document as JSON, for a server below `base_path`.
    pub fn json(&self, base_path: &str) -> Bytes {
        let make = || {
            let mut document = (self.describe)();
            if !base_path.is_empty() {
                document["servers"] = json!([{ "url": base_path }]);
            }
            document.to_string().into()
        };
        self.text.get_or_init(make).clone()
    }
}

/// The whole document.
pub fn document(operations: &[Operation]) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_ascii_lowercase()] = operation.to_value();
        for (name, schema) in &operation.schemas {
            let mut schema = schema.clone();
            schema["title"] = json!(name);
            schemas.insert((*name).to_owned(), schema);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "usher",
            "description": "User accounts for self-hosted software. Speaks Langflow's Users API.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "OAuth2PasswordBearer": { "type": "oauth2", "flows": { "password": { "scopes": {}, "tokenUrl": "api/v1/login" } } },
                "API key query": { "type": "apiKey", "in": "query", "name": "x-api-key" },
                "API key header": { "type": "apiKey", "in": "header", "name": "x-api-key" },
            },
        },
    })
}
