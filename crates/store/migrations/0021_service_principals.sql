-- What a tenant writes about a service principal of its own, where it wrote anything.
ALTER TABLE service_principals ADD COLUMN details TEXT;
