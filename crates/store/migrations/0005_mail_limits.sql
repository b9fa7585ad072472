-- Who invited, whether a person or an application, and who else the mail went to: both are counted (R07).
ALTER TABLE invitations ADD COLUMN inviter BLOB;
ALTER TABLE invitations ADD COLUMN copied_to TEXT;
CREATE INDEX invitations_inviter ON invitations (tenant, inviter, created_at);

-- Every address that a mail went to.
CREATE TABLE mail_recipients (
  tenant BLOB NOT NULL,
  address_folded TEXT NOT NULL,
  mail BLOB NOT NULL,
  domain TEXT NOT NULL,
  sent_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, address_folded, mail)
);
CREATE INDEX mail_recipients_domain ON mail_recipients (tenant, domain, sent_at);
INSERT INTO mail_recipients (tenant, address_folded, mail, domain, sent_at)
  SELECT tenant, recipient_folded, id, substr(recipient_folded, instr(recipient_folded, '@') + 1), created_at
    FROM outbox WHERE recipient_folded IS NOT NULL;
DROP INDEX outbox_recipient;
ALTER TABLE outbox DROP COLUMN recipient_folded;
