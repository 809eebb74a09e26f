//! API keys: your own, as a superuser those of others, and the key for Langflow's component store.

use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::api_key;
use crate::domain::api_key::{ApiKey, MAX_PER_USER};
use crate::domain::audit::{Action, Event};
use crate::domain::clock::Timestamp;
use crate::domain::policy;
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::http::models::{ApiKeyRead, ApiKeysResponse, Detail, UnmaskedApiKeyRead, nullable_text, text};
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::credentials::Authenticated;
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::caller::{SignedIn, Superuser};
use crate::http::pipeline::cookies::{self, CookieJar};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields::{self, Fields};
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, KeyId, NoInput, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::{FieldError, FieldErrors};
use crate::http::pipeline::{coerce, messages};
use crate::http::sign_in::key_revocation::revoke_keys;
use crate::store::{api_keys, audit, users};

const ALL: &str = "/api/v1/api_key/";
const TAG: &str = "APIKey";
/// The most characters of a key's name.
const MAX_NAME: usize = 255;
/// The most characters of a store key; encrypted it must still fit into a cookie.
const MAX_STORE_KEY: usize = 1024;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get(ALL, list)
            .named(TAG, "get_api_keys_route_api_v1_api_key__get", "List your API keys")
            .about("Returns your own API keys, masked.")
            .responds_with::<ApiKeysResponse<'_>>(200),
        Route::post(ALL, create)
            .named(TAG, "create_api_key_route_api_v1_api_key__post", "Create an API key")
            .about("Creates an API key and returns it. It can't be read again later.")
            .responds_with::<UnmaskedApiKeyRead<'_>>(200),
        Route::delete("/api/v1/api_key/{api_key_id}", delete)
            .named(TAG, "delete_api_key_route_api_v1_api_key__api_key_id__delete", "Delete an API key")
            .about("Deletes one of your own API keys.")
            .responds_with::<Detail>(200)
            .fails_with(400, "You have no such API key."),
        Route::post("/api/v1/api_key/store", store)
            .named(TAG, "save_store_api_key_api_v1_api_key_store_post", "Save the store key")
            .about("Saves your key to Langflow's component store, encrypted.")
            .responds_with::<Detail>(200),
        Route::delete(ALL, delete_all)
            .named(TAG, "delete_api_keys_api_v1_api_key__delete", "Delete all API keys")
            .about("Deletes all of your API keys.")
            .responds_with::<Detail>(200),
        Route::delete("/api/v1/users/{user_id}/api_keys", revoke_all)
            .named(TAG, "revoke_user_api_keys_api_v1_users__user_id__api_keys_delete", "Revoke all API keys of a user")
            .about("Deletes all API keys of a user. For superusers.")
            .responds_with::<Detail>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::get("/api/v1/users/{user_id}/api_keys", list_of)
            .named(TAG, "read_user_api_keys_api_v1_users__user_id__api_keys_get", "List a user's API keys")
            .about("Returns a user's API keys, masked. For superusers.")
            .responds_with::<ApiKeysResponse<'_>>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::delete("/api/v1/users/{user_id}/api_keys/{api_key_id}", revoke)
            .named(
                TAG,
                "revoke_user_api_key_api_v1_users__user_id__api_keys__api_key_id__delete",
                "Revoke a user's API key",
            )
            .about("Deletes an API key of a user. For superusers.")
            .responds_with::<Detail>(200)
            .fails_with(400, "The user has no such API key."),
    ]
}

async fn list(request: Request<SignedIn, NoInput>) -> Result<Response, ApiError> {
    let user_id = request.caller.user.id;
    let keys = request.app.db.read(move |connection| api_keys::of_user(connection, user_id)).await?;
    Ok(shown(&request.app, user_id, keys))
}

async fn list_of(request: Request<Superuser, UserId>) -> Result<Response, ApiError> {
    let UserId(user_id) = request.input;
    let keys = request.app.db.read(move |connection| {
        users::find(connection, user_id)?.ok_or(ApiError::UserNotFound)?;
        Ok::<_, ApiError>(api_keys::of_user(connection, user_id)?)
    });
    let keys = keys.await?;
    Ok(shown(&request.app, user_id, keys))
}

fn shown(app: &App, user_id: Uuid, mut keys: Vec<ApiKey>) -> Response {
    app.key_uses.add_to(&mut keys);
    let api_keys: Vec<_> = keys.iter().map(ApiKeyRead::from).collect();
    Response::json(&ApiKeysResponse { total_count: api_keys.len(), user_id, api_keys })
}

/// A new API key. Only `name` and `expires_at` are used. The other fields are checked and ignored, as in Langflow.
#[derive(ToSchema)]
#[schema(title = "API key to create")]
#[expect(dead_code, reason = "some fields are only checked")]
struct ApiKeyCreate {
    #[schema(schema_with = nullable_text::<0, MAX_NAME>)]
    name: Option<String>,
    last_used_at: Option<DateTime<Utc>>,
    #[schema(nullable = false)]
    total_uses: Option<i64>,
    #[schema(nullable = false)]
    is_active: Option<bool>,
    api_key: Option<String>,
    user_id: Option<Uuid>,
    created_at: Option<DateTime<Utc>>,
    /// When the key stops working. Must be in the future.
    expires_at: Option<DateTime<Utc>>,
}

