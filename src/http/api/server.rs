//! The server's state, and its backups. For superusers.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Data;
use tokio::sync::oneshot;

use crate::config::SETTINGS;
use crate::domain::audit::{Action, Event};
use crate::domain::cancel_flag::CancelFlag;
use crate::domain::clock::Timestamp;
use crate::domain::policy;
use crate::http::models::server::{BackupRead, BackupsRead, DatabaseRead, QueuesRead, ServerRead, SettingRead};
use crate::http::pipeline::app::App;
use crate::http::pipeline::body::BodyKind;
use crate::http::pipeline::caller::Superuser;
use crate::http::pipeline::caller::recent_sign_in::Recent;
use crate::http::pipeline::error::ApiError;
use crate::http::pipeline::openapi::Operation;
use crate::http::pipeline::request::{Input, InputSource, NoInput, Request};
use crate::http::pipeline::response::Response;
use crate::http::pipeline::route::Route;
use crate::http::pipeline::validation::FieldErrors;
use crate::platform;
use crate::store::audit::{self, AuditFilter};
use crate::store::backup::error::BackupProgress;
use crate::store::backup::retention::{self, StoredBackup};
use crate::store::{StoreError, database_counts};

const TAG: &str = "Server";
const BACKUPS: &str = "/api/v1/server/backups";

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/server", read)
            .named(TAG, "read_server_api_v1_server_get", "Read the server's state")
            .about("Returns the version, the settings and their sources, the database, backups and queues. For superusers.")
            .responds_with::<ServerRead>(200),
        Route::post(BACKUPS, make_backup)
            .named(TAG, "make_backup_api_v1_server_backups_post", "Make a backup")
            .about("Makes a backup beside the scheduled ones, and responds when it is checked. For superusers.")
            .responds_with::<BackupRead>(201)
            .fails_with(409, "Another backup is being made, or the accounts are in PostgreSQL."),
        Route::get("/api/v1/server/backups/{name}", download)
            .named(TAG, "download_backup_api_v1_server_backups__name__get", "Download a backup")
            .about("Returns the file of a backup. It contains password hashes. For superusers with a session.")
            .responds_with_file(200, "application/gzip", "The file.")
            .fails_with(404, "The backup doesn't exist."),
    ]
}

async fn read(request: Request<Superuser, NoInput>) -> Result<Response, ApiError> {
    let (app, now) = (&request.app, request.now);
    let data_dir = app.config.data_dir.clone();
    let read = app.db.read(move |connection| {
        let counts = database_counts::count(connection, now)?;
        let filter =
            AuditFilter { limit: 1, action: Some(Action::BackedUp.as_str().to_owned()), ..AuditFilter::default() };
        let (_, last) = audit::list(connection, &filter)?;
        // A directory that can't be read is shown as empty; making a backup reports the error.
        Ok::<_, StoreError>((counts, last.into_iter().next(), retention::list(&data_dir).unwrap_or_default()))
    });
    let (counts, last, files) = read.await?;
    let queued = app.db.queued();
    Ok(Response::json(&ServerRead {
        version: env!("CARGO_PKG_VERSION"),
        started_at: app.metrics.started_at(),
        url: app.url.clone(),
        settings: settings(app),
        database: DatabaseRead {
            path: app
                .config
                .database
                .clone()
                .unwrap_or_else(|| app.config.data_dir.join(crate::store::DATABASE_FILE).display().to_string()),
            bytes: counts.database_bytes,
            log_bytes: counts.log_bytes,
            schema_version: crate::store::SCHEMA_VERSION,
            active_users: counts.active,
            waiting_users: counts.waiting,
            inactive_users: counts.inactive,
            sessions: counts.sessions,
        },
        backups: BackupsRead {
            schedule: app.config.backup_schedule.to_string(),
            keep: app.config.backup_keep,
            files: files.iter().rev().filter_map(backup_read).collect(),
            last_at: last.as_ref().map(|entry| entry.at),
            last_success: last.as_ref().map(|entry| entry.success),
        },
        queues: QueuesRead { hashing: app.hasher.waiting(), reads: queued.reads, writes: queued.writes },
    }))
}

fn settings(app: &App) -> Vec<SettingRead> {
    let read = |setting: &crate::config::Setting| SettingRead {
        name: setting.name,
        section: setting.section,
        value: app.config.shown(setting.name),
        source: app.config.sources.get(setting.name).map(ToString::to_string).unwrap_or_default(),
    };
    SETTINGS.iter().map(read).collect()
}

