-- What lists are walked by: rows of a tenant in order, names and times.
CREATE INDEX users_rows ON users (tenant) WHERE deleted_at IS NULL;
CREATE INDEX users_created ON users (tenant, created_at) WHERE deleted_at IS NULL;
DROP INDEX users_deleted;
CREATE INDEX users_deleted ON users (tenant) WHERE deleted_at IS NOT NULL;

CREATE INDEX applications_rows ON applications (tenant) WHERE deleted_at IS NULL;
CREATE INDEX applications_display ON applications (tenant, display_name_folded) WHERE deleted_at IS NULL;
CREATE INDEX applications_created ON applications (tenant, created_at) WHERE deleted_at IS NULL;
CREATE INDEX applications_deleted ON applications (tenant) WHERE deleted_at IS NOT NULL;

-- An instance is listed by its registration's name.
ALTER TABLE service_principals ADD COLUMN display_name_folded TEXT NOT NULL DEFAULT '';
CREATE INDEX service_principals_rows ON service_principals (tenant) WHERE deleted_at IS NULL;
CREATE INDEX service_principals_display ON service_principals (tenant, display_name_folded) WHERE deleted_at IS NULL;
CREATE INDEX service_principals_of ON service_principals (app_id);

-- Texts that objects are found by, folded: values of properties without a column, and words. Derived from
-- the objects, and made anew where another release made them.
CREATE TABLE terms (
  tenant BLOB NOT NULL,
  kind BIGINT NOT NULL,
  property BIGINT NOT NULL,
  value TEXT NOT NULL,
  row BIGINT NOT NULL,
  PRIMARY KEY (tenant, kind, property, value, row)
) WITHOUT ROWID;

-- What delta queries replay.
CREATE INDEX changes_order ON changes (tenant, kind, seq);
