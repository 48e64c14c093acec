-- The journal of deployments. Moments are milliseconds since the Unix epoch, UTC.

-- "bgrn": tells this database from another program's.
PRAGMA application_id = 1651995246;

CREATE TABLE deployment (
    id          TEXT    PRIMARY KEY NOT NULL,
    account     TEXT    NOT NULL,
    region      TEXT    NOT NULL,
    application TEXT    NOT NULL,
    blue        TEXT    NOT NULL,
    -- The state's kind, for people who look with the sqlite3 shell.
    state       TEXT    NOT NULL,
    ended       INTEGER NOT NULL CHECK (ended IN (0, 1)),
    started_at  INTEGER NOT NULL,
    entered_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- Grows by one with every checkpoint: the compare-and-set of two processes.
    revision    INTEGER NOT NULL,
    -- The version of the JSON in checkpoint.
    format      INTEGER NOT NULL,
    checkpoint  TEXT    NOT NULL CHECK (json_valid(checkpoint)),
    -- An operator's request to go back, taken up by the process that drives.
    retreat_requested_at INTEGER
) STRICT;

-- At most one unfinished deployment a target.
CREATE UNIQUE INDEX one_unfinished_deployment
    ON deployment (account, region, application, blue) WHERE ended = 0;

CREATE TABLE transition (
    deployment_id TEXT    NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    revision      INTEGER NOT NULL,
    from_state    TEXT    NOT NULL,
    to_state      TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    why           TEXT    NOT NULL,
    -- What was seen, as JSON; null where nothing had been looked at.
    seen          TEXT    CHECK (seen IS NULL OR json_valid(seen)),
    PRIMARY KEY (deployment_id, revision)
) STRICT, WITHOUT ROWID;
