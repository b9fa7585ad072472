-- How a grant came about: refresh tokens end when that way is switched off. And the grant that it hangs on.
ALTER TABLE grants ADD COLUMN via TEXT NOT NULL DEFAULT 'browser';
ALTER TABLE grants ADD COLUMN parent BLOB;
CREATE INDEX grants_parent ON grants (tenant, parent) WHERE parent IS NOT NULL;
