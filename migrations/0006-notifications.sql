-- The messages to the receivers that a plan names: written in the transaction of the checkpoint
-- that they tell of, and delivered at least once afterwards.
CREATE TABLE notification (
    -- The order in which the messages of a deployment are delivered to a receiver.
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id TEXT    NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    -- The same for every attempt, and for every receiver.
    event_id      TEXT    NOT NULL,
    -- The place of the receiver among those of the plan, from 0.
    receiver      INTEGER NOT NULL,
    notification  TEXT    NOT NULL CHECK (json_valid(notification)),
    attempts      INTEGER NOT NULL DEFAULT 0,
    -- How many attempts the receiver itself has refused.
    refusals      INTEGER NOT NULL DEFAULT 0,
    -- When the next attempt is due, by this machine's clock.
    due_at        INTEGER NOT NULL DEFAULT 0,
    delivered_at  INTEGER,
    -- When bluegreen stopped trying.
    given_up_at   INTEGER,
    UNIQUE (deployment_id, event_id, receiver)
) STRICT;

CREATE INDEX undelivered_notification ON notification (deployment_id, receiver, number)
    WHERE delivered_at IS NULL AND given_up_at IS NULL;

-- The message of a deployment at a receiver that updates it in place.
CREATE TABLE card (
    deployment_id TEXT    NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    receiver      INTEGER NOT NULL,
    -- What the receiver calls it.
    reference     TEXT    NOT NULL,
    PRIMARY KEY (deployment_id, receiver)
) STRICT, WITHOUT ROWID;
