-- Which properties a recorded change concerned: a JSON list of name, value before and value after, each a JSON text or null.
ALTER TABLE directory_records ADD COLUMN modified TEXT;
