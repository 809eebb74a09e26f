//! Looks for the programs that tests run. Cargo runs it again when a program is installed or removed, and when `PATH`
//! or `USHER_BROWSER_TESTS` changes. It then recompiles the tests, but not usher.

use std::env;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs in the path. `#[needs(…)]` takes these names.
const PROGRAMS: [&str; 8] = ["nginx", "caddy", "traefik", "openssl", "python3", "bash", "zsh", "fish"];
/// Debian keeps the programs of PostgreSQL's server out of the path, in a folder for each version.
const POSTGRES: &str = "/usr/lib/postgresql";
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

fn main() {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).filter(|folder| folder.is_dir()).collect();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rerun-if-env-changed=USHER_BROWSER_TESTS");
    for folder in &folders {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let is_installed = |program: &str| folders.iter().any(|folder| folder.join(program).is_file());
    let has_postgres = fs::read_dir(POSTGRES).into_iter().flatten().flatten();
    let has_postgres = has_postgres.map(|version| version.path().join("bin/initdb")).any(|initdb| initdb.is_file());
    let has_browser = is_installed("chromium") && is_installed("chromedriver");
    // If browser tests are requested and the browser is missing, they fail instead of being ignored.
    let wants_browser = env::var_os("USHER_BROWSER_TESTS").is_some();

    let mut needs: Vec<(&str, bool, String)> =
        PROGRAMS.map(|program| (program, is_installed(program), format!("{program} is not installed"))).to_vec();
    for (name, is_there, otherwise) in [
        ("browser", wants_browser, if has_browser { "set USHER_BROWSER_TESTS=1" } else { "chromium is not installed" }),
        ("postgres", has_postgres || is_installed("initdb"), "PostgreSQL is not installed"),
        ("libfaketime", Path::new(FAKETIME).is_file(), "libfaketime is not installed"),
        ("root", can_mount(&[]), "only root can run this, on Linux"),
        ("network", has_network(), "this machine has no address but loopback"),
        ("network_namespaces", can_divide_network(), "only root with iproute2 can divide the network"),
        ("namespaces", can_mount(&["--map-root-user"]), "this system has no user namespaces"),
    ] {
        needs.push((name, is_there, otherwise.to_owned()));
    }
    let missing: Vec<(&str, String)> = needs
        .into_iter()
        .map(|(name, is_there, otherwise)| (name, if is_there { String::new() } else { otherwise }))
        .collect();
    let code = format!("const MISSING: [(&str, &str); {}] = {missing:?};\n", missing.len());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("missing.rs"), code).expect("cargo's own folder can be written");
}

/// Whether this user can mount a file system. It is mounted in a private namespace.
fn can_mount(options: &[&str]) -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(options).args(["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]);
    unshare.output().is_ok_and(|ended| ended.status.success())
}

/// Whether this user can connect network namespaces by a switch that isolates its ports.
fn can_divide_network() -> bool {
    let switch = "ip link add name switch type bridge && ip link add name port type veth peer name other && \
        ip link set port master switch && ip link set dev port type bridge_slave isolated on";
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "sh", "-c", switch]);
    unshare.output().is_ok_and(|ended| ended.status.success())
}

/// Whether this machine has an address other than loopback. Connecting a UDP socket sends nothing.
fn has_network() -> bool {
    let connected = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    connected.is_ok_and(|address| !address.ip().is_loopback() && !address.ip().is_unspecified())
}
