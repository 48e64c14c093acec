-- Tells this journal from every other: the holder of a lease names it.
CREATE TABLE journal (id TEXT NOT NULL) STRICT;

-- SHA-256 of the checkpoint, in hexadecimal: SQLite does not notice a flipped bit.
ALTER TABLE deployment ADD COLUMN checksum TEXT;
