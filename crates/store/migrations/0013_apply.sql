-- What `hospes apply` made, by the name that the description has for it: only that may it delete again.
CREATE TABLE applied (
  tenant BLOB NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  object BLOB NOT NULL,
  made_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, kind, name)
) WITHOUT ROWID;