impl Input for ApiKeyCreate {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let unless_falsy = |value| if coerce::is_falsy(value) { Ok(None) } else { coerce::datetime(value).map(Some) };
        let in_the_future = |end: Timestamp| {
            if end > source.now { Ok(end) } else { Err(FieldError::value(messages::field::KEY_IN_THE_PAST)) }
        };
        Some(Self {
            name: fields.optional("name", errors, |value| fields::name(value, MAX_NAME)),
            last_used_at: fields.optional("last_used_at", errors, coerce::datetime),
            total_uses: fields.defaulted("total_uses", errors, coerce::integer),
            is_active: fields.defaulted("is_active", errors, coerce::boolean),
            api_key: fields.optional("api_key", errors, coerce::string).map(ToOwned::to_owned),
            user_id: fields.optional("user_id", errors, coerce::uuid),
            created_at: fields.optional("created_at", errors, unless_falsy).flatten(),
            expires_at: fields.optional("expires_at", errors, |value| coerce::datetime(value).and_then(in_the_future)),
        })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn create(request: Request<Recent<SignedIn>, ApiKeyCreate>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input } = request;
    policy::may_create_api_key(&caller, input.expires_at)?;
    let unmasked = api_key::generate()?;
    let key = ApiKey::new(caller.user.id, &unmasked, input.name, input.expires_at, now);
    let hash = api_key::sha256(unmasked.expose());
    let event = Event::new(caller.actor(&client), Action::KeyMade).target(&caller.user);
    let event =
        event.detail(format!("key \"{}\"", key.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&key.prefix)));
    let created = caller.write(&app, move |connection| {
        if api_keys::count_of_user(connection, key.user_id)? >= MAX_PER_USER {
            return Err(ApiError::TooManyApiKeys);
        }
        api_keys::insert(connection, &key, &hash)?;
        audit::record(connection, &event, now)?;
        Ok(key)
    });
    Ok(Response::json(&UnmaskedApiKeyRead::new(&created.await?, unmasked.expose())))
}

async fn delete_all(request: Request<SignedIn, NoInput>) -> Result<Response, ApiError> {
    delete_keys(&request, &request.caller, request.caller.user.id).await
}

async fn revoke_all(request: Request<Recent<Superuser>, UserId>) -> Result<Response, ApiError> {
    delete_keys(&request, &request.caller, request.input.0).await
}

async fn delete_keys<C, I>(request: &Request<C, I>, caller: &Authenticated, owner: Uuid) -> Result<Response, ApiError> {
    let (actor, now) = (caller.actor(&request.client), request.now);
    let deleted = caller.write(&request.app, move |connection| {
        let user = users::find(connection, owner)?.ok_or(ApiError::UserNotFound)?;
        Ok(revoke_keys(connection, actor, &user, now)?)
    });
    deleted.await?;
    Ok(Response::json(&Detail { detail: messages::API_KEYS_DELETED }))
}

async fn delete(request: Request<SignedIn, KeyId>) -> Result<Response, ApiError> {
    let KeyId(id) = request.input;
    delete_key(&request, &request.caller, request.caller.user.clone(), id).await
}

async fn revoke(request: Request<Recent<Superuser>, (UserId, KeyId)>) -> Result<Response, ApiError> {
    let (UserId(user_id), KeyId(id)) = request.input;
    let owner = request.app.db.read(move |connection| users::find(connection, user_id)).await?;
    delete_key(&request, &request.caller, owner.ok_or(ApiError::ApiKeyNotFound)?, id).await
}

async fn delete_key<C, I>(
    request: &Request<C, I>,
    caller: &Authenticated,
    owner: User,
    id: Uuid,
) -> Result<Response, ApiError> {
    let (actor, now) = (caller.actor(&request.client), request.now);
    let deleted = caller.write(&request.app, move |connection| {
        let name = api_keys::delete(connection, owner.id, id)?.ok_or(ApiError::ApiKeyNotFound)?;
        let event = Event::new(actor, Action::KeyDeleted).target(&owner).detail(format!("key \"{name}\""));
        Ok(audit::record(connection, &event, now)?)
    });
    deleted.await?;
    Ok(Response::json(&Detail { detail: messages::KEY_DELETED }))
}

/// A key to the component store.
#[derive(ToSchema)]
#[schema(title = "Store key")]
struct ApiKeyCreateRequest {
    #[schema(schema_with = text::<0, MAX_STORE_KEY>)]
    api_key: Secret,
}

impl Input for ApiKeyCreateRequest {
    const BODY: BodyKind = BodyKind::Json;

    fn read(source: &InputSource<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let fields = Fields::of(source.body, errors)?;
        let api_key = fields.required("api_key", errors, |value| fields::text(value, MAX_STORE_KEY))?;
        Some(Self { api_key: Secret::new(api_key) })
    }

    fn describe(operation: &mut Operation) {
        operation.body::<Self>("application/json");
    }
}

async fn store(request: Request<SignedIn, ApiKeyCreateRequest>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: ApiKeyCreateRequest { api_key: key } } = request;
    let encrypted = app.fernet.encrypt(key.expose(), now)?;
    let id = caller.user.id;
    let event = Event::new(caller.actor(&client), Action::StoreKeySaved).target(&caller.user);
    let stored = encrypted.clone();
    let saved = caller.write(&app, move |connection| {
        let user = users::find(connection, id)?.ok_or(ApiError::UserMissingOrInactive)?;
        let after = User { store_api_key: Some(stored), updated_at: now, ..user.clone() };
        users::update(connection, &user, &after)?;
        Ok(audit::record(connection, &event, now)?)
    });
    saved.await?;
    let jar = CookieJar::new(&app.config, &client);
    let cookie = jar.set(cookies::STORE_KEY, &encrypted, app.config.refresh_token_seconds.into());
    Ok(Response::json(&Detail { detail: messages::KEY_SAVED }).cookie(&cookie))
}
