-- The last deployments of each target are read by every command; a journal may hold thousands.
CREATE INDEX deployments_of_a_target ON deployment (account, region, application, blue, id);
