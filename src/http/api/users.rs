//! User accounts.

use actix_web::http::header;
use uuid::Uuid;

use crate::auth::hashing_queue::Requester;
use crate::config::Signup;
use crate::domain::audit::{Action, Event, account_changes};
use crate::domain::caller::Caller;
use crate::domain::policy;
use crate::domain::secret::PasswordHash;
use crate::domain::user::{User, UserPatch};
use crate::http::models::user_inputs::{CheckedUserCreate, CheckedUserPatch, UserCreate};
use crate::http::models::user_list::{UserFilter, UserInclude};
use crate::http::models::{UserDeleted, UserRead, UsersResponse};
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::deferred::Deferred;
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::caller::{MaybeSignedIn, SignedIn, SignedInAnyDuty, Superuser, UserDeleter};
use crate::http::pipeline::client::Client;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields;
use crate::http::pipeline::generation::Generation;
use crate::http::pipeline::if_match::{IfMatch, etag};
use crate::http::pipeline::request::{NoInput, Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::Rejected;
use crate::http::sign_in::attempt::{SignUp, SignUpKey};
use crate::http::sign_in::factor_owner;
use crate::http::sign_in::key_revocation::revoke_keys;
use crate::store::user_index::search;
use crate::store::{Connection, StoreError, audit, deletion_requests, factors, sessions, sign_ups, user_list, users};

const ALL: &str = "/api/v1/users/";
const WHOAMI: &str = "/api/v1/users/whoami";
const ONE: &str = "/api/v1/users/{user_id}";
const TAG: &str = "Users";
/// One network can use one in this many places of `signup_max_waiting`.
const NETWORK_SHARE: u32 = 4;

pub fn routes() -> Vec<Route> {
    vec![
        Route::post(ALL, add)
            .named(TAG, "add_user_api_v1_users__post", "Add a user")
            .about("Adds a user. The setting `signup` decides who can do so and whether the user can sign in at once.")
            .responds_with::<UserRead<'_>>(201)
            .fails_with(400, "The name is taken, or the body can't be read.")
            .fails_with(429, "Too many sign-ups from this address, or too many users wait for approval."),
        Route::get(ALL, list)
            .named(TAG, "read_all_users_api_v1_users__get", "List users")
            .about("Returns a page of the list of users, in order of creation by default. For superusers.")
            .responds_with::<UsersResponse<'_>>(200),
        Route::get(WHOAMI, whoami)
            .named(TAG, "read_current_user_api_v1_users_whoami_get", "Read the current user")
            .about("Returns the user who sends the request.")
            .responds_with::<UserRead<'_>>(200),
        Route::get(ONE, read)
            .named(TAG, "read_user_api_v1_users__user_id__get", "Read a user")
            .about("Returns a user. Superusers can read every user, others only themselves.")
            .responds_with::<UserRead<'_>>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::patch(ONE, change)
            .named(TAG, "patch_user_api_v1_users__user_id__patch", "Change a user")
            .about(
                "Changes the given fields. Absent fields and `null` stay as they are. Send `If-Match` to avoid undoing \
                 somebody else's change. If your account has a second factor, set your own password with \
                 `reset-password` instead, unless a passkey was used within the last ten minutes.",
            )
            .responds_with::<UserRead<'_>>(200)
            .fails_with(404, "The user doesn't exist."),
        Route::delete(ONE, delete)
            .named(TAG, "delete_user_api_v1_users__user_id__delete", "Delete a user")
            .about("Deletes a user with all API keys and sessions. For superusers.")
            .described(|operation| operation.returns::<UserDeleted>(operation.generation.user_deleted.0.as_u16()))
            .fails_with(400, "You can't delete your own account.")
            .fails_with(404, "The user doesn't exist."),
    ]
}

async fn add(request: Request<MaybeSignedIn, CheckedUserCreate>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller: MaybeSignedIn(caller), input } = request;
    let superuser = caller.filter(|caller| caller.user.is_superuser);
    // With automatic sign-in, everybody on the machine acts as one user.
    if superuser.is_none() && (app.config.signup == Signup::Closed || app.config.auto_login) {
        return Err(ApiError::SignupClosed);
    }
    let UserCreate { username, password, optins } = input.0?;
    let sign_up = if superuser.is_none() { SignUp::begin(&app, client.address) } else { None };
    let key = sign_up.as_ref().map(SignUp::key);
    let max_waiting = app.config.signup_max_waiting;
    let is_superuser = superuser.is_some();
    let may_sign_up = move |connection: &Connection, key: Option<SignUpKey>| match key {
        // Nobody could approve the account yet.
        _ if !is_superuser && !users::superuser_exists(connection)? => Err(ApiError::SignupClosed),
        Some(_) if sign_ups::queue_is_full(connection, max_waiting)? => Err(SignUpKey::full()),
        // One network must not keep all others from signing up.
        Some(key) if sign_ups::network_is_full(connection, &key.network(), max_waiting.div_ceil(NETWORK_SHARE))? => {
            Err(SignUpKey::full())
        }
        Some(key) => key.check(connection, now),
        None => Ok(()),
    };
    app.db.read(move |connection| may_sign_up(connection, key)).await?;
    // Hash before looking the name up, so that a taken name takes as long as a free one.
    let hash = app.hasher.hash(&password, Requester { address: client.address, is_known: is_superuser }).await?;
    let user = User { optins, ..User::new(username, app.config.signup != Signup::Approval, false, now) };
    let actor = superuser.as_ref().map_or_else(|| client.actor(), |superuser| superuser.actor(&client));
    let insert = move |connection: &Connection| {
        may_sign_up(connection, key.map(SignUpKey::alone))?;
        key.map_or(Ok(()), |key| key.count(connection, now))?;
        match users::insert(connection, &user, &hash) {
            Ok(()) => {}
            // Commit the count even though the name is taken.
            Err(taken @ (StoreError::UsernameTaken | StoreError::FormerUsername)) => return Ok(Err(taken)),
            Err(error) => return Err(error.into()),
        }
        if !is_superuser && !user.is_active {
            sign_ups::add(connection, user.id, &key.map_or([0; 16], |key| key.network()), now)?;
        }
        audit::record(connection, &Event::new(actor, Action::UserAdded).target(&user), now)?;
        Ok(Ok(user))
    };
    let added = match superuser {
        Some(superuser) => superuser.write(&app, insert).await,
        None => app.db.write(insert).await,
    };
    let user = added??;
    Ok(Response::json(&UserRead::from(&user)).created(&format!("{ALL}{}", user.id)))
}

