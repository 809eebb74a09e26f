//! Owns `usher serve`: what the start shows, and how it ends.

use std::io::{self, IsTerminal, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::cli::Failure;
use crate::config::{Config, ExitWith};
use crate::domain::clock::Clock;
use crate::platform::{self, parent, service};
use crate::server::{self, FirstSuperuser, Server};

/// How long a connection takes at most from being taken in to its worker.
const SETTLE: Duration = Duration::from_millis(100);

/// Runs the server until it is asked to stop.
pub fn run(config: Config) -> Result<(), Failure> {
    let passed = service::sockets().map_err(|error| format!("a socket that was passed cannot be used: {error}"))?;
    actix_web::rt::System::new().block_on(serve(config, passed))
}

async fn serve(config: Config, passed: Vec<TcpListener>) -> Result<(), Failure> {
    match &config.file {
        Some(file) => log::info!("settings are read from {}", file.display()),
        None => log::info!("there is no configuration file; settings are the defaults, the environment and the flags"),
    }
    let data_dir = std::path::absolute(&config.data_dir)?;
    log::info!("data directory: {}", data_dir.display());
    // Looked for first, so that nothing is done for a program that has ended.
    let parent = watch(config.exit_with_parent)?;
    // Listened for before anybody is told that the server is ready.
    let stop = platform::StopSignals::listen()?;
    let sockets_stay = !passed.is_empty();
    if sockets_stay {
        let addresses = passed.iter().map(|socket| socket.local_addr().map(|at| at.to_string()));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?.join(", ");
        log::info!("listening on what the service manager listens on, and not on `bind`: {addresses}");
    }
    let built = server::build_on(config, Clock::system(), passed).await?;
    if let FirstSuperuser::Link(link) = &built.first_superuser
        && !io::stdout().is_terminal()
    {
        let path = server::keep_link(&data_dir, link)?;
        log::warn!("nobody administers this server yet: open the link in {} to set it up", path.display());
    }
    announce(&built);
    service::ready(&format!("listening on {}", built.address));
    let handle = built.handle();
    actix_web::rt::spawn(async move {
        let why = tokio::select! {
            () = stop.received() => "stopping",
            () = ended(parent) => "the program that started this one has ended; stopping",
        };
        log::info!("{why}: open requests may finish");
        service::stopping();
        if sockets_stay {
            // Whoever comes from now on waits for the next server on the socket, which stays open; whoever was taken in
            // already must have reached a worker before the workers are stopped, or would be cut off.
            handle.pause().await;
            actix_web::rt::time::sleep(SETTLE).await;
        }
        handle.stop(true).await;
    });
    built.run().await?;
    log::info!("stopped");
    Ok(())
}

fn watch(exit_with: ExitWith) -> Result<Option<parent::Watch>, parent::ParentError> {
    match exit_with {
        ExitWith::Never => Ok(None),
        ExitWith::Parent => parent::Watch::begin(None).map(Some),
        ExitWith::Process(id) => parent::Watch::begin(Some(id)).map(Some),
    }
}

/// Returns when the watched program has ended; never without one.
async fn ended(watch: Option<parent::Watch>) {
    match watch {
        Some(watch) => watch.ended().await,
        None => std::future::pending().await,
    }
}

/// One line for a program, or a banner for a person.
fn announce(built: &Server) {
    let mut out = io::stdout();
    let text = if out.is_terminal() {
        let setup = match &built.first_superuser {
            FirstSuperuser::Link(link) => format!("\n  To make the first superuser, open\n  {}\n", link.expose()),
            FirstSuperuser::Exists | FirstSuperuser::Made(_) => String::new(),
        };
        format!("\n  usher {} is ready: {}\n{setup}\n", env!("CARGO_PKG_VERSION"), built.url)
    } else {
        server::ready_line(built.address)
    };
    // Whoever started the server and closed its output does not want to know.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
