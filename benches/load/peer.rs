//! The programs that are measured beside usher, and how each of them is started.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use super::Failure;
use super::process::{PASSWORD, SUPERUSER, Server, free_address};

/// PocketBase's superusers are known by an email address.
pub const POCKETBASE_SUPERUSER: &str = "admin@example.com";

/// A program to compare with.
#[derive(Clone)]
pub struct Peer {
    pub kind: Kind,
    program: PathBuf,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    PocketBase,
    /// The original. It speaks the same API.
    Langflow,
    /// Another build.
    Usher,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, path) = text.split_once('=').unwrap_or_default();
        let kind = match kind {
            "pocketbase" => Kind::PocketBase,
            "langflow" => Kind::Langflow,
            "usher" => Kind::Usher,
            _ => return Err("should be pocketbase=PATH, langflow=PATH or usher=PATH".to_owned()),
        };
        Ok(Self { kind, program: path.into() })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PocketBase => "PocketBase",
            Self::Langflow => "Langflow",
            Self::Usher => "the other usher",
        })
    }
}

impl Kind {
    /// What to say about the peer's sign-ins.
    pub fn hashing(self) -> &'static str {
        if self == Self::PocketBase { " (at cost 10)" } else { "" }
    }
}

impl Peer {
    /// Starts the program on its own data directory, with a superuser who can sign in.
    pub fn start(&self, data_dir: &Path, usher_flags: &[&str]) -> Result<Server, Failure> {
        match self.kind {
            Kind::PocketBase => pocketbase(&self.program, data_dir),
            Kind::Langflow => langflow(&self.program, data_dir),
            Kind::Usher => Server::usher(&self.program, data_dir, usher_flags),
        }
    }
}

fn pocketbase(program: &Path, data_dir: &Path) -> Result<Server, Failure> {
    let dir = format!("--dir={}", data_dir.display());
    let made = Command::new(program)
        .args(["superuser", "upsert", POCKETBASE_SUPERUSER, PASSWORD, &dir])
        .stdout(Stdio::null())
        .status()?;
    if !made.success() {
        return Err("PocketBase made no superuser".into());
    }
    let address = free_address()?;
    let mut command = Command::new(program);
    command.args(["serve", &format!("--http={address}"), &dir]);
    Server::at(command, address, "/api/health")
}

/// Langflow without its pages, with one worker, as by default. It adds the superuser to a new database.
fn langflow(program: &Path, data_dir: &Path) -> Result<Server, Failure> {
    std::fs::create_dir_all(data_dir)?;
    let address = free_address()?;
    let mut command = Command::new(program);
    command.args(["run", "--backend-only", "--host=127.0.0.1", &format!("--port={}", address.port())]);
    command.envs([
        ("DO_NOT_TRACK", "true"),
        ("LANGFLOW_DO_NOT_TRACK", "true"),
        ("LANGFLOW_AUTO_LOGIN", "false"),
        ("LANGFLOW_SUPERUSER", SUPERUSER),
        ("LANGFLOW_SUPERUSER_PASSWORD", PASSWORD),
        ("LANGFLOW_NEW_USER_IS_ACTIVE", "true"),
        ("LANGFLOW_LOG_LEVEL", "error"),
        ("LANGFLOW_DATABASE_URL", &format!("sqlite:///{}", data_dir.join("langflow.db").display())),
        ("LANGFLOW_CONFIG_DIR", &data_dir.display().to_string()),
        ("LANGFLOW_LOG_FILE", &data_dir.join("langflow.log").display().to_string()),
    ]);
    Server::at(command, address, "/health")
}