async fn list(request: Request<Deferred<Superuser>, UserFilter>) -> Result<Response, ApiError> {
    let UserFilter { page, username, deletion_requested, include_factors } = request.input;
    let index = request.app.user_index.clone();
    let found = request.caller.read(&request.app, move |connection, _| {
        let (total_count, users) = match username {
            _ if deletion_requested => user_list::with_deletion_request(connection, username.as_deref(), &page)?,
            Some(name) => user_list::by_name(connection, &name, &page)?,
            None => search::list(connection, &index, &page)?,
        };
        let deletion_requests = deletion_requests::pending_of(connection, &users)?;
        let has_factor = |user: &User| factors::is_enrolled(connection, user.id).map(Some);
        let has_factor = users.iter().map(|user| if include_factors { has_factor(user) } else { Ok(None) });
        let has_factor = has_factor.collect::<Result<Vec<_>, StoreError>>()?;
        Ok((total_count, users, has_factor, deletion_requests))
    });
    let (total_count, users, has_factor, deletion_requests) = found.await?;
    let read = |(user, has_factor)| UserRead::from(user).with_factor(has_factor);
    let users = users.iter().zip(has_factor).map(read).collect();
    Ok(Response::json_text(UsersResponse { total_count, users, deletion_requests }.to_json()))
}

async fn whoami(request: Request<SignedInAnyDuty, NoInput>) -> Result<Response, ApiError> {
    Ok(Response::json(&UserRead::from(&request.caller.user)))
}

async fn read(request: Request<Deferred<SignedIn>, (UserId, UserInclude)>) -> Result<Response, ApiError> {
    let (UserId(id), UserInclude { must_change_password }) = request.input;
    let found = request.caller.read(&request.app, move |connection, caller| {
        policy::may_read(&caller, id)?;
        users::find(connection, id)?.ok_or(ApiError::UserNotFound)
    });
    Ok(tagged(&found.await?, must_change_password))
}

/// The input of [`change`].
type Change = ((UserId, CheckedUserPatch), IfMatch);

