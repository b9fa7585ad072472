-- Secrets of an instance (Graph: servicePrincipal.passwordCredentials): they work in its tenant only.
CREATE TABLE instance_secrets (
  tenant BLOB NOT NULL,
  instance BLOB NOT NULL,
  id BLOB NOT NULL,
  display_name TEXT,
  hint TEXT NOT NULL,
  hash BLOB NOT NULL,
  starts_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, instance, id)
);
