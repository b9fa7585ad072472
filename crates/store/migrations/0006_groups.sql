-- Groups and who is linked to them.
CREATE TABLE groups (
  row INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  display_name TEXT NOT NULL,
  display_name_folded TEXT NOT NULL,
  description TEXT,
  mail_nickname TEXT NOT NULL,
  mail_nickname_folded TEXT NOT NULL,
  mail TEXT,
  mail_folded TEXT,
  is_security_enabled BIGINT NOT NULL,
  is_unified BIGINT NOT NULL,
  is_role_assignable BIGINT NOT NULL,
  visibility TEXT,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE UNIQUE INDEX groups_id ON groups (tenant, id);
CREATE UNIQUE INDEX groups_mail ON groups (tenant, mail_folded) WHERE deleted_at IS NULL AND mail_folded IS NOT NULL;
CREATE INDEX groups_rows ON groups (tenant) WHERE deleted_at IS NULL;
CREATE INDEX groups_deleted ON groups (tenant) WHERE deleted_at IS NOT NULL;
CREATE INDEX groups_display ON groups (tenant, display_name_folded) WHERE deleted_at IS NULL;
CREATE INDEX groups_nickname ON groups (tenant, mail_nickname_folded) WHERE deleted_at IS NULL;
CREATE INDEX groups_created ON groups (tenant, created_at) WHERE deleted_at IS NULL;

-- Links outlive a soft deletion of either end, so that a restored object is where it was.
CREATE TABLE group_links (
  tenant BLOB NOT NULL,
  group_id BLOB NOT NULL,
  link TEXT NOT NULL,
  object BLOB NOT NULL,
  kind TEXT NOT NULL,
  added_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, group_id, link, object)
) WITHOUT ROWID;
CREATE INDEX group_links_object ON group_links (tenant, object, link);
