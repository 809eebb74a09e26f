-- The whole schema of usher's database, version 7 (PRAGMA user_version). It is applied to an empty file on the first
-- start. src/store/engine/sqlite/schema.rs holds the migrations of older files.
--
-- Two conventions hold in all tables. Every row has an integer `id`, SQLite's rowid: it gives the order of creation,
-- and other tables refer to it in at most eight bytes. Clients see the random `uuid`, 16 bytes, unique. Times are TEXT
-- in UTC, `2026-01-31 12:00:00.000001+00:00`, which sorts as text and is readable.

-- User accounts. The order of creation, `id`, is the order of the user list.
CREATE TABLE users (
    -- Never reused, so that a larger id than all known ones is new (src/store/user_index).
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    -- The name as typed, and its folded form (NFKC case folding) for comparison.
    username        TEXT NOT NULL,
    username_folded TEXT NOT NULL UNIQUE,
    -- A bcrypt hash: `$2b$12$…`.
    password_hash   TEXT NOT NULL,
    profile_image   TEXT,
    -- Fernet-encrypted with the secret key, as Langflow stores it.
    store_api_key   TEXT,
    is_active       INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    is_superuser    INTEGER NOT NULL CHECK (is_superuser IN (0, 1)),
    create_at       TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    -- NULL: never signed in. This distinguishes a user who waits for approval from a deactivated one.
    last_login_at   TEXT,
    -- What clients remember about the user: a JSON object of at most 4096 bytes. NULL: the default.
    optins          TEXT,
    -- What the list is sorted and searched by: the folded name without accents (src/domain/username.rs).
    username_sort   TEXT NOT NULL DEFAULT '',
    -- The user must choose a new password before a session can do anything else.
    must_change_password INTEGER NOT NULL DEFAULT 0 CHECK (must_change_password IN (0, 1))
) STRICT;

-- For "is there another active superuser?", asked before one is demoted, deactivated or deleted.
CREATE INDEX users_superusers ON users (is_active) WHERE is_superuser = 1;

-- For the list of users by last sign-in and by state.
CREATE INDEX users_by_last_login ON users (last_login_at);
CREATE INDEX users_by_state ON users (is_active, last_login_at);

-- For the list of users by name.
CREATE INDEX users_by_name ON users (username_sort);

-- The number of users. Counting a million rows takes longer than the rest of a list.
CREATE TABLE user_count (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    n  INTEGER NOT NULL,
    -- waiting: inactive and never signed in. active: may sign in. superusers: active or not. The rest are deactivated.
    waiting    INTEGER NOT NULL,
    active     INTEGER NOT NULL,
    superusers INTEGER NOT NULL
) STRICT;
INSERT INTO user_count VALUES (1, 0, 0, 0, 0);
CREATE TRIGGER users_counted_in AFTER INSERT ON users BEGIN
    UPDATE user_count SET n = n + 1, active = active + new.is_active, superusers = superusers + new.is_superuser,
        waiting = waiting + (new.is_active = 0 AND new.last_login_at IS NULL);
END;
CREATE TRIGGER users_counted_out AFTER DELETE ON users BEGIN
    UPDATE user_count SET n = n - 1, active = active - old.is_active, superusers = superusers - old.is_superuser,
        waiting = waiting - (old.is_active = 0 AND old.last_login_at IS NULL);
END;
CREATE TRIGGER users_counted_again AFTER UPDATE OF is_active, is_superuser, last_login_at ON users
WHEN new.is_active <> old.is_active OR new.is_superuser <> old.is_superuser
    OR (new.is_active = 0 AND (new.last_login_at IS NULL) <> (old.last_login_at IS NULL))
BEGIN
    UPDATE user_count SET active = active + new.is_active - old.is_active,
        superusers = superusers + new.is_superuser - old.is_superuser,
        waiting = waiting + (new.is_active = 0 AND new.last_login_at IS NULL)
            - (old.is_active = 0 AND old.last_login_at IS NULL);
END;

