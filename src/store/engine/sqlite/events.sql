-- The newest audit entry that the setting on_event was told of. The row is missing while on_event isn't set.
CREATE TABLE event_position (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    audit_id INTEGER NOT NULL
) STRICT;
