-- Part of the migration to version 7: repeats in the audit log, and which entries yield first. The same as in
-- schema.sql.

ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE audit ADD COLUMN last_at TEXT;
CREATE INDEX audit_of_frequent ON audit (id) WHERE action IN ('user.change', 'site.enter', 'store_key.save');
