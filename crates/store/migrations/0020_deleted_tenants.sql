-- Who made a tenant, if a person did, and since when it is deleted. The row stays: the id never comes back (R22).
ALTER TABLE tenants ADD COLUMN creator_home BLOB;
ALTER TABLE tenants ADD COLUMN creator_user BLOB;
ALTER TABLE tenants ADD COLUMN deleted_at BIGINT;
-- When the last of what it held was removed.
ALTER TABLE tenants ADD COLUMN cleared_at BIGINT;
CREATE INDEX tenants_closing ON tenants (deleted_at) WHERE deleted_at IS NOT NULL AND cleared_at IS NULL;

-- Names of deleted tenants that nobody may choose yet: whoever still trusts the name must not find strangers under it.
CREATE TABLE kept_names (
  name TEXT PRIMARY KEY,
  free_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX kept_names_free ON kept_names (free_at);

CREATE INDEX outbox_tenant ON outbox (tenant);
