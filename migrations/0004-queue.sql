-- Who waits for a turn at a target, in order of arrival: one JSON document a target.
CREATE TABLE queue (
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    application TEXT NOT NULL,
    blue        TEXT NOT NULL,
    record      TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (account, region, application, blue)
) STRICT;
