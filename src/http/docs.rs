//! Owns `/openapi.json` and `/docs`.

use std::sync::LazyLock;

use actix_web::http::Method;
use serde_json::json;

use super::call::{Call, Nothing};
use super::caller::Anyone;
use super::error::ApiError;
use super::reply::Reply;
use super::route::{self, Route};

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/openapi.json", openapi)
            .named("Documentation", "openapi_json_get", "API description")
            .about("This API's description (OpenAPI 3.1).")
            .replies(200, "The description", || json!({ "type": "object" })),
    ]
}

/// Made when it is first asked for: most servers never are.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| route::describe_routes().to_string());

async fn openapi(call: Call<Anyone, Nothing>) -> Result<Reply, ApiError> {
    let base_path = &call.app.config.base_path;
    if base_path.is_empty() {
        return Ok(Reply::file(DOCUMENT.as_bytes(), "application/json"));
    }
    let mut document = route::describe_routes();
    document["servers"] = json!([{ "url": base_path }]);
    Ok(Reply::json(&document))
}
