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
