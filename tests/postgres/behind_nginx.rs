//! Two servers behind nginx, with the configuration in `packaging/several-servers`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::support::ports::free_port;
use crate::support::postgres::empty;
use crate::support::{Program, Request, ServerProcess};

struct Nginx {
    address: SocketAddr,
    process: Child,
    _dir: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts nginx; only the addresses are replaced.
fn nginx(servers: [SocketAddr; 2]) -> Nginx {
    let (dir, address) = (TempDir::new().unwrap(), SocketAddr::from(([127, 0, 0, 1], free_port())));
    let mut text = std::fs::read_to_string("packaging/several-servers/nginx.conf").unwrap();
    let [one, other] = servers.map(|server| server.to_string());
    for (from, to) in [("usher-1:7860", one), ("usher-2:7860", other), ("listen 80", format!("listen {address}"))] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    std::fs::write(dir.path().join("usher.conf"), text).unwrap();
    // A single process, so that killing it stops nginx.
    let main = "daemon off; master_process off; pid pid; error_log stderr notice; events {} http { access_log off; \
         client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e; \
         include usher.conf; }";
    std::fs::write(dir.path().join("nginx.conf"), main).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir.path()).arg("-c").arg(dir.path().join("nginx.conf")).args(["-e", "stderr"]);
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    // The last message of its start. It already listens then.
    assert!(lines.any(|line| line.unwrap().contains("getrlimit")), "nginx doesn't start");
    std::thread::spawn(move || lines.for_each(drop));
    Nginx { address, process, _dir: dir }
}

fn server(database: &str) -> ServerProcess {
    let dir = Arc::new(TempDir::new().unwrap());
    Program::in_dir(&dir, &[])
        .superuser()
        .env("USHER_DATABASE", database)
        .env("USHER_SECRET_KEY", "a secret key that all of the servers have")
        .env("USHER_TRUSTED_PROXIES", "127.0.0.1")
        .env("USHER_LOG", "info")
        .start()
}

#[needs(nginx)]
#[test]
fn behind_nginx_two_servers_share_sessions_and_one_goes_on_without_the_other() {
    let database = empty();
    let (one, other) = (server(&database), server(&database));
    let nginx = nginx([one.address, other.address]);
    let request = |method: &str, path: &str| Request::new(nginx.address, method, path);
    let form = [("username", "admin"), ("password", "adminpw123")];
    let login = request("POST", "/api/v1/login").form(&form).send().expect(200).json();
    let token = login["access_token"].as_str().unwrap();
    let whoami = || request("GET", "/api/v1/users/whoami").bearer(token).send().status;
    let add = |name: &str| {
        let body = json!({ "username": name, "password": "a long password" });
        request("POST", "/api/v1/users/").bearer(token).json(&body).send().status
    };
    assert_eq!((0..10).map(|_| whoami()).collect::<Vec<_>>(), [200; 10]);
    assert_eq!((0..4).map(|n| add(&format!("both-{n}"))).collect::<Vec<_>>(), [201; 4]);
    other.stop();
    assert_eq!((0..10).map(|_| whoami()).collect::<Vec<_>>(), [200; 10]);
    assert_eq!((0..4).map(|n| add(&format!("one-{n}"))).collect::<Vec<_>>(), [201; 4]);
    let list = one.request("GET", "/api/v1/users/").bearer(token).send().expect(200).json();
    assert_eq!(list["total_count"], 9);
}