async fn change(request: Request<Deferred<Recent<SignedIn>>, Change>) -> Result<Response, ApiError> {
    let Request { app, now, client, mut caller, input: ((UserId(id), input), if_match) } = request;
    let CheckedUserPatch { patch, revoke_api_keys, rejected } = input;
    let shows_duty = patch.must_change_password.is_some();
    let keeps_names = !app.config.forward_auth.is_empty();
    let may_change = move |caller: &Caller, patch: &UserPatch| {
        policy::may_patch(caller, id, patch)?;
        policy::may_rename(caller, id, patch, keeps_names)
    };
    let hash = if patch.password.is_some() || rejected.is_some() {
        // Hashing is too costly for strangers.
        may_change(caller.look_up(&app).await?, &patch)?;
        checked_hash(&app, &client, id, &patch, rejected).await?
    } else {
        None
    };
    let state = app.clone();
    let changed = caller.write(&app, move |connection, caller| {
        may_change(&caller, &patch)?;
        let (actor, own_session) = (caller.actor(&client), caller.session());
        let before = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        if_match.check(&before)?;
        if let Some(name) = patch.username.as_ref().filter(|name| name.as_str() != before.username.as_str()) {
            fields::check_new_username(name)?;
        }
        let after = patch.applied_to(&before, now);
        // Only a superuser can be the last one.
        let other_superuser_exists = !before.is_superuser || users::other_superuser_exists(connection, id)?;
        policy::keeps_a_superuser(&before, &after, other_superuser_exists)?;
        // Before the other fields: the patch can ask for another password than this one.
        if let Some(hash) = &hash {
            if id == caller.user.id {
                factor_owner::may_set_own_password(connection, &state, (id, own_session), now)?;
            }
            users::set_password(connection, id, hash, now)?;
            sessions::end_all_of_user(connection, id, own_session)?;
        }
        users::update(connection, &before, &after)?;
        if revoke_api_keys {
            revoke_keys(connection, actor.clone(), &before, now)?;
        }
        if !after.is_active {
            sessions::end_all_of_user(connection, id, None)?;
        }
        let changes = account_changes(&before, &after);
        let event = |action| Event::new(actor.clone(), action).target(&before);
        if hash.is_some() {
            audit::record(connection, &event(Action::PasswordChanged), now)?;
        } else if changes.is_empty() {
            audit::record(connection, &event(Action::UserChanged), now)?;
        }
        for (action, detail) in changes {
            audit::record(connection, &event(action).detail(detail), now)?;
        }
        Ok(after)
    });
    Ok(tagged(&changed.await?, shows_duty))
}

/// Hashes a new password, if the name and the password are accepted.
async fn checked_hash(
    app: &App,
    client: &Client,
    id: Uuid,
    patch: &UserPatch,
    rejected: Option<Rejected>,
) -> Result<Option<PasswordHash>, ApiError> {
    let target = app.db.read(move |connection| users::find(connection, id)).await?.ok_or(ApiError::UserNotFound)?;
    if let Some(rejected) = rejected {
        return Err(rejected.into());
    }
    let Some(password) = &patch.password else { return Ok(None) };
    fields::differs_from_name(password, patch.username.as_ref().unwrap_or(&target.username))?;
    // Only superusers set a password here.
    Ok(Some(app.hasher.hash(password, Requester { address: client.address, is_known: true }).await?))
}

async fn delete(request: Request<Recent<UserDeleter>, UserId>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: UserId(id) } = request;
    policy::may_delete(&caller, id)?;
    let actor = caller.actor(&client);
    let deleted = caller.write(&app, move |connection| {
        let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        users::delete(connection, id)?;
        Ok(audit::record(connection, &Event::new(actor, Action::UserDeleted).target(&user), now)?)
    });
    deleted.await?;
    let (deleted, status) = UserDeleted::new(Generation::of(&app.config));
    Ok(Response::json(&deleted).status(status))
}

/// A user with its `ETag`, which `If-Match` takes. Langflow's clients get the fields that they know.
fn tagged(user: &User, shows_duty: bool) -> Response {
    let read = UserRead::from(user);
    let read = if shows_duty { read.with_password_duty(user) } else { read };
    Response::json(&read).header(header::ETAG, &etag(user))
}
