//! Owns how nginx and Caddy are started with what `packaging/` holds.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Request, Response};

/// A proxy that runs until it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
    _dir: TempDir,
}

/// What is put in the place of what the files in `packaging/` say.
pub struct Setting<'a> {
    /// Texts of the files, each with what takes its place; each must occur.
    pub put: &'a [(&'a str, &'a str)],
    /// Whether the proxy speaks HTTPS, with a certificate that nobody knows.
    pub https: bool,
}

/// `packaging/` itself.
fn packaging() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging"))
}

/// Whether a program is there; if not, a line on standard error says what was skipped.
fn installed(name: &str, flag: &str) -> bool {
    let found = Command::new(name).arg(flag).output().is_ok_and(|output| output.status.success());
    if !found {
        // Not `eprintln!`, which is only shown for tests that fail.
        writeln!(std::io::stderr().lock(), "proxy test skipped: {name} is not installed").unwrap();
    }
    found
}

/// A port that was free a moment ago: neither program tells which one it was given.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn put(mut text: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        text = text.replace(from, to);
    }
    text
}

/// Runs `command` until a line on its standard error contains `ready`.
fn start(mut command: Command, ready: &str, address: SocketAddr, dir: TempDir) -> Proxy {
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = Vec::new();
    let is_ready = lines.by_ref().any(|line| {
        let is_last = line.contains(ready);
        said.push(line);
        is_last
    });
    if !is_ready {
        process.wait().unwrap();
        panic!("{command:?} does not start: {said:#?}");
    }
    // What it says later must not fill the pipe.
    std::thread::spawn(move || lines.count());
    Proxy { address, process, _dir: dir }
}

/// nginx with the sites of these names, in front of the server at `usher`.
pub fn nginx(sites: &[&str], usher: SocketAddr, setting: &Setting<'_>) -> Option<Proxy> {
    if !installed("nginx", "-v") {
        return None;
    }
    let (dir, address) = (TempDir::new().unwrap(), SocketAddr::from(([127, 0, 0, 1], free_port())));
    let root = dir.path();
    let (usher, listen) = (usher.to_string(), format!("listen {address}"));
    let (mut changes, mut own) = (vec![("127.0.0.1:7860", usher.as_str())], Vec::new());
    if setting.https {
        certificate(root);
        own = [("/etc/ssl/example.org.pem", "site.pem"), ("/etc/ssl/example.org.key", "site.key")].to_vec();
        changes.push(("listen 443", &listen));
    } else {
        changes.extend([("listen 443 ssl", listen.as_str()), ("ssl_certificate", "# ")]);
    }
    changes.extend(own);
    changes.extend(setting.put);
    let mut all = String::new();
    for folder in ["conf.d", "snippets", "sites"] {
        fs::create_dir(root.join(folder)).unwrap();
        for entry in fs::read_dir(packaging().join("nginx").join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if folder == "sites" && !sites.iter().any(|site| **site == *name) {
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            all += &text;
            fs::write(root.join(folder).join(name), put(text, &changes)).unwrap();
        }
    }
    for (from, _) in setting.put {
        assert!(all.contains(from), "{from:?} stands nowhere");
    }
    // One process, so that ending it ends nginx.
    let main = "daemon off; master_process off; pid pid; error_log stderr notice; events {} http { access_log off; \
         client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e; \
         include conf.d/*.conf; include sites/*; }";
    fs::write(root.join("nginx.conf"), main).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(root).arg("-c").arg(root.join("nginx.conf")).args(["-e", "stderr"]);
    // The last thing that it says of its start, when it listens already.
    Some(start(command, "getrlimit", address, dir))
}

/// Caddy with this file, in front of the server at `usher`.
pub fn caddy(file: &str, usher: SocketAddr, setting: &Setting<'_>) -> Option<Proxy> {
    if !installed("caddy", "version") {
        return None;
    }
    let (dir, address) = (TempDir::new().unwrap(), SocketAddr::from(([127, 0, 0, 1], free_port())));
    let text = fs::read_to_string(packaging().join("caddy").join(file)).unwrap();
    for (from, _) in setting.put {
        assert!(text.contains(from), "{from:?} stands nowhere");
    }
    let text = put(put(text, &[("127.0.0.1:7860", &usher.to_string())]), setting.put);
    let port = address.port();
    let (options, text) = if setting.https {
        (format!("https_port {port}\n auto_https disable_redirects\n local_certs\n skip_install_trust\n"), text)
    } else {
        // A line without indentation that opens a block names the site.
        let site = |line: &str| {
            let is_site = line.ends_with(" {") && !line.starts_with(['\t', '(', '#', '{']);
            if is_site { format!("http://{line}") } else { line.to_owned() }
        };
        (format!("http_port {port}\n"), text.lines().map(site).collect::<Vec<_>>().join("\n"))
    };
    let whole = format!("{{\n admin off\n default_bind 127.0.0.1\n {options}}}\n{text}\n");
    fs::write(dir.path().join("Caddyfile"), whole).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.path().join("Caddyfile"));
    command.current_dir(dir.path()).env("HOME", dir.path()).env("XDG_DATA_HOME", dir.path().join("data"));
    command.env("XDG_CONFIG_HOME", dir.path().join("config"));
    Some(start(command, "serving initial configuration", address, dir))
}

/// A certificate for `example.org` and all below it, for a day.
fn certificate(root: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]);
    command.args(["-subj", "/CN=example.org", "-addext", "subjectAltName=DNS:example.org,DNS:*.example.org"]);
    command.arg("-keyout").arg(root.join("site.key")).arg("-out").arg(root.join("site.pem"));
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Proxy {
    /// A request to the site of this name.
    pub fn request(&self, method: &str, host: &str, path: &str) -> Request {
        Request::new(self.address, method, path).header("Host", host)
    }

    /// The same, asking.
    pub fn get(&self, host: &str, path: &str) -> Response {
        self.request("GET", host, path).send()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
