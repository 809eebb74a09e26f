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
