//! `usher serve`.

use std::io::{self, IsTerminal, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::cli::Failure;
use crate::config::{Config, ExitWith};
use crate::domain::clock::Clock;
use crate::platform::parent::{ParentError, ParentWatch};
use crate::platform::{self, service};
use crate::server::{self, FirstSuperuser, Server};

/// The longest time from accepting a connection to its arrival at a worker.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// The sockets that the server listens on, if they are open before it starts.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    listeners: Vec<TcpListener>,
    /// Whether the service manager keeps them open when the server stops.
    are_passed: bool,
}

impl Sockets {
    /// Takes the service manager's sockets. If this process is about to drop its privileges, else opens `bind`, whose
    /// port may be below 1024.
    pub fn open(config: &Config, drops_privileges: bool) -> Result<Self, Failure> {
        let passed = service::passed_sockets();
        let listeners =
            passed.map_err(|error| format!("a socket passed by the service manager can't be used: {error}"))?;
        if !listeners.is_empty() || !drops_privileges {
            return Ok(Self { are_passed: !listeners.is_empty(), listeners });
        }
        Ok(Self { listeners: vec![server::bind(config)?], are_passed: false })
    }
}

/// Runs the server until it is told to stop.
pub fn run(config: Config, sockets: Sockets) -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(serve(config, sockets))
}

async fn serve(config: Config, sockets: Sockets) -> Result<(), Failure> {
    let Sockets { listeners, are_passed: sockets_passed } = sockets;
    match &config.file {
        Some(file) => log::info!("settings are read from {}", file.display()),
        None => log::info!("no configuration file; settings come from flags, the environment and defaults"),
    }
    let data_dir = std::path::absolute(&config.data_dir)?;
    log::info!("data directory: {}", data_dir.display());
    // Checked first: if the parent is gone, nothing is started.
    let parent = watch(config.exit_with_parent)?;
    // Handled before the server is announced as ready.
    let stop = platform::StopSignals::listen()?;
    if sockets_passed {
        let addresses = listeners.iter().map(|socket| socket.local_addr().map(|at| at.to_string()));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?.join(", ");
        log::info!("listening on the service manager's sockets instead of `bind`: {addresses}");
    }
    let built = server::build_on(config, Clock::system(), listeners).await?;
    if let FirstSuperuser::Link(link) = &built.first_superuser
        && !io::stdout().is_terminal()
    {
        let path = built.write_setup_link(link)?;
        log::warn!("there is no superuser yet: open the link in {} to set up the server", path.display());
    }
    announce(&built);
    service::notify_ready(&format!("listening on {}", built.address));
    let handle = built.handle();
    actix_web::rt::spawn(async move {
        let reason = tokio::select! {
            () = stop.received() => "stopping",
            () = exited(parent) => "the parent process has exited; stopping",
        };
        log::info!("{reason}: open requests can finish");
        service::notify_stopping();
        if sockets_passed {
            // The socket stays open, and new connections wait for the next server. Accepted connections must reach a
            // worker before the workers stop.
            handle.pause().await;
            actix_web::rt::time::sleep(ACCEPT_DELAY).await;
        }
        handle.stop(true).await;
    });
    built.run().await?;
    log::info!("stopped");
    Ok(())
}

fn watch(exit_with: ExitWith) -> Result<Option<ParentWatch>, ParentError> {
    match exit_with {
        ExitWith::Never => Ok(None),
        ExitWith::Parent => ParentWatch::start(None).map(Some),
        ExitWith::Process(id) => ParentWatch::start(Some(id)).map(Some),
    }
}

/// Returns when the watched process has exited. Never returns without one.
async fn exited(watch: Option<ParentWatch>) {
    match watch {
        Some(watch) => watch.exited().await,
        None => std::future::pending().await,
    }
}

/// Prints a banner on a terminal, and else one line of JSON.
fn announce(built: &Server) {
    let mut out = io::stdout();
    let text = if out.is_terminal() {
        let setup = match &built.first_superuser {
            FirstSuperuser::Link(link) => format!("\n  To create the first superuser, open\n  {}\n", link.expose()),
            FirstSuperuser::Exists | FirstSuperuser::Created(_) => String::new(),
        };
        format!("\n  usher {} is ready: {}\n{setup}\n", env!("CARGO_PKG_VERSION"), built.url)
    } else {
        server::ready_line(built.address)
    };
    // Standard output may be closed.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
