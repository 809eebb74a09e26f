//! Invitations: a superuser creates a link, and up to a number of people create active accounts with it.

use crate::auth::link_token::{self, LinkPage, NewLink};
use crate::domain::audit::{Action, Event};
use crate::domain::invitation::MAX_OPEN;
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::http::models::invitations::{
    InvitationCheck, InvitationMade, InvitationRead, InvitationsResponse, NewInvitation,
};
use crate::http::models::link_token::{LinkSignUp, LinkToken};
use crate::http::models::user_inputs::UserCreate;
use crate::http::models::{Detail, UserRead};
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::caller::{Anyone, Superuser};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::messages;
use crate::http::pipeline::request::{InvitationId, NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::sign_in::attempt::{SignUp, SignUpKey};
use crate::store::{Connection, StoreError, audit, invitations, users};

const ALL: &str = "/api/v1/invitations";
const TAG: &str = "Invitations";
const VOID: &str = "The invitation is not valid: it was used up or revoked, or has expired.";

pub fn routes() -> Vec<Route> {
    vec![
        Route::post(ALL, make)
            .named(TAG, "make_invitation_api_v1_invitations_post", "Create an invitation")
            .about(
                "Creates a link with which one person, or several, create an active account, also while sign-up is \
                 closed or needs approval. For superusers.",
            )
            .responds_with::<InvitationMade<'_>>(201)
            .fails_with(400, "100 invitations are open, or the user name is refused."),
        Route::get(ALL, list)
            .named(TAG, "read_invitations_api_v1_invitations_get", "List the invitations")
            .about("Returns the open invitations, newest first, without their links. For superusers.")
            .responds_with::<InvitationsResponse<'_>>(200),
        Route::delete("/api/v1/invitations/{invitation_id}", revoke)
            .named(TAG, "revoke_invitation_api_v1_invitations__invitation_id__delete", "Revoke an invitation")
            .about("Makes an invitation invalid. Accounts that were created with it stay. For superusers.")
            .responds_with::<Detail>(200)
            .fails_with(404, "No open invitation has this id."),
        Route::post("/api/v1/invitations/check", check)
            .named(TAG, "check_invitation_api_v1_invitations_check_post", "Check an invitation")
            .about("Returns what an invitation is for. Doesn't use it.")
            .responds_with::<InvitationCheck<'_>>(200)
            .fails_with(403, VOID),
        Route::post("/api/v1/invitations/accept", accept)
            .named(TAG, "accept_invitation_api_v1_invitations_accept_post", "Accept an invitation")
            .about("Creates an active account with the token of an invitation.")
            .responds_with::<UserRead<'_>>(201)
            .fails_with(400, "The name is taken, or the name or the password is refused.")
            .fails_with(403, VOID)
            .fails_with(429, "Too many taken names were tried from this address."),
    ]
}

async fn make(request: Request<Recent<Superuser>, NewInvitation>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: NewInvitation { invitation, rejected } } = request;
    if let Some(rejected) = rejected {
        return Err(rejected.into());
    }
    let link = NewLink::generate()?;
    let (hash, actor) = (link.hash, caller.actor(&client));
    let made = caller.write(&app, move |connection| {
        if invitations::count(connection, now)? >= MAX_OPEN {
            return Err(ApiError::TooManyInvitations);
        }
        if let Some(name) = &invitation.username
            && users::find_by_name(connection, name)?.is_some()
        {
            return Err(ApiError::UsernameTaken);
        }
        invitations::insert(connection, &invitation, &hash)?;
        let event = Event::new(actor, Action::InvitationMade).detail(invitation.audit_detail());
        audit::record(connection, &event, now)?;
        Ok(invitation)
    });
    let (made, link) = (made.await?, link.url(&app.url, LinkPage::Invitation));
    Ok(Response::json(&InvitationMade { link: &link, invitation: InvitationRead::from(&made) })
        .created(&format!("{ALL}/{}", made.id)))
}

async fn list(request: Request<Superuser, NoInput>) -> Result<Response, ApiError> {
    let now = request.now;
    let open = request.app.db.read(move |connection| invitations::open(connection, now)).await?;
    let invitations: Vec<_> = open.iter().map(InvitationRead::from).collect();
    Ok(Response::json(&InvitationsResponse { total_count: invitations.len(), invitations }))
}

async fn revoke(request: Request<Superuser, InvitationId>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, input: InvitationId(id) } = request;
    let actor = caller.actor(&client);
    let revoked = caller.write(&app, move |connection| {
        let revoked = invitations::revoke(connection, id, now)?.ok_or(ApiError::InvitationNotFound)?;
        let event = Event::new(actor, Action::InvitationRevoked).detail(revoked.audit_detail());
        Ok(audit::record(connection, &event, now)?)
    });
    revoked.await?;
    Ok(Response::json(&Detail { detail: messages::INVITATION_REVOKED }))
}

fn hash_of(token: &Secret) -> Result<[u8; 32], ApiError> {
    link_token::hash(token).ok_or(ApiError::InvalidInvitation)
}

async fn check(request: Request<Anyone, LinkToken>) -> Result<Response, ApiError> {
    let (hash, now) = (hash_of(&request.input.token)?, request.now);
    let found = request.app.db.read(move |connection| invitations::find(connection, &hash, now)).await?;
    let found = found.ok_or(ApiError::InvalidInvitation)?;
    Ok(Response::json(&InvitationCheck { username: found.username.as_deref(), expires_at: found.expires_at }))
}

async fn accept(request: Request<Anyone, LinkSignUp>) -> Result<Response, ApiError> {
    let Request { app, now, client, input: LinkSignUp { token, user }, .. } = request;
    let sha256 = hash_of(&token)?;
    let sign_up = SignUp::begin(&app, client.address);
    let key = sign_up.as_ref().map(SignUp::key);
    let find = move |connection: &Connection, key: Option<SignUpKey>| {
        key.map_or(Ok(()), |key| key.check(connection, now))?;
        invitations::find(connection, &sha256, now)?.ok_or(ApiError::InvalidInvitation)
    };
    let invitation = app.db.read(move |connection| find(connection, key)).await?;
    let UserCreate { username, password, optins } = user?;
    if !invitation.allows(&username) {
        return Err(ApiError::InvitedName);
    }
    let hash = app.hasher.hash(&password, client.address).await?;
    let user = User { optins, ..User::new(username, true, false, now) };
    let actor = client.actor();
    let made = app.db.write(move |connection| {
        // Used up or revoked while the password was hashed.
        let invitation = find(connection, key.map(SignUpKey::alone))?;
        match users::insert(connection, &user, &hash) {
            Ok(()) => {}
            // A taken name tells that it exists, so the try counts. Accounts are limited by the invitation: a class can
            // sit behind one address.
            Err(taken @ (StoreError::UsernameTaken | StoreError::FormerUsername)) => {
                key.map_or(Ok(()), |key| key.count(connection, now))?;
                return Ok(Err(taken));
            }
            Err(error) => return Err(error.into()),
        }
        let used = invitations::count_use(connection, &invitation)?;
        let event = Event::new(actor, Action::InvitationUsed).target(&user).detail(used.audit_detail());
        audit::record(connection, &event, now)?;
        Ok::<_, ApiError>(Ok(user))
    });
    let user = made.await??;
    Ok(Response::json(&UserRead::from(&user)).created(&format!("/api/v1/users/{}", user.id)))
}
