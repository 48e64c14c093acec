-- What happened in a deployment, as far as a report needs it: written with the next checkpoint.
CREATE TABLE event (
    deployment_id TEXT    NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    -- Counts the events of the deployment, also those that are not kept.
    sequence      INTEGER NOT NULL,
    -- The event, as JSON, with its time and its type.
    event         TEXT    NOT NULL CHECK (json_valid(event)),
    PRIMARY KEY (deployment_id, sequence)
) STRICT, WITHOUT ROWID;