-- A change log of users: deletions, and changes of name, state, last sign-in or second factor. It keeps the in-memory
-- user index up to date. New users are recognized by their larger ids. The last ten thousand rows are kept; an index that missed more is
-- loaded again.
CREATE TABLE user_changes (
    seq     INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL
) STRICT;
CREATE TRIGGER users_changed AFTER UPDATE OF username_folded, is_active, is_superuser, last_login_at ON users
WHEN new.username_folded <> old.username_folded OR new.is_active <> old.is_active
    OR new.is_superuser <> old.is_superuser OR new.last_login_at IS NOT old.last_login_at
BEGIN
    INSERT INTO user_changes (user_id) VALUES (new.id);
END;
CREATE TRIGGER users_forgotten AFTER DELETE ON users BEGIN
    INSERT INTO user_changes (user_id) VALUES (old.id);
END;
CREATE TRIGGER user_changes_trimmed AFTER INSERT ON user_changes BEGIN
    DELETE FROM user_changes WHERE seq <= new.seq - 10000;
END;

-- A row per live session. Ending a session deletes its row and thereby invalidates its tokens.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   TEXT NOT NULL,
    -- The newest refresh token: when it was issued, when it expires, and how many came before it. A token of an older
    -- generation was replaced; its use after the leeway means that it was copied.
    refreshed_at TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    generation   INTEGER NOT NULL,
    address      TEXT NOT NULL,
    client       TEXT,
    -- Started by `auto_login`, without a password. Only the newest few of these are kept.
    automatic    INTEGER NOT NULL DEFAULT 0 CHECK (automatic IN (0, 1)),
    -- When its owner last proved who they are, and when last with a passkey.
    authenticated_at TEXT NOT NULL DEFAULT '1970-01-01 00:00:00+00:00',
    passkey_at       TEXT
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Accounts that people signed up for and that wait for approval. They are deleted when nobody approves them in time, and a
-- network can have only some of them.
CREATE TABLE sign_ups (
    user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- A keyed hash of the network that it came from; zeros if sign-ups aren't counted.
    network BLOB NOT NULL CHECK (length(network) = 16),
    at      TEXT NOT NULL
) STRICT;
CREATE INDEX sign_ups_of_network ON sign_ups (network);
CREATE INDEX sign_ups_by_age ON sign_ups (at);
CREATE TRIGGER sign_ups_approved AFTER UPDATE OF is_active ON users WHEN new.is_active = 1 BEGIN
    DELETE FROM sign_ups WHERE user_id = new.id;
END;

