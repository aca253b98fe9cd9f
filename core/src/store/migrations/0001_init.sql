CREATE TABLE project (
    -- A server address with its account.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    url_prefix  TEXT NOT NULL,              -- `{}` stands where the token goes
    auth        TEXT NOT NULL CHECK (auth IN ('none', 'token', 'basic')),
    user        TEXT NOT NULL DEFAULT '',   -- of `basic`
    secret      TEXT NOT NULL DEFAULT '',   -- the password of `basic`, the token of `token`
    settings    TEXT NOT NULL DEFAULT '{}'  -- JSON
) STRICT;

CREATE TABLE etag (
    -- What a server said about a list or manifest when it was last used in full. A URL may hold a token: it is a secret.
    project     INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    url         TEXT NOT NULL,
    etag        TEXT NOT NULL,
    PRIMARY KEY (project, url)
) STRICT, WITHOUT ROWID;

CREATE TABLE form (
    -- One installed version of a form; it never changes, a new download is a new row.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project     INTEGER NOT NULL REFERENCES project (id),
    form_id     TEXT NOT NULL,
    version     TEXT NOT NULL DEFAULT '',
    hash        TEXT NOT NULL DEFAULT '',   -- as the form list gives it, compared and never computed
    title       TEXT NOT NULL,
    xml         BLOB NOT NULL,
    fetched_at  INTEGER NOT NULL,
    listed      INTEGER NOT NULL DEFAULT 1, -- 0: gone from the server's list, kept for the drafts and records that use it
    superseded  INTEGER NOT NULL DEFAULT 0  -- 1: the same version was downloaded again; kept for drafts and records
) STRICT;
CREATE UNIQUE INDEX form_current ON form (project, form_id, version) WHERE superseded = 0;

CREATE TABLE dataset (
    -- A CSV, XML or GeoJSON file of forms, byte for byte: never a readable file, because case lists name people.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256      TEXT NOT NULL UNIQUE,
    bytes       BLOB NOT NULL
) STRICT;

CREATE TABLE form_file (
    -- A file of a form version under the name the form calls it by.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    form        INTEGER NOT NULL REFERENCES form (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL DEFAULT '',   -- `type` of the manifest: '', 'entityList', 'approvalEntityList'
    hash        TEXT NOT NULL DEFAULT '',   -- as the manifest gives it
    etag        TEXT NOT NULL DEFAULT '',   -- as the file's own response gave it
    sha256      TEXT NOT NULL,              -- of the bytes
    size        INTEGER NOT NULL,
    dataset     INTEGER REFERENCES dataset (id), -- NULL: picture, sound or video, readable at media/<sha256>
    UNIQUE (form, name)
) STRICT;
CREATE INDEX form_file_dataset ON form_file (dataset);
CREATE INDEX form_file_hash ON form_file (hash);

CREATE TABLE draft (
    -- A record being filled. State = snapshot + the edits after it, replayed.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    form         INTEGER NOT NULL REFERENCES form (id),
    instance_id  TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL DEFAULT '',  -- instanceName as of the snapshot
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,          -- of creation or snapshot; a later edit's `at` counts more
    language     TEXT NOT NULL DEFAULT '',
    screen       TEXT NOT NULL DEFAULT '',  -- as of the snapshot; a later `move` counts more
    seed         INTEGER NOT NULL,          -- 64 bits, of every random number of this draft
    time_zone    TEXT NOT NULL,             -- IANA name
    last_saved   BLOB,                      -- last-saved of the form when the draft was begun; a later one is another's
    snapshot     BLOB,
    snapshot_seq INTEGER NOT NULL DEFAULT 0, -- the last edit contained in the snapshot
    engine       TEXT NOT NULL DEFAULT ''   -- version of the program that wrote the snapshot, or made the draft
) STRICT;
CREATE INDEX draft_form ON draft (form);

CREATE TABLE draft_edit (
    -- The journal: what happened, append only; every row its own commit.
    draft       INTEGER NOT NULL REFERENCES draft (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    op          TEXT NOT NULL,
    node        TEXT NOT NULL,
    value       TEXT,
    at          INTEGER NOT NULL,
    PRIMARY KEY (draft, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE submission (
    -- A finalised record; its bytes are frozen.
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    project         INTEGER NOT NULL REFERENCES project (id),
    form            INTEGER REFERENCES form (id) ON DELETE SET NULL, -- NULL: imported, or the form went
    instance_id     TEXT NOT NULL UNIQUE,
    form_id         TEXT NOT NULL,
    version         TEXT NOT NULL DEFAULT '',
    title           TEXT NOT NULL,             -- of the form
    name            TEXT NOT NULL DEFAULT '',  -- instanceName
    xml             BLOB NOT NULL,
    finalized_at    INTEGER NOT NULL,
    state           TEXT NOT NULL DEFAULT 'ready'
                    CHECK (state IN ('ready', 'sending', 'waiting', 'sent', 'needs_attention')),
    reason          TEXT NOT NULL DEFAULT '',  -- code, of `waiting` and `needs_attention`
    reason_text     TEXT NOT NULL DEFAULT '',  -- the same in words
    attempts        INTEGER NOT NULL DEFAULT 0, -- counted before sending
    next_attempt_at INTEGER,                   -- of `waiting`
    sent_at         INTEGER                    -- of `sent`
) STRICT;
CREATE INDEX submission_project ON submission (project);
CREATE INDEX submission_form ON submission (form);

CREATE TABLE attachment (
    -- A file of a draft or of a record, sealed in files/<file>. Without its key it is noise: deleting the row erases it.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    draft       INTEGER REFERENCES draft (id),
    submission  INTEGER REFERENCES submission (id),
    name        TEXT NOT NULL,             -- as the answer names it
    file        TEXT NOT NULL UNIQUE,      -- 128 random bits in hex
    key         BLOB NOT NULL,             -- 32 random bytes, of this file alone
    size        INTEGER NOT NULL,          -- of the plain bytes
    sha256      TEXT NOT NULL,             -- of the plain bytes
    sent_at     INTEGER,                   -- when the server acknowledged it
    CHECK ((draft IS NULL) <> (submission IS NULL))
) STRICT;
CREATE UNIQUE INDEX attachment_draft ON attachment (draft, name) WHERE draft IS NOT NULL;
CREATE UNIQUE INDEX attachment_submission ON attachment (submission, name) WHERE submission IS NOT NULL;

CREATE TABLE last_saved (
    -- The newest draft or record of a form, as XML: what `last-saved` answers come from.
    project     INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    form_id     TEXT NOT NULL,
    xml         BLOB NOT NULL,
    saved_at    INTEGER NOT NULL,
    PRIMARY KEY (project, form_id)
) STRICT;

CREATE TABLE attempt (
    -- The latest tries to send, for support; the oldest rows make room.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    submission  INTEGER NOT NULL REFERENCES submission (id) ON DELETE CASCADE,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    http_status INTEGER,
    note        TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempt_submission ON attempt (submission);

CREATE TABLE kv (
    -- Small settings of the home.
    key         TEXT NOT NULL PRIMARY KEY,
    value       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
