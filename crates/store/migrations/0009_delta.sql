-- What changed of an object, where the log knows it, and what was linked to it or is no more.
ALTER TABLE changes ADD COLUMN parts TEXT;
ALTER TABLE changes ADD COLUMN other BLOB;
ALTER TABLE changes ADD COLUMN other_kind TEXT;
CREATE INDEX changes_object ON changes (tenant, object, seq);

-- The last entry of the log that was removed: who did not read that far begins anew.
CREATE TABLE change_log (trimmed BIGINT NOT NULL);
INSERT INTO change_log (trimmed) VALUES (0);
