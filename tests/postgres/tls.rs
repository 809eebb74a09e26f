//! TLS between usher and PostgreSQL.

use crate::failing_server::Cluster;
use crate::support::Server;
use crate::support::postgres::shell;

/// Makes a certificate for `localhost` that signs itself, with the basic constraint `$1`, and prints its directory.
const MAKE: &str = r#"
set -e
dir=$(mktemp -d)
chmod 755 "$dir"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/certificate.pem" -subj /CN=usher-test \
    -addext subjectAltName=DNS:localhost -addext "basicConstraints=critical,$1" 2> /dev/null
echo "$dir"
"#;

struct Secured {
    cluster: Cluster,
    dir: String,
}

impl Secured {
    fn with_certificate(constraint: &str) -> Self {
        let made = shell().args(["-c", MAKE, "sh", constraint]).output().unwrap();
        let dir = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let files = format!("-c ssl_cert_file={dir}/certificate.pem -c ssl_key_file={dir}/key.pem");
        Self { cluster: Cluster::with(&format!("-c ssl=on {files}")), dir }
    }

    fn address(&self, host: &str, is_trusted: bool) -> String {
        let trust = if is_trusted { format!("?sslrootcert={}/certificate.pem", self.dir) } else { String::new() };
        format!("postgres://usher@{host}:{}/postgres{trust}", self.cluster.port)
    }

    /// Why usher refuses to use this address.
    fn refusal(&self, host: &str, is_trusted: bool) -> String {
        match Server::with().set("database", &self.address(host, is_trusted)).try_start() {
            Ok(_) => panic!("it started"),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = shell().args(["-c", r#"rm -r "$1""#, "sh", &self.dir]).status();
    }
}

#[needs(openssl)]
#[test]
fn a_certificate_must_be_trusted_and_name_the_host() {
    let secured = Secured::with_certificate("CA:FALSE");
    let refusal = secured.refusal("localhost", false);
    assert!(refusal.contains("isn't trusted; name the file") && refusal.contains("sslrootcert"), "{refusal}");
    let refusal = secured.refusal("127.0.0.1", true);
    assert!(refusal.contains(r#"not valid for name "127.0.0.1""#), "{refusal}");
    let server = Server::with().set("database", &secured.address("localhost", true)).start();
    server.admin();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'usher'";
    assert!(secured.cluster.client().query_one(encrypted, &[]).unwrap().get::<_, bool>(0));
}

#[needs(openssl)]
#[test]
fn the_certificate_of_an_authority_is_refused_with_the_remedy() {
    let refusal = Secured::with_certificate("CA:TRUE").refusal("localhost", true);
    assert!(refusal.contains("give the server one with `basicConstraints=CA:FALSE`"), "{refusal}");
}
