-- Addresses of a guest that the home itself owns and named when it last vouched, as a JSON list (R02). Tokens name no
-- other; what a guest is called here may be changed by anybody who administers users.
ALTER TABLE identities ADD COLUMN proved_addresses TEXT NOT NULL DEFAULT '[]';
