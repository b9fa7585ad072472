-- The first schema. Times are milliseconds since 1970; ids are 16 bytes; every table of a tenant begins with the
-- tenant. Text compared without case has a folded column of its own, the same on every engine.

CREATE TABLE tenants (
  tenant BLOB PRIMARY KEY,
  display_name TEXT NOT NULL,
  state TEXT NOT NULL,
  region_scope TEXT NOT NULL,
  region_sub_scope TEXT,
  settings TEXT NOT NULL,
  logo_type TEXT,
  logo BLOB,
  created_at BIGINT NOT NULL,
  -- Raised by every change of what issuance reads from its cache.
  config_revision BIGINT NOT NULL
);

-- A name verified by one tenant is nobody else's.
CREATE TABLE domains (
  name TEXT PRIMARY KEY,
  tenant BLOB NOT NULL,
  is_default BIGINT NOT NULL,
  is_initial BIGINT NOT NULL,
  is_verified BIGINT NOT NULL
);
CREATE INDEX domains_tenant ON domains (tenant);

-- Ids of purged objects: an id never comes back (R22).
CREATE TABLE tombstones (
  id BLOB PRIMARY KEY,
  tenant BLOB NOT NULL,
  kind TEXT NOT NULL,
  purged_at BIGINT NOT NULL
);

CREATE TABLE users (
  row INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  sign_in_name TEXT NOT NULL,
  sign_in_name_folded TEXT NOT NULL,
  display_name TEXT NOT NULL,
  display_name_folded TEXT NOT NULL,
  user_type TEXT NOT NULL,
  is_enabled BIGINT NOT NULL,
  mail TEXT,
  mail_folded TEXT,
  mail_nickname TEXT,
  other_mails TEXT NOT NULL,
  proxy_addresses TEXT NOT NULL,
  business_phones TEXT NOT NULL,
  creation_type TEXT,
  external_state TEXT,
  external_changed_at BIGINT,
  -- Where a guest's address is at home, as far as known at invitation; never authenticates anybody.
  home_tenant BLOB,
  is_in_address_list BIGINT NOT NULL,
  profile TEXT NOT NULL,
  sessions_valid_from BIGINT NOT NULL,
  password_changed_at BIGINT,
  must_change_password BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT,
  -- Raised by every change of the object.
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_id ON users (tenant, id);
-- A deleted user does not hold the name.
CREATE UNIQUE INDEX users_name ON users (tenant, sign_in_name_folded) WHERE deleted_at IS NULL;
CREATE INDEX users_mail ON users (tenant, mail_folded) WHERE deleted_at IS NULL AND mail_folded IS NOT NULL;
CREATE INDEX users_display ON users (tenant, display_name_folded) WHERE deleted_at IS NULL;
CREATE INDEX users_deleted ON users (tenant, deleted_at) WHERE deleted_at IS NOT NULL;

-- The only key by which a guest is recognised (R02).
CREATE TABLE identities (
  tenant BLOB NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user BLOB NOT NULL,
  home_tenant BLOB NOT NULL,
  home_user BLOB NOT NULL,
  bound_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, issuer, subject)
);
CREATE UNIQUE INDEX identities_user ON identities (tenant, user);

-- Sealed at rest.
CREATE TABLE passwords (
  tenant BLOB NOT NULL,
  user BLOB NOT NULL,
  hash BLOB NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, user)
);

-- Attempts that failed lately, by user and by address.
CREATE TABLE failures (
  tenant BLOB NOT NULL,
  subject TEXT NOT NULL,
  count BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, subject)
);

CREATE TABLE role_assignments (
  tenant BLOB NOT NULL,
  principal BLOB NOT NULL,
  role BLOB NOT NULL,
  PRIMARY KEY (tenant, principal, role)
);

CREATE TABLE sponsors (
  tenant BLOB NOT NULL,
  user BLOB NOT NULL,
  sponsor BLOB NOT NULL,
  PRIMARY KEY (tenant, user, sponsor)
);

-- Registrations. `app_id` is unique in the whole deployment: it names the client on the wire.
CREATE TABLE applications (
  row INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  app_id BLOB NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  display_name_folded TEXT NOT NULL,
  audience TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE UNIQUE INDEX applications_id ON applications (tenant, id);

CREATE TABLE identifier_uris (
  tenant BLOB NOT NULL,
  uri TEXT NOT NULL,
  app_id BLOB NOT NULL,
  PRIMARY KEY (tenant, uri)
);
CREATE INDEX identifier_uris_app ON identifier_uris (app_id);

CREATE TABLE client_secrets (
  app_id BLOB NOT NULL,
  id BLOB NOT NULL,
  display_name TEXT,
  hint TEXT NOT NULL,
  hash BLOB NOT NULL,
  starts_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, id)
);

CREATE TABLE service_principals (
  row INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  app_id BLOB NOT NULL,
  is_enabled BIGINT NOT NULL,
  is_assignment_required BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE UNIQUE INDEX service_principals_id ON service_principals (tenant, id);
CREATE UNIQUE INDEX service_principals_app ON service_principals (tenant, app_id) WHERE deleted_at IS NULL;

CREATE TABLE app_role_assignments (
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  principal BLOB NOT NULL,
  resource BLOB NOT NULL,
  role BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, principal, resource, role)
);

