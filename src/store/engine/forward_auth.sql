-- The step to version 4: what forward auth needs, as in schema.sql.

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
