-- The whole schema of usher's database, version 6 (PRAGMA user_version). It is applied to an empty file on the
-- first start; src/store/schema.rs holds the steps that bring an older file here.
--
-- Two habits run through all tables. A row has an integer `id`, which is SQLite's rowid: it is the order of creation,
-- and what other tables refer to, as eight bytes at most. What clients see is the random `uuid`, 16 bytes, unique.
-- Times are TEXT in UTC, `2026-01-31 12:00:00.000001+00:00`, so that they sort as text and a person can read them.

-- The people. Their order of creation, `id`, is the order of the user list.
CREATE TABLE users (
    -- Never used again, so that what is larger than all ids known before is new (src/store/search.rs).
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    -- As its owner typed it, and in the form that decides whether two names are the same one (NFKC case folding).
    username        TEXT NOT NULL,
    username_folded TEXT NOT NULL UNIQUE,
    -- bcrypt, in its own notation: `$2b$12$…`.
    password_hash   TEXT NOT NULL,
    profile_image   TEXT,
    -- Fernet-encrypted with the secret key, as the original keeps it.
    store_api_key   TEXT,
    is_active       INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    is_superuser    INTEGER NOT NULL CHECK (is_superuser IN (0, 1)),
    create_at       TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    -- NULL: never signed in, which is how somebody who waits for approval is told from somebody deactivated.
    last_login_at   TEXT
) STRICT;

-- "Is there another active superuser?" is asked whenever one could be lost; there are few of them.
CREATE INDEX users_superusers ON users (is_active) WHERE is_superuser = 1;

-- The list of users by last log-in; and those who wait, are active, were deactivated.
CREATE INDEX users_by_last_login ON users (last_login_at);
CREATE INDEX users_by_state ON users (is_active, last_login_at);

-- How many people there are: counting a million rows takes longer than everything else a list needs.
CREATE TABLE user_count (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    n  INTEGER NOT NULL,
    -- Inactive and never signed in; able to sign in; superusers, active or not. The rest were deactivated.
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

-- Which users were deleted lately, or got another name, state or last log-in: what a list of all people in memory must
-- look at again. New users are told by their larger ids. The last ten thousand lines are kept; whoever missed more reads
-- everybody anew.
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

-- One row for every log-in that has not ended; ending a session deletes its row, and its tokens are dead with it.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   TEXT NOT NULL,
    -- The newest refresh token: when it was issued, when it ends, and how many there were before it. A token of a
    -- smaller number was replaced; using one again later than the leeway means that somebody has a copy.
    refreshed_at TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    generation   INTEGER NOT NULL,
    address      TEXT NOT NULL,
    client       TEXT,
    -- Begun without a password (`auto_login`): only the newest few of these are kept.
    automatic    INTEGER NOT NULL DEFAULT 0 CHECK (automatic IN (0, 1))
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Tokens by which proxies know who enters the sites behind them. Each belongs to a session and ends with it; only a
-- hash of it is kept. The session is named by what is never used again, so that none can be taken for a later one's.
CREATE TABLE entry_tokens (
    sha256  BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    session BLOB NOT NULL REFERENCES sessions (uuid) ON DELETE CASCADE,
    made_at TEXT NOT NULL,
    -- NULL: with the session. Otherwise a newer token took its place, and it works until then.
    ends_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_tokens_of_session ON entry_tokens (session);

-- Whether names are kept from being given to somebody else: sites behind forward auth know people by name. There is a
-- row since forward auth was on for the first time; from then on names that somebody leaves are written down.
CREATE TABLE name_keeping (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    in_force INTEGER NOT NULL CHECK (in_force IN (0, 1))
) STRICT;
CREATE TABLE former_names (
    username_folded TEXT PRIMARY KEY,
    -- Who had it first, and may have it again.
    user_uuid       BLOB NOT NULL CHECK (length(user_uuid) = 16)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER users_left_name AFTER UPDATE OF username_folded ON users
WHEN old.username_folded <> new.username_folded AND EXISTS (SELECT 1 FROM name_keeping) BEGIN
    INSERT OR IGNORE INTO former_names VALUES (old.username_folded, old.uuid);
END;
CREATE TRIGGER users_left AFTER DELETE ON users WHEN EXISTS (SELECT 1 FROM name_keeping) BEGIN
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

-- Links with which a person sets a new password, once: at most one for each account, and only a hash of it.
CREATE TABLE reset_links (
    id         INTEGER PRIMARY KEY,
    user_id    INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX reset_links_by_end ON reset_links (expires_at);

-- Keys for programs. Only a hash is kept: the keys are random and long, so that a fast one is enough.
CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT,
    sha256       BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    -- What its owner is shown: the first eight characters, and how many there are in all.
    prefix       TEXT NOT NULL,
    length       INTEGER NOT NULL,
    is_active    INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    created_at   TEXT NOT NULL,
    expires_at   TEXT,
    last_used_at TEXT,
    total_uses   INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_of_user ON api_keys (user_id);

-- Who did what to whom, from where, when, and whether it succeeded. People are kept by id and by the name of that
-- moment, without a reference: the entry outlives the account. No secret is ever written here.
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
    detail      TEXT
) STRICT;
CREATE INDEX audit_of_actor ON audit (actor) WHERE actor IS NOT NULL;
CREATE INDEX audit_of_target ON audit (target) WHERE target IS NOT NULL;
-- Of each, the oldest go when there are too many.
CREATE INDEX audit_by_success ON audit (success);

-- Failed log-ins and sign-ups, counted to slow them down. A key is a keyed hash of the account's name, the address or
-- both: names that were typed may be passwords, and are not kept. The number of rows is bounded.
CREATE TABLE attempts (
    key     BLOB PRIMARY KEY CHECK (length(key) = 16),
    count   INTEGER NOT NULL,
    last_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_age ON attempts (last_at);

-- Where people have signed in from before: there, attempts made elsewhere do not slow them down.
CREATE TABLE known_places (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    place   BLOB NOT NULL CHECK (length(place) = 16),
    seen_at TEXT NOT NULL,
    PRIMARY KEY (user_id, place)
) STRICT, WITHOUT ROWID;

-- What /health_check writes, to know that writing works. `believed_at` is the moment up to which the clock was believed
-- (src/server/sweep.rs).
CREATE TABLE heartbeat (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    at          TEXT NOT NULL,
    believed_at TEXT
) STRICT;

-- By what the secret key is known again with which the store keys are encrypted and the counts above are keyed: a keyed
-- hash that tells nothing of it. No row: no server has run on this database since it has this table.
CREATE TABLE secret_key (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16)
) STRICT;
