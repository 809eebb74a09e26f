//! The API description: `/openapi.json`.

use serde_json::json;

use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/openapi.json", openapi)
            .named("Documentation", "openapi_json_get", "API description")
            .about("This API's description (OpenAPI 3.1).")
            .replies(200, "The description", || json!({ "type": "object" })),
    ]
}

async fn openapi(request: Request<Anyone, NoInput>) -> Result<Response, ApiError> {
    Ok(Response::file(request.app.description.json(&request.app.config.base_path), "application/json"))
}
