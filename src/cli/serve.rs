//! Owns `usher serve`: what the start shows, and how it ends.

use std::io::{self, IsTerminal, Write};

use serde_json::json;

use super::Failure;
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::platform;
use crate::server::{self, Built, FirstSuperuser};

/// Runs the server until it is asked to stop.
pub fn run(config: Config) -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Failure> {
    match &config.file {
        Some(file) => log::info!("settings are read from {}", file.display()),
        None => log::info!("there is no configuration file; settings are the defaults, the environment and the flags"),
    }
    let data_dir = std::path::absolute(&config.data_dir)?;
    log::info!("data directory: {}", data_dir.display());
    // Listened for before anybody is told that the server is ready.
    let stop = platform::StopSignals::listen()?;
    let built = server::build(config, Clock::system()).await?;
    if let FirstSuperuser::Link(link) = &built.first_superuser
        && !io::stdout().is_terminal()
    {
        let path = server::keep_link(&data_dir, link)?;
        log::warn!("nobody administers this server yet: open the link in {} to set it up", path.display());
    }
    announce(&built);
    let handle = built.handle();
    actix_web::rt::spawn(async move {
        stop.received().await;
        log::info!("stopping: open requests may finish");
        handle.stop(true).await;
    });
    built.run().await?;
    log::info!("stopped");
    Ok(())
}

/// One line for a program, or a banner for a person.
fn announce(built: &Built) {
    let mut out = io::stdout();
    let text = if out.is_terminal() {
        let setup = match &built.first_superuser {
            FirstSuperuser::Link(link) => format!("\n  To make the first superuser, open\n  {}\n", link.expose()),
            FirstSuperuser::Exists | FirstSuperuser::Made(_) => String::new(),
        };
        format!("\n  usher {} is ready: {}\n{setup}", env!("CARGO_PKG_VERSION"), built.url)
    } else {
        let url = server::local_url(built.address);
        let version = env!("CARGO_PKG_VERSION");
        json!({ "event": "ready", "url": url, "pid": std::process::id(), "version": version }).to_string()
    };
    // Whoever started the server and closed its output does not want to know.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
