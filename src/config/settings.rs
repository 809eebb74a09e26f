//! The declaration of every setting: name, type, default, description and parser.
//!
//! The first paragraph of a description is shown everywhere. The rest appears in `config.toml` only.

use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::bind::{self, Bind};
use crate::config::choices::{self, CookieSecure, LangflowApi, Signup};
use crate::config::error::{ConfigError, ValueSource};
use crate::config::setting::ValueType::{Bool, BoolOrNumber, Choice, List, Number, Secret as SecretText, Text};
use crate::config::setting::settings;
use crate::config::values::{self, ExitWith};
use crate::config::{forward_auth, sources};
use crate::domain::forward_auth::AccessRules;
use crate::domain::notification::EventTarget;
use crate::domain::schedule::Schedule;
use crate::domain::second_factor::SecondFactorPolicy;
use crate::domain::secret::Secret;

/// Ten years, so that every expiry is a date that clients can read.
const MAX_LIFETIME: u32 = 315_360_000;

/// The minimum length of a secret that is chosen by hand.
const MIN_SECRET_CHARS: usize = 32;

settings! {
    "Server" {
        /// The directory of the database and the secret key.
        ///
        /// If empty: `$STATE_DIRECTORY`, which systemd sets, else the platform's data directory. On Linux that is
        /// ~/.local/share/usher.
        data_dir: PathBuf = "" ("`$STATE_DIRECTORY`, else the platform's data directory"), Text("PATH"), data_dir();

        /// A PostgreSQL database that several servers share, such as `postgres://usher@db.example.org/usher`.
        ///
        /// If empty: a SQLite file in the data directory. The address can list several hosts, separated by commas, of
        /// which usher uses the one that accepts writes. TLS is on, unless the address ends with ?sslmode=disable. See
        /// docs/several-servers.md.
        database: Option<String> = "" ("a SQLite file in the data directory"), Text("URL"), optional(values::text);

        /// The password for `database`. `database_password_file` reads it from a file, which is safer.
        database_password: Option<Secret> = "" ("none"), SecretText, secret(1);

        /// The address and port to listen on. Port 0 picks a free port.
        ///
        /// 0.0.0.0 and [::] mean all addresses of this machine. To accept other machines, put an HTTPS proxy in
        /// front.
        bind: Bind = "127.0.0.1:7860", Text("HOST:PORT"), get(bind::bind);

        /// The address that people type, such as `https://users.example.org`. Links start with it.
        public_url: Option<String> = "" ("derived from `bind`"), Text("URL"), optional(values::public_url);

        /// The name that the console shows, at most 60 characters.
        site_name: Option<String> = "" ("usher"), Text("NAME"), optional(values::site_name);

        /// The path in front of every route when a proxy serves usher below another site, such as `/usher`.
        ///
        /// For https://home.example.org/usher/ it is "/usher". The proxy may keep or remove it.
        base_path: String = "" ("the path of `public_url`"), Text("/PREFIX"), get(values::base_path);

        /// The generation of Langflow whose API usher speaks: `1.3` for clients up to 1.7, `1.13` for later ones.
        ///
        /// They differ in some statuses, messages and limits. docs/langflow-differences.md lists them.
        langflow_api: LangflowApi = "1.3", Choice("1.3|1.13"), get(choices::choice);

        /// The number of threads that answer requests.
        ///
        /// 0 means one per core.
        workers: usize = "0" ("one per core"), Number, get(values::workers);

        /// A file that names the server's address, as JSON, while the server is ready.
        ///
        /// For a program that starts usher. The directory must exist.
        port_file: Option<PathBuf> = "" ("none"), Text("PATH"), path();

        /// Stop when the parent process exits. Pass its PID to also detect a parent that is already gone.
        ///
        /// The PID needs Linux. On other systems, the end of standard input stops the server.
        exit_with_parent: ExitWith = "false", BoolOrNumber, get(values::exit_with);
    }

    "Sign-up and the first superuser" {
        /// Who can add users: everyone with approval by a superuser, everyone (`open`), or superusers only (`closed`).
        ///
        /// "approval": new users are inactive until a superuser approves them. "open": new users are active at once.
        signup: Signup = "approval", Choice("approval|open|closed"), get(choices::choice);

        /// Delete an account at once when its user asks for it.
        ///
        /// Otherwise a superuser grants or declines the request. The last active superuser can't leave.
        self_deletion: bool = "false", Bool, get(values::boolean);

        /// The name of the first superuser, added at startup if there is none. Needs `superuser_password`.
        ///
        /// If empty, the server shows a one-time setup link.
        superuser: Option<String> = "" ("none"), Text("NAME"), optional(values::text);

        /// The first superuser's password. `superuser_password_file` reads it from a file, which is safer.
        superuser_password: Option<Secret> = "" ("none"), SecretText, secret(1);

        /// Let programs on this machine sign in without a password.
        auto_login: bool = "false", Bool, get(values::boolean);

        /// The secret that programs send as `X-Launch-Secret` for `auto_login`: at least 32 characters.
        ///
        /// Without it every program and every person on this machine can sign in. Set USHER_LAUNCH_SECRET, or let
        /// launch_secret_file name a file.
        launch_secret: Option<Secret> = "" ("none"), SecretText, secret(MIN_SECRET_CHARS);
    }

    "Tokens" {
        /// The key that signs tokens: at least 32 characters. `secret_key_file` reads it from a file, which is safer.
        ///
        /// `openssl rand -base64 32` prints a good one. If empty, the first start creates one in the data directory.
        secret_key: Option<Secret> = "" ("generated, and kept in the data directory"), SecretText,
            secret(MIN_SECRET_CHARS);

        /// How long an access token is valid.
        access_token_seconds: u32 = "3600", Number, get(values::number::<1, MAX_LIFETIME>);

        /// How long a session lives without being used.
        ///
        /// This is the lifetime of a refresh token. It must be at least access_token_seconds.
        refresh_token_seconds: u32 = "604800", Number, get(values::number::<1, MAX_LIFETIME>);

        /// How long a session lives at most, however often it is used.
        session_max_seconds: u32 = "2592000", Number, get(values::number::<1, MAX_LIFETIME>);

        /// How long a replaced refresh token still works, so that two browser tabs can refresh at once.
        refresh_leeway_seconds: u32 = "10", Number, get(values::number::<0, 300>);
    }

    "Passwords" {
        /// The cost of a password hash, 10 to 20. Each step doubles the time of a sign-in.
        bcrypt_cost: u32 = "12", Number, get(values::number::<10, 20>);

        /// The minimum length of a new password in characters, 1 to 72.
        ///
        /// Existing passwords stay valid.
        // bcrypt reads 72 bytes: a larger minimum would refuse every password.
        password_min_length: usize = "8", Number, get(values::size::<1, 72>);

        /// Require the current password to set a new one.
        ///
        /// Langflow's clients don't send it, so they can't set passwords if this is true.
        require_current_password: bool = "false" ("because Langflow's clients don't send it"), Bool,
            get(values::boolean);

        /// Who needs a second factor: nobody (`optional`), `superusers`, or `everybody`. `off` neither offers nor asks.
        ///
        /// Until it is set up, a user who needs one can do nothing else. See docs/second-factor.md.
        second_factor: SecondFactorPolicy = "optional", Choice("optional|superusers|everybody|off"),
            get(choices::choice);

        /// How many minutes after signing in a user can make sensitive requests. 0: as long as the session lives.
        ///
        /// Later they must sign in again: to change a password, to add an API key or a second factor, and the like. The
        /// console asks for it. Langflow's clients can't. See docs/second-factor.md.
        recent_sign_in_minutes: u32 = "0" ("off"), Number, get(values::number::<0, 43_200>);

        /// Slow down repeated failed sign-ins and sign-ups.
        ///
        /// false turns off every such limit.
        throttle: bool = "true", Bool, get(values::boolean);

        /// The number of accounts that can wait for approval. Further sign-ups are refused.
        ///
        /// One network can have a quarter of them. Ignored if throttle is false.
        signup_max_waiting: u32 = "100", Number, get(values::number::<1, 1_000_000>);

        /// The number of days after which an unapproved account is deleted.
        signup_waiting_days: u32 = "30", Number, get(values::number::<1, 36_500>);
    }

    "Browsers and proxies" {
        /// Send cookies over HTTPS only: `true`, `false`, or `auto`, which follows the request.
        cookie_secure: CookieSecure = "auto", Choice("auto|true|false"), get(choices::choice);

        /// Let scripts read the access token's cookie, as web clients of Langflow 1.3 do.
        ///
        /// A cross-site scripting flaw can then steal the token.
        access_cookie_readable: bool = "false", Bool, get(values::boolean);

        /// Origins of other sites whose pages can call usher, such as `https://app.example.org`.
        cors_origins: Vec<String> = "" ("none"), List, list(values::origin);

        /// Addresses or networks of the proxies whose forwarded headers are trusted, such as `127.0.0.1`.
        trusted_proxies: Vec<IpNet> = "" ("none"), List, list(values::network);

        /// Access rules for sites behind the proxy, such as `*.example.org = signed-in`. See docs/forward-auth.md.
        ///
        /// Each rule is "HOST = AUDIENCE". HOST can be a pattern ("*.example.org") and can name a port (":8443", or
        /// ":*" for any port). AUDIENCE is "signed-in", "superusers" or "users: ann; bob" (names or ids), after "basic"
        /// if programs can send a user name and an API key as Basic credentials. The most specific host decides; hosts
        /// without a rule are refused. Needs public_url and trusted_proxies. While there are rules, users can't rename
        /// themselves, and the name of a former user can't be taken.
        forward_auth: AccessRules = "" ("off"), List, get(forward_auth::access_rules);

        /// The domain that contains usher and those sites, such as `example.org`.
        cookie_domain: Option<String> = "" ("the host of `public_url` only"), Text("DOMAIN"),
            optional(forward_auth::cookie_domain);

        /// Allow rules for other ports of usher's own host. Browsers send usher's cookies to those sites, too.
        ///
        /// The sample proxy configurations remove them. A site that can be reached without the proxy gets them.
        allow_sites_on_own_host: bool = "false", Bool, get(values::boolean);
    }

    "Backups" {
        /// The schedule of backups into `backups` in the data directory, such as `daily 03:00` or `every 6h`.
        ///
        /// "off", "hourly", "daily", "weekly", with a time of day "daily 03:30" or "weekly sunday 03:30" (default:
        /// 03:00 and Sunday), or "every 30m", "every 6h", "every 2d". Times are local. A missed backup is made at the
        /// next start. Copy the backups to another disk.
        backup_schedule: Schedule = "off", Text("SCHEDULE"), get(values::schedule);

        /// The number of scheduled backups to keep. The oldest are deleted first.
        backup_keep: u32 = "7", Number, get(values::number::<1, 10_000>);
    }

    "Events" {
        /// A program or a URL that gets events: sign-ups, sign-ins from new places, new passwords and ended sessions.
        ///
        /// A path that begins with "/" is a program, which gets JSON on standard input. An http or https URL gets JSON
        /// by POST, signed with on_event_secret. See docs/events.md.
        on_event: Option<EventTarget> = "" ("nobody"), Text("PATH|URL"), optional(values::event_target);

        /// The key that signs events for a URL: at least 32 characters.
        on_event_secret: Option<Secret> = "" ("none"), SecretText, secret(MIN_SECRET_CHARS);
    }

    "Metrics and logging" {
        /// Serve `GET /metrics` for Prometheus, to superusers and to clients that send `metrics_token`.
        metrics: bool = "false", Bool, get(values::boolean);

        /// The bearer token for `GET /metrics`: at least 32 characters. `metrics_token_file` reads it from a file.
        metrics_token: Option<Secret> = "" ("none"), SecretText, secret(MIN_SECRET_CHARS);

        /// The number of days that audit entries are kept.
        audit_days: u32 = "365", Number, get(values::number::<1, 36_500>);

        /// What to log to standard error: a level, or levels per module, such as `info,usher::http=debug`.
        ///
        /// The levels are error, warn, info, debug, trace and off.
        log: String = "info", Text("FILTER"), get(values::log_filter);
    }
}
