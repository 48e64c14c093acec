-- What the operator's commands said: the one that tests, and hooks.
CREATE TABLE output (
    deployment_id TEXT    NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    -- When it ended.
    at            INTEGER NOT NULL,
    -- Which command, and when in the deployment it was run.
    what          TEXT    NOT NULL,
    -- How it ended, as JSON.
    ended         TEXT    NOT NULL CHECK (json_valid(ended)),
    -- The end of what it wrote.
    output        TEXT    NOT NULL,
    PRIMARY KEY (deployment_id, at, what)
) STRICT;
