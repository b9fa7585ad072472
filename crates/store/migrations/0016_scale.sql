-- What was walked through until now. Ends of life, by time, for the sweep:
CREATE INDEX attempts_created ON attempts (created_at);
CREATE INDEX browsers_used ON browsers (used_at);
CREATE INDEX codes_expires ON codes (expires_at);
CREATE INDEX device_codes_expires ON device_codes (expires_at);
CREATE INDEX failures_last ON failures (last_at);
CREATE INDEX grants_used ON grants (used_at);
CREATE INDEX home_visits_expires ON home_visits (expires_at);
CREATE INDEX mail_recipients_sent ON mail_recipients (sent_at);
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX sessions_used ON sessions (used_at);

-- Grants of a session, and whose identifier a resource is called by.
CREATE INDEX grants_session ON grants (tenant, session);
CREATE INDEX identifier_uris_uri ON identifier_uris (uri);
