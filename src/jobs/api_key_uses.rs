//! Writes the counted uses of API keys to the database, once a second.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::interval;

use crate::jobs::JobContext;
use crate::store::api_key_uses::ApiKeyUses;

/// Runs until it is aborted.
pub async fn run(job: JobContext, uses: Arc<ApiKeyUses>) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        if let Err(error) = uses.flush(&job.db).await {
            log::warn!("API-key uses couldn't be written yet: {}", error.described());
        }
    }
}
