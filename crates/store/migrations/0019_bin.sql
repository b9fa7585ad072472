-- Service principals lie in the bin for a while, as other objects do. Until now a deleted one was gone at once: what is
-- left of those goes, and their ids never come back (R22).
INSERT INTO tombstones (id, tenant, kind, purged_at)
  SELECT id, tenant, 'servicePrincipal', deleted_at FROM service_principals
   WHERE deleted_at IS NOT NULL AND id NOT IN (SELECT id FROM tombstones);
DELETE FROM terms WHERE kind = 3 AND row IN (SELECT row FROM service_principals WHERE deleted_at IS NOT NULL);
DELETE FROM app_role_assignments
  WHERE (tenant, principal) IN (SELECT tenant, id FROM service_principals WHERE deleted_at IS NOT NULL)
     OR (tenant, resource) IN (SELECT tenant, id FROM service_principals WHERE deleted_at IS NOT NULL);
DELETE FROM consents
  WHERE (tenant, client) IN (SELECT tenant, id FROM service_principals WHERE deleted_at IS NOT NULL)
     OR (tenant, resource) IN (SELECT tenant, id FROM service_principals WHERE deleted_at IS NOT NULL);
DELETE FROM role_assignments
  WHERE (tenant, principal) IN (SELECT tenant, id FROM service_principals WHERE deleted_at IS NOT NULL);
DELETE FROM service_principals WHERE deleted_at IS NOT NULL;

-- Whether it was deleted with its registration, and so comes back with it.
ALTER TABLE service_principals ADD COLUMN went_with_application BIGINT NOT NULL DEFAULT 0;
CREATE INDEX service_principals_deleted ON service_principals (tenant) WHERE deleted_at IS NOT NULL;

-- What is due for going for good, in every tenant.
CREATE INDEX users_due ON users (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX groups_due ON groups (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX applications_due ON applications (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX service_principals_due ON service_principals (deleted_at) WHERE deleted_at IS NOT NULL;
