-- What limits are compared with. Every number here is changed in the transaction that changes what it counts, so that
-- writers at the same limit meet at one row.

-- Objects in quarters. `creator` is empty for those of the tenant; else of one user.
CREATE TABLE object_counts (
  tenant BLOB NOT NULL,
  creator BLOB NOT NULL,
  quarters BIGINT NOT NULL,
  PRIMARY KEY (tenant, creator)
) WITHOUT ROWID;

-- Which user made an object. Of what the operator or an application made there is no row.
CREATE TABLE object_creators (
  tenant BLOB NOT NULL,
  object BLOB NOT NULL,
  creator BLOB NOT NULL,
  PRIMARY KEY (tenant, object)
) WITHOUT ROWID;

-- When a deleted object weighs less, in which count, and by how much.
CREATE TABLE object_fades (
  tenant BLOB NOT NULL,
  creator BLOB NOT NULL,
  due_at BIGINT NOT NULL,
  object BLOB NOT NULL,
  quarters BIGINT NOT NULL,
  PRIMARY KEY (tenant, creator, due_at, object)
) WITHOUT ROWID;
CREATE INDEX object_fades_object ON object_fades (tenant, object);
CREATE INDEX object_fades_due ON object_fades (due_at);

INSERT INTO object_fades (tenant, creator, due_at, object, quarters)
  SELECT tenant, x'', deleted_at + 2592000000, id, 3 FROM users WHERE deleted_at IS NOT NULL
  UNION ALL SELECT tenant, x'', deleted_at + 5184000000, id, 1 FROM users WHERE deleted_at IS NOT NULL
  UNION ALL SELECT tenant, x'', deleted_at + 2592000000, id, 3 FROM groups WHERE deleted_at IS NOT NULL
  UNION ALL SELECT tenant, x'', deleted_at + 5184000000, id, 1 FROM groups WHERE deleted_at IS NOT NULL
  UNION ALL SELECT tenant, x'', deleted_at + 2592000000, id, 3 FROM applications WHERE deleted_at IS NOT NULL
  UNION ALL SELECT tenant, x'', deleted_at + 5184000000, id, 1 FROM applications WHERE deleted_at IS NOT NULL
  UNION ALL SELECT tenant, x'', deleted_at + 2592000000, id, 1 FROM service_principals WHERE deleted_at IS NOT NULL
  UNION ALL SELECT tenant, x'', purged_at + 2592000000, id, 1 FROM tombstones WHERE kind <> 'appId';
INSERT INTO object_counts (tenant, creator, quarters)
  SELECT tenant, x'', SUM(quarters) FROM (
    SELECT tenant, 4 AS quarters FROM users
    UNION ALL SELECT tenant, 4 FROM groups
    UNION ALL SELECT tenant, 4 FROM applications
    UNION ALL SELECT tenant, 4 FROM service_principals WHERE deleted_at IS NULL
    UNION ALL SELECT tenant, 1 FROM service_principals WHERE deleted_at IS NOT NULL
    UNION ALL SELECT tenant, 1 FROM tombstones WHERE kind <> 'appId'
  ) o GROUP BY tenant;

-- Who a guest is at home: proved, or known from the invited address. Outlives a soft deletion of the guest.
CREATE TABLE memberships (
  tenant BLOB NOT NULL,
  user BLOB NOT NULL,
  home_tenant BLOB NOT NULL,
  home_user BLOB NOT NULL,
  PRIMARY KEY (tenant, user)
) WITHOUT ROWID;
CREATE INDEX memberships_person ON memberships (home_tenant, home_user);

-- A person of the deployment, by the object at home: in how many other directories there is a guest that was not deleted,
-- and how many tenants the person made.
CREATE TABLE people (
  home_tenant BLOB NOT NULL,
  home_user BLOB NOT NULL,
  guest_of BIGINT NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (home_tenant, home_user)
) WITHOUT ROWID;

INSERT INTO memberships (tenant, user, home_tenant, home_user)
  SELECT tenant, user, home_tenant, home_user FROM identities;
INSERT INTO memberships (tenant, user, home_tenant, home_user)
  SELECT g.tenant, g.id, h.tenant, h.id
    FROM users g JOIN users h ON h.tenant = g.home_tenant AND h.sign_in_name_folded = g.mail_folded
   WHERE g.external_state = 'PendingAcceptance' AND h.external_state IS NULL AND h.deleted_at IS NULL;
INSERT INTO people (home_tenant, home_user, guest_of, created)
  SELECT m.home_tenant, m.home_user, COUNT(*), 0
    FROM memberships m JOIN users u ON u.tenant = m.tenant AND u.id = m.user
   WHERE u.deleted_at IS NULL GROUP BY m.home_tenant, m.home_user;
