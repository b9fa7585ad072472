-- Requests for an administrator's agreement to an application. `scopes` and `permissions` are lists of words.
CREATE TABLE consent_requests (
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  app BLOB NOT NULL,
  user BLOB NOT NULL,
  reason TEXT NOT NULL,
  scopes TEXT NOT NULL,
  permissions TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  outcome TEXT,
  decided_by BLOB,
  decided_at BIGINT,
  decision_reason TEXT,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX consent_requests_app ON consent_requests (tenant, app, id);
CREATE INDEX consent_requests_open ON consent_requests (tenant, outcome, expires_at);
CREATE INDEX consent_requests_user ON consent_requests (tenant, user, created_at);
CREATE INDEX consent_requests_due ON consent_requests (expires_at);
