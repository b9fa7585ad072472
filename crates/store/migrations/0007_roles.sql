-- Directory roles: what kind of object holds one, who holds one, and which are activated (Graph: directoryRole). Until now
-- only users held any.
ALTER TABLE role_assignments ADD COLUMN kind TEXT NOT NULL DEFAULT 'user';
CREATE INDEX role_assignments_role ON role_assignments (tenant, role, principal);

CREATE TABLE activated_roles (
  tenant BLOB NOT NULL,
  role BLOB NOT NULL,
  activated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, role)
);
INSERT INTO activated_roles (tenant, role, activated_at) SELECT DISTINCT tenant, role, 0 FROM role_assignments;

-- Groups that roles can be given to are counted.
CREATE INDEX groups_assignable ON groups (tenant) WHERE is_role_assignable = 1 AND deleted_at IS NULL;
