-- The log, asked by category and for what was refused.
CREATE INDEX directory_records_category ON directory_records (tenant, category, at, seq);
CREATE INDEX directory_records_refused ON directory_records (tenant, at, seq) WHERE refusal IS NOT NULL;
