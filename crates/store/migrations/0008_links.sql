-- Relations between directory objects, and the indexes by which they and the records are found.
CREATE UNIQUE INDEX consents_id ON consents (tenant, id);
CREATE INDEX consents_client ON consents (tenant, client, id);
CREATE INDEX consents_principal ON consents (tenant, principal, id);
CREATE INDEX consents_resource ON consents (tenant, resource, id);

CREATE INDEX app_role_assignments_id ON app_role_assignments (tenant, id);
CREATE INDEX app_role_assignments_principal ON app_role_assignments (tenant, principal, id);
CREATE INDEX app_role_assignments_resource ON app_role_assignments (tenant, resource, id);

CREATE TABLE managers (
  tenant BLOB NOT NULL,
  user BLOB NOT NULL,
  manager BLOB NOT NULL,
  PRIMARY KEY (tenant, user)
) WITHOUT ROWID;
CREATE INDEX managers_manager ON managers (tenant, manager, user);

CREATE INDEX sponsors_sponsor ON sponsors (tenant, sponsor);

-- Owners of registrations and of service principals; those of groups are links of the group.
CREATE TABLE owners (
  tenant BLOB NOT NULL,
  object BLOB NOT NULL,
  object_kind TEXT NOT NULL,
  owner BLOB NOT NULL,
  owner_kind TEXT NOT NULL,
  added_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, object, owner)
) WITHOUT ROWID;
CREATE INDEX owners_owner ON owners (tenant, owner);

CREATE INDEX sign_in_records_time ON sign_in_records (tenant, at, seq);
CREATE INDEX sign_in_records_id ON sign_in_records (tenant, id);
CREATE INDEX sign_in_records_user ON sign_in_records (tenant, user, at, seq) WHERE user IS NOT NULL;
CREATE INDEX sign_in_records_app ON sign_in_records (tenant, app, at, seq) WHERE app IS NOT NULL;
CREATE INDEX sign_in_records_correlation ON sign_in_records (tenant, correlation, at, seq);
-- Refusals are few; what succeeded is found by its time.
CREATE INDEX sign_in_records_error ON sign_in_records (tenant, error_code, at, seq) WHERE error_code <> 0;

CREATE INDEX directory_records_time ON directory_records (tenant, at, seq);
CREATE INDEX directory_records_id ON directory_records (tenant, id);
CREATE INDEX directory_records_actor ON directory_records (tenant, actor, at, seq) WHERE actor IS NOT NULL;
CREATE INDEX directory_records_target ON directory_records (tenant, target, at, seq) WHERE target IS NOT NULL;
CREATE INDEX directory_records_correlation ON directory_records (tenant, correlation, at, seq);
CREATE INDEX directory_records_activity ON directory_records (tenant, activity, at, seq);
