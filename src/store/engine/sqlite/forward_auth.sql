-- Migration to version 4: forward auth. The same as in schema.sql, where the tables are described.

CREATE TABLE entry_tokens (
    sha256  BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    session BLOB NOT NULL REFERENCES sessions (uuid) ON DELETE CASCADE,
    made_at TEXT NOT NULL,
    ends_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_tokens_of_session ON entry_tokens (session);

CREATE TABLE name_keeping (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    in_force INTEGER NOT NULL CHECK (in_force IN (0, 1))
) STRICT;
CREATE TABLE former_names (
    username_folded TEXT PRIMARY KEY,
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
