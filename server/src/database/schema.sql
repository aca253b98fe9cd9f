BEGIN;
CREATE TABLE project (
    id INTEGER PRIMARY KEY CHECK (id = 1), -- there is one
    token_hash BLOB NOT NULL,              -- SHA-256; the token itself is kept nowhere
    created_at INTEGER NOT NULL            -- milliseconds since 1970, UTC, as every time here
) STRICT;
CREATE TABLE form (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    form_id TEXT NOT NULL,
    version TEXT NOT NULL,          -- '' for none
    title TEXT NOT NULL,
    xml BLOB NOT NULL,
    md5 TEXT NOT NULL,
    attachment_paths TEXT NOT NULL, -- paths of questions whose answer names a file, one a line
    has_manifest INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    published_at INTEGER NOT NULL,  -- the newest of a form_id is the current version; never equal within a form_id
    UNIQUE (form_id, version)
) STRICT;
CREATE TABLE form_file (
    form INTEGER NOT NULL REFERENCES form (id),
    name TEXT NOT NULL,
    md5 TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (form, name)
) STRICT;
CREATE TABLE record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    form INTEGER NOT NULL REFERENCES form (id), -- the version it was filled in on
    form_id TEXT NOT NULL,                      -- an instanceID is unique within a form, not within a version
    instance_id TEXT NOT NULL,
    name TEXT NOT NULL,                         -- meta/instanceName or ''
    received_at INTEGER NOT NULL,
    xml BLOB NOT NULL,                          -- the bytes as they came
    UNIQUE (form_id, instance_id)
) STRICT;
CREATE INDEX record_form ON record (form);
CREATE TABLE attachment (
    record INTEGER NOT NULL REFERENCES record (id),
    name TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (record, name)
) STRICT;
PRAGMA user_version = 1;
COMMIT;
