//! nginx, Caddy and Traefik with the configurations in `packaging/`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::ports::free_port;
use crate::support::wait::until;
use crate::support::{Request, Response};

/// Longer than a proxy takes to start, or between two lines of its log.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Starts the proxy with this name, in front of usher and a guarded site.
pub fn guarding(name: &str, usher: SocketAddr, setting: &Setting<'_>) -> Proxy {
    match name {
        "nginx" => nginx(&["usher", "app"], usher, setting),
        "caddy" => caddy("forward-auth.Caddyfile", usher, setting),
        _ => traefik(usher, setting),
    }
}

/// A proxy that runs until it is dropped.
pub struct Proxy {
    /// The address that it listens on.
    pub address: SocketAddr,
    process: Child,
    _dir: TempDir,
}

/// Changes to the files in `packaging/`.
pub struct Setting<'a> {
    /// Texts of the files with their replacements. Each text must occur.
    pub put: &'a [(&'a str, &'a str)],
    /// Whether the proxy uses HTTPS, with a self-signed certificate.
    pub https: bool,
}

/// Defines a test for each function and proxy: `nginx::name`, `caddy::name`, …
macro_rules! test_each_proxy {
    ($run:ident: $($proxy:ident($($need:ident),+))+ => $tests:tt) => {
        $(crate::proxies::test_each_proxy!(@one $run $proxy ($($need),+) $tests);)+
    };
    (@one $run:ident $proxy:ident $needs:tt [$($test:ident),+ $(,)?]) => {
        mod $proxy {
            $(crate::proxies::test_each_proxy!(@test $run $proxy $needs $test);)+
        }
    };
    (@test $run:ident $proxy:ident ($($need:ident),+) $test:ident) => {
        #[needs::needs($($need),+)]
        #[test]
        fn $test() {
            super::$run(stringify!($proxy), super::$test);
        }
    };
}
pub(crate) use test_each_proxy;

/// The directory `packaging/`.
fn packaging() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging"))
}

fn put(mut text: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        text = text.replace(from, to);
    }
    text
}

/// Runs `command` and waits until a line on its standard error contains `ready`.
fn start(mut command: Command, ready: &str, address: SocketAddr, dir: TempDir) -> Proxy {
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let (tell, hear) = channel();
    // Reads to the end, so that later output doesn't fill the pipe.
    std::thread::spawn(move || lines.for_each(|line| drop(tell.send(line))));
    let mut said = Vec::new();
    loop {
        match hear.recv_timeout(TIMEOUT) {
            Ok(line) if line.contains(ready) => return Proxy { address, process, _dir: dir },
            Ok(line) => said.push(line),
            Err(_) => {
                let _ = process.kill();
                process.wait().unwrap();
                panic!("{command:?} does not start: {said:#?}");
            }
        }
    }
}

/// Starts nginx with these sites, in front of the server at `usher`.
pub fn nginx(sites: &[&str], usher: SocketAddr, setting: &Setting<'_>) -> Proxy {
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
    // A single process, so that killing it stops nginx.
    let main = "daemon off; master_process off; pid pid; error_log stderr notice; events {} http { access_log off; \
         client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e; \
         include conf.d/*.conf; include sites/*; }";
    fs::write(root.join("nginx.conf"), main).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(root).arg("-c").arg(root.join("nginx.conf")).args(["-e", "stderr"]);
    // The last message of its start. It already listens then.
    start(command, "getrlimit", address, dir)
}

/// Starts Caddy with this file, in front of the server at `usher`.
pub fn caddy(file: &str, usher: SocketAddr, setting: &Setting<'_>) -> Proxy {
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
    start(command, "serving initial configuration", address, dir)
}

/// Starts Traefik, in front of the server at `usher`.
pub fn traefik(usher: SocketAddr, setting: &Setting<'_>) -> Proxy {
    let (dir, address) = (TempDir::new().unwrap(), SocketAddr::from(([127, 0, 0, 1], free_port())));
    let root = dir.path();
    let read = |name| fs::read_to_string(packaging().join("traefik").join(name)).unwrap();
    let at = |name| root.join(name).to_str().unwrap().to_owned();
    let (usher, listen) = (usher.to_string(), format!("\"{address}\""));
    let (own, pem, key) = (at("usher.yml"), at("site.pem"), at("site.key"));
    let mut changes = vec![("127.0.0.1:7860", usher.as_str()), ("\":443\"", &listen), ("/etc/traefik/usher.yml", &own)];
    changes.extend([("/etc/ssl/example.org.pem", pem.as_str()), ("/etc/ssl/example.org.key", &key)]);
    changes.extend(setting.put);
    if !setting.https {
        changes.push(("      tls: {}\n", ""));
    }
    // The message to wait for has this level.
    fs::write(root.join("traefik.yml"), put(read("traefik.yml"), &changes) + "log: { level: DEBUG }\n").unwrap();
    fs::write(root.join("usher.yml"), put(read("usher.yml"), &changes)).unwrap();
    certificate(root);
    let mut command = Command::new("sh");
    command.args(["-c", "exec traefik --configFile=\"$0\" 1>&2"]).arg(root.join("traefik.yml"));
    let mut proxy = start(command, "Configuration received", address, dir);
    // Traefik listens before it has loaded its sites, and doesn't report when it has.
    until("Traefik doesn't lead to usher", || {
        assert!(proxy.process.try_wait().unwrap().is_none(), "Traefik has ended");
        proxy.has_usher(setting.https)
    });
    proxy
}

/// Creates a certificate for `example.org` and its subdomains, valid for a day.
fn certificate(root: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]);
    command.args(["-subj", "/CN=example.org", "-addext", "subjectAltName=DNS:example.org,DNS:*.example.org"]);
    command.arg("-keyout").arg(root.join("site.key")).arg("-out").arg(root.join("site.pem"));
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Proxy {
    /// Whether usher's own site responds.
    fn has_usher(&self, https: bool) -> bool {
        let question = "GET /health HTTP/1.1\r\nHost: auth.example.org\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        if https {
            let mut client = Command::new("openssl");
            client
                .args(["s_client", "-quiet", "-servername", "auth.example.org", "-connect"])
                .arg(self.address.to_string());
            client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut client = client.spawn().unwrap();
            let _ = client.stdin.as_ref().unwrap().write_all(question.as_bytes());
            let _ = client.stdout.take().unwrap().read_to_string(&mut answer);
            client.wait().unwrap();
        } else if let Ok(mut client) = TcpStream::connect(self.address) {
            let _ = client.write_all(question.as_bytes());
            client.set_read_timeout(Some(TIMEOUT)).unwrap();
            let _ = client.read_to_string(&mut answer);
        }
        answer.starts_with("HTTP/1.1 200 ")
    }

    /// A request to the site with this host name.
    pub fn request(&self, method: &str, host: &str, path: &str) -> Request {
        Request::new(self.address, method, path).header("Host", host)
    }

    /// Sends a GET to the site with this host name.
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
