//! The API description: `/openapi.json`.

use crate::http::pipeline::caller::Anyone;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::request::{NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/openapi.json", openapi)
            .named("Documentation", "openapi_json_get", "Get this description")
            .about("Returns this description of the API (OpenAPI 3.1).")
            .responds_with_object(200, "An OpenAPI document."),
    ]
}

async fn openapi(request: Request<Anyone, NoInput>) -> Result<Response, ApiError> {
    Ok(Response::file(request.app.description.json(&request.app.config.base_path), "application/json"))
}