/// Returns `None` if the file was deleted meanwhile.
fn backup_read(backup: &StoredBackup) -> Option<BackupRead> {
    let bytes = std::fs::metadata(&backup.path).ok()?.len();
    Some(BackupRead { name: file_name(&backup.path)?, created_at: backup.at, bytes })
}

fn file_name(path: &std::path::Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

async fn make_backup(request: Request<Superuser, NoInput>) -> Result<Response, ApiError> {
    let Request { app, now, client, caller, .. } = request;
    if app.db.is_shared() {
        return Err(ApiError::BackupElsewhere);
    }
    if app.backup_running.swap(true, Ordering::AcqRel) {
        return Err(ApiError::BackupRunning);
    }
    let made = run_backup(&app, now).await;
    let event = Event::new(caller.actor(&client), Action::BackedUp);
    let event = match &made {
        Ok((path, _)) => event.detail(file_name(path).unwrap_or_default()),
        Err(_) => event.failed(),
    };
    app.db.write(move |connection| audit::record(connection, &event, now)).await?;
    let (path, bytes) = made?;
    let name = file_name(&path).unwrap_or_default();
    let location = format!("{BACKUPS}/{name}");
    Ok(Response::json(&BackupRead { name, created_at: now, bytes }).created(&location))
}

/// Makes a backup on a thread of its own, so that neither readers nor the writer wait for it. The thread continues if
/// the client disconnects.
async fn run_backup(app: &Data<App>, now: Timestamp) -> Result<(PathBuf, u64), ApiError> {
    let (reply, answer) = oneshot::channel();
    let shared = app.clone();
    let work = move || {
        platform::lower_thread_priority();
        let config = &shared.config;
        let mut progress = BackupProgress { stop: CancelFlag::default(), progress: Box::new(|_, _, _| {}) };
        let made = retention::make(&config.data_dir, now, &mut progress);
        if let Ok((path, _)) = &made
            && let Err(error) = retention::prune(&config.data_dir, config.backup_keep as usize, path)
        {
            log::warn!("old backups can't be deleted: {error}");
        }
        shared.backup_running.store(false, Ordering::Release);
        // The client may have disconnected.
        let _ = reply.send(made);
    };
    if let Err(error) = thread::Builder::new().name("usher-backup".to_owned()).spawn(work) {
        app.backup_running.store(false, Ordering::Release);
        log::error!("no backup was made: {error}");
        return Err(ApiError::BackupFailed);
    }
    match answer.await {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) => {
            log::error!("no backup was made: {error}");
            Err(ApiError::BackupFailed)
        }
        // The thread panicked.
        Err(_) => {
            app.backup_running.store(false, Ordering::Release);
            Err(ApiError::BackupFailed)
        }
    }
}

/// The name of a backup file.
struct BackupName(String);

impl Input for BackupName {
    const BODY: BodyKind = BodyKind::None;

    fn read(source: &InputSource<'_>, _: &mut FieldErrors) -> Option<Self> {
        Some(Self(source.path_parameter("name").to_owned()))
    }

    fn describe(operation: &mut Operation) {
        operation.path_text("name", "The name of the file.");
    }
}

async fn download(request: Request<Recent<Superuser>, BackupName>) -> Result<Response, ApiError> {
    let Request { app, caller, input: BackupName(name), .. } = request;
    policy::may_download_backups(&caller)?;
    let data_dir = app.config.data_dir.clone();
    let wanted = name.clone();
    let open = app.db.read(move |_| {
        // Only a listed file can be opened, so the name can't lead elsewhere.
        let listed = retention::list(&data_dir).unwrap_or_default();
        let found = listed.into_iter().find(|backup| file_name(&backup.path).is_some_and(|name| name == wanted));
        Ok::<_, StoreError>(found.and_then(|backup| std::fs::File::open(backup.path).ok()))
    });
    let file = open.await?.ok_or(ApiError::NotFound)?;
    let disposition = format!("attachment; filename=\"{name}\"");
    let response = Response::stream(file, "application/gzip").map_err(|_| ApiError::NotFound)?;
    Ok(response.header(CONTENT_DISPOSITION, &disposition))
}
