-- Groups with dynamic membership: the rule, and whether it is carried out.
ALTER TABLE groups ADD COLUMN membership_rule TEXT;
ALTER TABLE groups ADD COLUMN is_rule_on BIGINT NOT NULL DEFAULT 0;
CREATE INDEX groups_dynamic ON groups (tenant) WHERE deleted_at IS NULL AND membership_rule IS NOT NULL;

-- Which properties of users the rules look at that are carried out: a change of a user asks only those that it concerns.
CREATE TABLE rule_properties (
  tenant BLOB NOT NULL,
  property TEXT NOT NULL,
  group_id BLOB NOT NULL,
  PRIMARY KEY (tenant, property, group_id)
) WITHOUT ROWID;
CREATE INDEX rule_properties_group ON rule_properties (tenant, group_id);

-- Rules that are still being carried out over the whole directory: everybody up to this id was looked at.
CREATE TABLE rule_runs (
  tenant BLOB NOT NULL,
  group_id BLOB NOT NULL,
  after BLOB NOT NULL,
  PRIMARY KEY (tenant, group_id)
) WITHOUT ROWID;