-- Agreements to delegated permissions. `principal` is empty for an agreement that covers every user.
CREATE TABLE consents (
  tenant BLOB NOT NULL,
  client BLOB NOT NULL,
  principal BLOB NOT NULL,
  resource BLOB NOT NULL,
  id BLOB NOT NULL,
  scope TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, client, principal, resource)
);

CREATE TABLE invitations (
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  user BLOB NOT NULL,
  address TEXT NOT NULL,
  address_folded TEXT NOT NULL,
  ticket BLOB NOT NULL,
  redirect_url TEXT NOT NULL,
  is_redirect_known BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  accepted_at BIGINT,
  withdrawn_at BIGINT,
  PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX invitations_ticket ON invitations (tenant, ticket);
CREATE INDEX invitations_user ON invitations (tenant, user);
CREATE INDEX invitations_address ON invitations (tenant, address_folded);
CREATE INDEX invitations_time ON invitations (tenant, created_at);

-- Recipients who want no mail from a tenant (R07).
CREATE TABLE mail_blocks (
  tenant BLOB NOT NULL,
  address_folded TEXT NOT NULL,
  blocked_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, address_folded)
);

CREATE TABLE attempts (
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  -- The browser that began it; no other can go on (R15, R34).
  browser BLOB NOT NULL,
  purpose TEXT NOT NULL,
  -- The authorization request as it came, or the invitation's id (R28).
  request TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at BIGINT,
  PRIMARY KEY (tenant, id)
);

-- A visit at the home tenant under way: used once, minutes (R15).
CREATE TABLE home_visits (
  tenant BLOB NOT NULL,
  state BLOB NOT NULL,
  attempt BLOB NOT NULL,
  browser BLOB NOT NULL,
  home BLOB NOT NULL,
  sealed BLOB NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (tenant, state)
);

CREATE TABLE sessions (
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  browser BLOB NOT NULL,
  user BLOB NOT NULL,
  evidence TEXT NOT NULL,
  is_persistent BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL,
  ended_at BIGINT,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX sessions_browser ON sessions (tenant, browser);
CREATE INDEX sessions_user ON sessions (tenant, user);

-- Which tenants a browser has sessions in, for the account picker of `common`.
CREATE TABLE browsers (
  browser BLOB NOT NULL,
  tenant BLOB NOT NULL,
  used_at BIGINT NOT NULL,
  PRIMARY KEY (browser, tenant)
);

CREATE TABLE grants (
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  client BLOB NOT NULL,
  user BLOB NOT NULL,
  session BLOB NOT NULL,
  evidence TEXT NOT NULL,
  platform TEXT NOT NULL,
  scopes TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL,
  revoked_at BIGINT,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX grants_user ON grants (tenant, user);

-- Codes: authorization codes and homes' codes for partners. Kind and tenant are in the hash (R10).
CREATE TABLE codes (
  tenant BLOB NOT NULL,
  hash BLOB NOT NULL,
  grant_id BLOB NOT NULL,
  body TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  redeemed_at BIGINT,
  PRIMARY KEY (tenant, hash)
);

CREATE TABLE refresh_tokens (
  tenant BLOB NOT NULL,
  hash BLOB NOT NULL,
  grant_id BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, hash)
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (tenant, grant_id);

-- One-time links of the operator.
CREATE TABLE setup_links (
  hash BLOB PRIMARY KEY,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);

-- Keys of the deployment; private halves sealed.
CREATE TABLE signing_keys (
  kid TEXT PRIMARY KEY,
  algorithm TEXT NOT NULL,
  certificate BLOB NOT NULL,
  sealed BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  signs_from BIGINT NOT NULL,
  retires_at BIGINT NOT NULL
);

-- Append-only. `tenant` is empty for what belongs to no tenant: unknown tenants, apps, users (R32).
CREATE TABLE sign_in_records (
  seq INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  error_code BIGINT NOT NULL,
  user BLOB,
  user_name TEXT,
  service_principal BLOB,
  app BLOB,
  resource BLOB,
  home_tenant BLOB,
  session BLOB,
  token BLOB,
  reasons TEXT NOT NULL,
  correlation BLOB NOT NULL,
  address TEXT,
  user_agent TEXT
);

CREATE TABLE directory_records (
  seq INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  id BLOB NOT NULL,
  at BIGINT NOT NULL,
  activity TEXT NOT NULL,
  category TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor BLOB,
  target BLOB,
  target_name TEXT,
  refusal TEXT,
  reasons TEXT NOT NULL,
  correlation BLOB NOT NULL,
  address TEXT,
  user_agent TEXT
);

-- What happened to directory objects, in order.
CREATE TABLE changes (
  seq INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  kind TEXT NOT NULL,
  object BLOB NOT NULL,
  operation TEXT NOT NULL,
  at BIGINT NOT NULL
);

-- Effects that leave: mail, records for other tenants. Bodies are sealed: they hold redemption links.
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  tenant BLOB NOT NULL,
  id BLOB NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  recipient_folded TEXT,
  sealed BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  done_at BIGINT,
  failure TEXT
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE done_at IS NULL;
CREATE INDEX outbox_recipient ON outbox (tenant, recipient_folded, created_at) WHERE recipient_folded IS NOT NULL;
