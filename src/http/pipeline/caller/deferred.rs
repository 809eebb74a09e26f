//! Callers who are looked up together with the handler's own work, in one trip to the database instead of two.

use actix_web::HttpRequest;
use actix_web::web::Data;

use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::http::pipeline::app::App;
use crate::http::pipeline::caller::credentials::{Authenticated, Credentials, UncheckedCredential};
use crate::http::pipeline::caller::{self, Admit, Authenticate};
use crate::http::pipeline::denied_log::{self, KnownCaller};
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::remembered_callers::Lookup;
use crate::store::{Connection, StoreError, WriteError};

/// A caller whose access token has a valid signature. The rest is checked by [`Deferred::read`] or [`Deferred::write`],
/// before the handler's work. A caller with another credential is complete already: nobody without a signature gets as
/// far as the writer.
pub struct Deferred<C> {
    state: State<C>,
    request: HttpRequest,
    now: Timestamp,
}

enum State<C> {
    /// Always [`UncheckedCredential::Token`].
    Token(UncheckedCredential),
    Complete(C),
}

/// Why the work wasn't done, and who asked for it, for the log of denied requests.
struct DeferredRefusal {
    error: ApiError,
    caller: Option<KnownCaller>,
}

impl From<StoreError> for DeferredRefusal {
    fn from(error: StoreError) -> Self {
        Self { error: error.into(), caller: None }
    }
}

impl WriteError for DeferredRefusal {
    fn store_error(&self) -> Option<&StoreError> {
        self.error.store_error()
    }
}

impl<C: Admit> Authenticate for Deferred<C> {
    const NEEDS_CREDENTIALS: bool = true;
    const NEEDS_RECENT_SIGN_IN: bool = C::NEEDS_RECENT_SIGN_IN;

    async fn authenticate(app: &App, credentials: Credentials<'_>) -> Result<Self, ApiError> {
        let state = match UncheckedCredential::of(app, credentials)? {
            token @ UncheckedCredential::Token(_) => State::Token(token),
            other => State::Complete(caller::admit(other, app, credentials.request, credentials.now).await?),
        };
        Ok(Self { state, request: credentials.request.clone(), now: credentials.now })
    }

    async fn complete(&mut self, app: &App) -> Result<(), ApiError> {
        if let State::Token(token) = &self.state {
            self.state = State::Complete(caller::admit(token.clone(), app, &self.request, self.now).await?);
        }
        Ok(())
    }

    fn check_recent_sign_in(&self, config: &Config) -> Result<(), ApiError> {
        match &self.state {
            State::Complete(caller) => Admit::check_recent_sign_in(caller, config),
            // Fails closed: a caller must be completed first.
            State::Token(_) => Err(ApiError::SignInTooOld),
        }
    }
}

impl<C: Admit> Deferred<C> {
    /// Looks the caller up now, in a trip of its own, for work that is too costly for strangers.
    pub async fn look_up(&mut self, app: &App) -> Result<&C, ApiError> {
        self.complete(app).await?;
        match &self.state {
            State::Complete(caller) => Ok(caller),
            State::Token(_) => Err(ApiError::InvalidToken),
        }
    }

    /// Runs `work` on a read-only connection, for the caller.
    pub async fn read<T, F>(self, app: &Data<App>, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, C) -> Result<T, ApiError> + Send + 'static,
    {
        let Self { state, request, now } = self;
        let (state, lookup) = match state {
            State::Token(token) => {
                let lookup = token.begin_lookup(app);
                match app.callers.find(lookup, now).map(|found| Authenticated::new(found, now)) {
                    Some(caller) => (State::Complete(caller::admit_found(caller, app, &request)?), lookup),
                    None => (State::Token(token), lookup),
                }
            }
            complete @ State::Complete(_) => (complete, None),
        };
        let shared = app.clone();
        let done = app.db.read(move |connection| match state {
            State::Complete(caller) => work(connection, caller).map_err(DeferredRefusal::from),
            State::Token(token) => admitted(connection, token, lookup, &shared, now, work),
        });
        done.await.map_err(|refusal| refusal.remembered_with(&request))
    }

    /// Runs `work` in a transaction, for the caller, after checking in the same transaction that the caller may act.
    pub async fn write<T, F>(self, app: &Data<App>, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, C) -> Result<T, ApiError> + Send + 'static,
    {
        let Self { state, request, now } = self;
        let shared = app.clone();
        let done = app.db.write(move |connection| match state {
            State::Complete(caller) => {
                let still_acts = caller.still_acts();
                still_acts(connection).and_then(|()| work(connection, caller)).map_err(DeferredRefusal::from)
            }
            State::Token(token) => admitted(connection, token, None, &shared, now, work),
        });
        done.await.map_err(|refusal| refusal.remembered_with(&request))
    }
}

/// Looks the session up and does the work for its user.
fn admitted<C: Admit, T>(
    connection: &Connection,
    token: UncheckedCredential,
    lookup: Option<Lookup>,
    app: &App,
    now: Timestamp,
    work: impl FnOnce(&Connection, C) -> Result<T, ApiError>,
) -> Result<T, DeferredRefusal> {
    let found = token.find(connection, app.config.second_factor, now)?;
    app.callers.remember(lookup, &found);
    let known = KnownCaller::from(&found.caller.user);
    let done = C::admit(Authenticated::new(found, now), &app.config).and_then(|caller| work(connection, caller));
    done.map_err(|error| DeferredRefusal { error, caller: Some(known) })
}

impl From<ApiError> for DeferredRefusal {
    fn from(error: ApiError) -> Self {
        Self { error, caller: None }
    }
}

impl DeferredRefusal {
    /// Stores who was refused with the request.
    fn remembered_with(self, request: &HttpRequest) -> ApiError {
        if let Some(caller) = self.caller {
            denied_log::remember_caller(request, caller);
        }
        self.error
    }
}
