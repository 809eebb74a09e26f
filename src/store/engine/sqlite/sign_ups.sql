-- Part of the migration to version 7: accounts that wait for approval, and the names of accounts that were never used.
-- The same as in schema.sql, where it is described.

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

DROP TRIGGER users_left_name;
DROP TRIGGER users_left;
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