-- Cookies for sites behind forward auth, stored as a hash. A token belongs to a session and ends with it. It refers to
-- the session by uuid, because session ids can be reused.
CREATE TABLE entry_tokens (
    sha256  BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    session BLOB NOT NULL REFERENCES sessions (uuid) ON DELETE CASCADE,
    made_at TEXT NOT NULL,
    -- NULL: ends with the session. Otherwise the token was replaced and works until then.
    ends_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_tokens_of_session ON entry_tokens (session);

-- Reserved user names. Sites behind forward auth identify users by name, so a former name must not go to another user.
-- The row exists since forward auth was first enabled; since then names that users give up are recorded.
CREATE TABLE name_keeping (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    in_force INTEGER NOT NULL CHECK (in_force IN (0, 1))
) STRICT;
CREATE TABLE former_names (
    username_folded TEXT PRIMARY KEY,
    -- The first owner, who may take the name again.
    user_uuid       BLOB NOT NULL CHECK (length(user_uuid) = 16)
) STRICT, WITHOUT ROWID;
-- Nobody could enter a site by the name of an account that was never active.
CREATE TRIGGER users_left_name AFTER UPDATE OF username_folded ON users
WHEN old.username_folded <> new.username_folded AND EXISTS (SELECT 1 FROM name_keeping)
    AND (old.is_active = 1 OR old.last_login_at IS NOT NULL)
BEGIN
    INSERT OR IGNORE INTO former_names VALUES (old.username_folded, old.uuid);
END;
CREATE TRIGGER users_left AFTER DELETE ON users
WHEN EXISTS (SELECT 1 FROM name_keeping) AND (old.is_active = 1 OR old.last_login_at IS NOT NULL)
BEGIN
    INSERT OR IGNORE INTO former_names VALUES (old.username_folded, old.uuid);
END;
CREATE TRIGGER users_added_by_former_name BEFORE INSERT ON users WHEN EXISTS (SELECT 1 FROM name_keeping WHERE in_force) BEGIN
    SELECT RAISE(ABORT, 'former_names.username_folded') FROM former_names
    WHERE username_folded = new.username_folded AND user_uuid <> new.uuid;
END;
CREATE TRIGGER users_take_former_name BEFORE UPDATE OF username_folded ON users
WHEN old.username_folded <> new.username_folded AND EXISTS (SELECT 1 FROM name_keeping WHERE in_force) BEGIN
    SELECT RAISE(ABORT, 'former_names.username_folded') FROM former_names
    WHERE username_folded = new.username_folded AND user_uuid <> new.uuid;
END;

-- One-time links to set a new password, stored as a hash. At most one per user.
CREATE TABLE reset_links (
    id         INTEGER PRIMARY KEY,
    user_id    INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX reset_links_by_end ON reset_links (expires_at);

-- API keys, stored as a hash. Keys are long and random, so a fast hash is enough.
CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT,
    sha256       BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    -- Shown to the owner: the first eight characters, and the total length.
    prefix       TEXT NOT NULL,
    length       INTEGER NOT NULL,
    is_active    INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    created_at   TEXT NOT NULL,
    expires_at   TEXT,
    last_used_at TEXT,
    total_uses   INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_of_user ON api_keys (user_id);

-- The audit log. Users are recorded by uuid and by name at that time, without a foreign key: an entry outlives the
-- account. It never contains secrets.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          TEXT NOT NULL,
    action      TEXT NOT NULL,
    success     INTEGER NOT NULL CHECK (success IN (0, 1)),
    actor       BLOB,
    actor_name  TEXT,
    address     TEXT,
    target      BLOB,
    target_name TEXT,
    detail      TEXT,
    -- How often it happened within a minute, and when last.
    count       INTEGER NOT NULL DEFAULT 1,
    last_at     TEXT
) STRICT;
CREATE INDEX audit_of_actor ON audit (actor) WHERE actor IS NOT NULL;
CREATE INDEX audit_of_target ON audit (target) WHERE target IS NOT NULL;
-- The oldest successes and the oldest failures are deleted beyond a limit.
CREATE INDEX audit_by_success ON audit (success);
-- Those of actions that users can repeat at will yield first.
CREATE INDEX audit_of_frequent ON audit (id) WHERE action IN ('user.change', 'site.enter', 'store_key.save');

-- Counts of failed sign-ins and of sign-ups, for throttling. The key is a keyed hash of the user name, the network or
-- both: typed names may be passwords and aren't stored. The number of rows is bounded.
CREATE TABLE attempts (
    key     BLOB PRIMARY KEY CHECK (length(key) = 16),
    count   INTEGER NOT NULL,
    last_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_age ON attempts (last_at);

-- Networks that users have signed in from. Attempts from other networks don't slow down sign-ins from these.
CREATE TABLE known_places (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    place   BLOB NOT NULL CHECK (length(place) = 16),
    seen_at TEXT NOT NULL,
    PRIMARY KEY (user_id, place)
) STRICT, WITHOUT ROWID;

-- /health_check writes this row to test writing. `believed_at` is the last time that the sweep trusted
-- (src/jobs/sweep.rs).
CREATE TABLE heartbeat (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    at          TEXT NOT NULL,
    believed_at TEXT
) STRICT;

-- The fingerprint of the secret key that encrypts the store keys and keys the counts above: a keyed hash that doesn't
-- reveal the key. The row is missing until a server has run with this table.
CREATE TABLE secret_key (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16)
) STRICT;

-- Authenticator apps and passkeys.
CREATE TABLE factors (
    id            INTEGER PRIMARY KEY,
    uuid          BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL CHECK (kind IN ('totp', 'passkey')),
    name          TEXT NOT NULL,
    -- totp: the shared secret, Fernet-encrypted under the secret key. passkey: the public key and counter, as JSON.
    data          TEXT NOT NULL,
    -- passkey: its id, and the domain that it belongs to.
    credential_id BLOB UNIQUE,
    rp_id         TEXT,
    -- totp: the newest step whose code was accepted. It and all before it are refused from then on.
    last_step     INTEGER,
    -- An authenticator app counts from its first right code on.
    is_confirmed  INTEGER NOT NULL CHECK (is_confirmed IN (0, 1)),
    created_at    TEXT NOT NULL,
    last_used_at  TEXT
) STRICT;
CREATE INDEX factors_of_user ON factors (user_id, is_confirmed);
-- The user index knows who has a second factor.
CREATE TRIGGER factors_added AFTER INSERT ON factors WHEN new.is_confirmed = 1 BEGIN
    INSERT INTO user_changes (user_id) VALUES (new.user_id);
END;
CREATE TRIGGER factors_confirmed AFTER UPDATE OF is_confirmed ON factors WHEN new.is_confirmed <> old.is_confirmed BEGIN
    INSERT INTO user_changes (user_id) VALUES (new.user_id);
END;
CREATE TRIGGER factors_removed AFTER DELETE ON factors WHEN old.is_confirmed = 1 BEGIN
    INSERT INTO user_changes (user_id) VALUES (old.user_id);
END;

-- Codes that each stand in once for a second factor. They are random and long, so that a fast hash is enough.
CREATE TABLE recovery_codes (
    id      INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sha256  BLOB NOT NULL CHECK (length(sha256) = 32),
    used_at TEXT
) STRICT;
CREATE INDEX recovery_codes_of_user ON recovery_codes (user_id);

-- What clients were asked and haven't answered yet: a second factor after a right password, a passkey. Only a hash of
-- the token is kept.
CREATE TABLE challenges (
    id         INTEGER PRIMARY KEY,
    sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    purpose    TEXT NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The network that the answer must come from.
    network    TEXT NOT NULL,
    -- The state of a passkey ceremony, as JSON.
    state      TEXT NOT NULL,
    tries      INTEGER NOT NULL,
    expires_at TEXT NOT NULL,
    -- The reset link, and the hash of the password that a right answer sets.
    reset_link BLOB CHECK (length(reset_link) = 32),
    password   TEXT,
    -- Whether it deletes the account's API keys, too.
    revoke_api_keys INTEGER NOT NULL DEFAULT 0 CHECK (revoke_api_keys IN (0, 1))
) STRICT;
CREATE INDEX challenges_of_user ON challenges (user_id);
CREATE INDEX challenges_by_end ON challenges (expires_at);

-- Links with which people create accounts themselves, until they are used up. Only a hash of the token is kept.
CREATE TABLE invitations (
    id         INTEGER PRIMARY KEY,
    uuid       BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    -- The user name that the account must get, as typed. NULL: any.
    username   TEXT,
    -- How many accounts it is for, and how many were created.
    max_uses   INTEGER NOT NULL,
    uses       INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;

-- Requests of users to delete their account, at most one per user. A granted request goes with the account.
CREATE TABLE deletion_requests (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    user_id      INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    state        TEXT NOT NULL CHECK (state IN ('requested', 'refused', 'withdrawn')),
    requested_at TEXT NOT NULL,
    -- When a superuser declined it.
    decided_at   TEXT
) STRICT;
CREATE INDEX deletion_requests_by_state ON deletion_requests (state);

-- The newest audit entry that the setting on_event was told of. The row is missing while on_event isn't set.
CREATE TABLE event_position (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    audit_id INTEGER NOT NULL
) STRICT;
