//! Owns setting one's own password.

use crate::auth::password_hasher::PasswordCheck;
use crate::domain::audit::{Action, Event};
use crate::domain::policy;
use crate::domain::secret::PasswordHash;
use crate::domain::user::User;
use crate::http::models::UserRead;
use crate::http::models::user_inputs::ResetPassword;
use crate::http::pipeline::caller::SignedIn;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields;
use crate::http::pipeline::request::{Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::throttle::{Attempt, AttemptKeys};
use crate::store::{audit, sessions, users};

pub fn routes() -> Vec<Route> {
    vec![
        Route::patch("/api/v1/users/{user_id}/reset-password", reset)
            .named("Users", "reset_password_api_v1_users__user_id__reset_password_patch", "Reset Password")
            .about("Sets one's own password and ends one's other sessions.")
            .gives::<UserRead<'_>>(200)
            .refuses(429, "Too many wrong current passwords")
            .refuses(404, "No such user"),
    ]
}

async fn reset(call: Request<SignedIn, (UserId, ResetPassword)>) -> Result<Response, ApiError> {
    let (UserId(id), _) = call.input;
    policy::may_reset_password(&call.who.user, call.who.session().is_some(), id)?;
    let attempt = Attempt::begin(&call.app, call.who.user.username.as_str(), call.client.address).await;
    let (keys, now) = (attempt.as_ref().and_then(Attempt::keys), call.now);
    let old = call.app.db.read(move |connection| {
        keys.map_or(Ok(()), |keys| keys.check(connection, Some(id), now))?;
        users::password_hash(connection, id)?.ok_or(ApiError::UserNotFound)
    });
    let old = old.await?;
    let right = Attempt::at_stake(attempt.as_ref(), refuse_wrong_or_same(&call, &old)).await;
    if let (Err(ApiError::WrongCurrentPassword), Some(keys)) = (&right, keys) {
        record_failure(&call, keys).await?;
    }
    right?;

    let Request { app, now, client, who, input: (_, ResetPassword { password, .. }) } = call;
    fields::differs_from_name(&password, &who.user.username).map_err(|fault| ApiError::field("password", fault))?;
    let hash = app.hasher.hash(&password, client.address).await?;
    let (actor, own_session, standing) = (who.actor(&client), who.session(), who.standing());
    let changed = app.db.write(move |connection| {
        standing.check(connection, now)?;
        let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        // Somebody else set another password while this one was hashed; what was verified no longer holds.
        if users::password_hash(connection, id)?.as_ref() != Some(&old) {
            return Err(ApiError::WrongCurrentPassword);
        }
        users::set_password(connection, id, &hash, now)?;
        sessions::end_all(connection, id, own_session)?;
        audit::record(connection, &Event::about(actor, Action::PasswordChanged, &user, None), now)?;
        Ok(User { updated_at: now, ..user })
    });
    Ok(Response::json(&UserRead::from(&changed.await?)))
}

/// Counts a wrong current password as what it is: an attempt at the account's password.
async fn record_failure(call: &Request<SignedIn, (UserId, ResetPassword)>, keys: AttemptKeys) -> Result<(), ApiError> {
    let (now, actor) = (call.now, call.who.actor(&call.client));
    let target = Some((call.who.user.id, call.who.user.username.to_string()));
    let detail = Some("wrong current password".to_owned());
    let event = Event { actor, action: Action::PasswordChanged, target, success: false, detail };
    let recorded = call.app.db.write(move |connection| {
        keys.failed(connection, now)?;
        Ok::<_, ApiError>(audit::record(connection, &event, now)?)
    });
    recorded.await
}

/// Refuses a wrong current password, and a new one that is the current one.
async fn refuse_wrong_or_same(
    call: &Request<SignedIn, (UserId, ResetPassword)>,
    old: &PasswordHash,
) -> Result<(), ApiError> {
    let (app, from, (_, input)) = (&call.app, call.client.address, &call.input);
    let verify = async |password| Ok::<_, ApiError>(app.hasher.verify(password, Some(old.clone()), from).await?);
    match &input.current {
        Some(current) if verify(current).await? == PasswordCheck::Wrong => Err(ApiError::WrongCurrentPassword),
        // The current one is known to be right, so that comparing the texts is enough.
        Some(current) if *current == input.password => Err(ApiError::SamePassword),
        Some(_) => Ok(()),
        None if verify(&input.password).await? == PasswordCheck::Wrong => Ok(()),
        None => Err(ApiError::SamePassword),
    }
}
