-- Part of the migration to version 7: requests to delete an account. The same as in schema.sql.

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
