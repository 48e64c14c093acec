-- The fleets that this machine has carried on: one JSON document a name, that of its last run.
CREATE TABLE fleet (
    name   TEXT PRIMARY KEY NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
