-- Token lifetime policies: the definition as it was written, and the seconds that it says.
CREATE TABLE token_lifetime_policies (
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT,
  definition TEXT NOT NULL,
  seconds BIGINT NOT NULL,
  is_organization_default BIGINT NOT NULL,
  PRIMARY KEY (tenant, id)
);
-- At most one counts for the whole tenant.
CREATE UNIQUE INDEX token_lifetime_policies_default ON token_lifetime_policies (tenant) WHERE is_organization_default = 1;

-- What has which policy: a registration of the tenant or a service principal in it, one policy each.
CREATE TABLE token_lifetime_assignments (
  tenant BLOB NOT NULL,
  object BLOB NOT NULL,
  kind TEXT NOT NULL,
  policy BLOB NOT NULL,
  PRIMARY KEY (tenant, object)
) WITHOUT ROWID;
CREATE INDEX token_lifetime_assignments_policy ON token_lifetime_assignments (tenant, policy, object);
