-- Devices that wait for a person (RFC 8628). `tenant` is where the code was asked for, empty at `common`; only there is the
-- tenant that answered another one. Kinds are in the hashes (R10).
CREATE TABLE device_codes (
  tenant BLOB NOT NULL,
  hash BLOB NOT NULL,
  user_code BLOB NOT NULL UNIQUE,
  client BLOB NOT NULL,
  scopes TEXT NOT NULL,
  address TEXT,
  expires_at BIGINT NOT NULL,
  answered_at BIGINT,
  -- Both empty when the person declined.
  answered_in BLOB,
  grant_id BLOB,
  redeemed_at BIGINT,
  PRIMARY KEY (tenant, hash)
);
