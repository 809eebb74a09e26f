//! Setting your own password.

use crate::auth::hashing_queue::Requester;
use crate::auth::password_hasher::PasswordCheck;
use crate::domain::audit::{Action, Event};
use crate::domain::policy;
use crate::domain::secret::PasswordHash;
use crate::domain::user::User;
use crate::http::models::UserRead;
use crate::http::models::user_inputs::ResetPassword;
use crate::http::pipeline::caller::PasswordChanger;
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::fields;
use crate::http::pipeline::request::{Request, UserId};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::sign_in::attempt::{Attempt, AttemptKeys};
use crate::http::sign_in::factor_owner;
use crate::store::{audit, sessions, users};

pub fn routes() -> Vec<Route> {
    vec![
        Route::patch("/api/v1/users/{user_id}/reset-password", reset)
            .named("Users", "reset_password_api_v1_users__user_id__reset_password_patch", "Change your password")
            .about(
                "Sets your own password and ends your other sessions. Only `password` and `current_password` are used. An \
                 account with a second factor needs `current_password`, unless a passkey was used within the last ten \
                 minutes.",
            )
            .responds_with::<UserRead<'_>>(200)
            .fails_with(429, "Too many wrong current passwords. `Retry-After` says when to try again.")
            .fails_with(404, "The user doesn't exist."),
    ]
}

async fn reset(request: Request<Recent<PasswordChanger>, (UserId, ResetPassword)>) -> Result<Response, ApiError> {
    let (UserId(id), _) = request.input;
    policy::may_reset_password(&request.caller, id)?;
    let ResetPassword { password, rejected, .. } = &request.input.1;
    if let Some(rejected) = rejected.clone() {
        return Err(rejected.into());
    }
    fields::differs_from_name(password, &request.caller.user.username)?;
    let attempt = Attempt::begin(&request.app, request.caller.user.username.as_str(), request.client.address).await?;
    let (keys, now) = (attempt.as_ref().and_then(Attempt::keys), request.now);
    let (app, proves, session) = (request.app.clone(), request.input.1.current.is_some(), request.caller.session());
    let old = request.app.db.read(move |connection| {
        if !proves {
            factor_owner::may_set_own_password(connection, &app, (id, session), now)?;
        }
        let is_known = keys.map_or(Ok(false), |keys| keys.check(connection, Some(id), now))?;
        let hash = users::password_hash(connection, id)?.ok_or(ApiError::UserNotFound)?;
        Ok::<_, ApiError>((hash, is_known))
    });
    let (old, is_known) = old.await?;
    let from = Requester { address: request.client.address, is_known };
    let right = Attempt::verify(attempt.as_ref(), refuse_wrong_or_same(&request, &old, from)).await;
    match (&right, keys) {
        (Err(ApiError::WrongCurrentPassword), Some(keys)) => record_failure(&request, keys).await?,
        // Whether the new password is refused as the current one tells whether it is the current one: that is a guess,
        // too.
        (Ok(()), Some(keys)) if request.input.1.current.is_none() => {
            request.app.db.write(move |connection| keys.failed(connection, Some(id), now)).await?;
        }
        (Ok(()) | Err(ApiError::SamePassword), Some(keys)) => {
            request.app.db.read(move |connection| keys.confirm(connection, Some(id), now)).await?;
        }
        _ => {}
    }
    right?;

    let Request { app, now, client, caller, input: (_, ResetPassword { password, .. }) } = request;
    let hash = app.hasher.hash(&password, from).await?;
    let (actor, own_session) = (caller.actor(&client), caller.session());
    let changed = caller.write(&app, move |connection| {
        let user = users::find(connection, id)?.ok_or(ApiError::UserNotFound)?;
        // The password was changed while the new one was hashed, so the verified one is no longer current.
        if users::password_hash(connection, id)?.as_ref() != Some(&old) {
            return Err(ApiError::WrongCurrentPassword);
        }
        users::set_password(connection, id, &hash, now)?;
        sessions::end_all_of_user(connection, id, own_session)?;
        audit::record(connection, &Event::new(actor, Action::PasswordChanged).target(&user), now)?;
        Ok(User { updated_at: now, must_change_password: false, ..user })
    });
    Ok(Response::json(&UserRead::from(&changed.await?)))
}

/// Counts a wrong current password as an attempt at the account's password.
async fn record_failure(
    request: &Request<Recent<PasswordChanger>, (UserId, ResetPassword)>,
    keys: AttemptKeys,
) -> Result<(), ApiError> {
    let (now, id, actor) = (request.now, request.caller.user.id, request.caller.actor(&request.client));
    let event = Event::new(actor, Action::PasswordChanged).target(&request.caller.user).failed();
    let event = event.detail("wrong current password");
    let recorded = request.app.db.write(move |connection| {
        keys.failed(connection, Some(id), now)?;
        Ok::<_, ApiError>(audit::record(connection, &event, now)?)
    });
    recorded.await
}

/// Refuses a wrong current password, and a new one that is the current one.
async fn refuse_wrong_or_same(
    request: &Request<Recent<PasswordChanger>, (UserId, ResetPassword)>,
    old: &PasswordHash,
    from: Requester,
) -> Result<(), ApiError> {
    let (app, (_, input)) = (&request.app, &request.input);
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
