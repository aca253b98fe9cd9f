-- What was learnt when the road was tried from outside. Tables that lose a constraint are made anew, the only way SQLite
-- has; the runner has switched foreign keys off for it and checks every reference before it commits.

-- Accounts and servers change.
ALTER TABLE project ADD COLUMN ca TEXT NOT NULL DEFAULT '';       -- certificates (PEM) this project trusts besides the public ones
ALTER TABLE project ADD COLUMN accept_length INTEGER;             -- largest request the server takes, in bytes; NULL: not known

-- A list or manifest as it was last read. It goes with its project; addresses may hold tokens, so only a digest is kept.
DROP TABLE etag;
DELETE FROM kv WHERE key LIKE 'document.%';
CREATE TABLE document (
    project     INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    url_digest  TEXT NOT NULL,
    etag        TEXT NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (project, url_digest)
) STRICT, WITHOUT ROWID;

-- Which forms can be begun. The XML has a table of its own: a list of forms must not read through it.
CREATE TABLE form_xml (
    form        INTEGER PRIMARY KEY REFERENCES form (id) ON DELETE CASCADE,
    xml         BLOB NOT NULL
) STRICT;
INSERT INTO form_xml SELECT id, xml FROM form;
CREATE TABLE form_new (
    -- One installed version of a form; its content never changes, a new download is a new row.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project     INTEGER NOT NULL REFERENCES project (id),
    form_id     TEXT NOT NULL,
    version     TEXT NOT NULL DEFAULT '',
    hash        TEXT NOT NULL DEFAULT '',    -- as the form list gives it, compared and never computed
    title       TEXT NOT NULL,
    url         TEXT NOT NULL DEFAULT '',    -- where its XML is; below the project's own address that part is left out, and so the token
    fetched_at  INTEGER NOT NULL,
    offered     INTEGER NOT NULL DEFAULT 1,  -- 1: new records may be begun
    superseded  INTEGER NOT NULL DEFAULT 0,  -- 1: the same version was downloaded again; kept for drafts and records
    left_at     INTEGER,                     -- when the server stopped listing this version; NULL while it does
    closing     INTEGER                      -- of a form that is not listed. 1: still to be had, it takes records; 0: gone; NULL: not known
) STRICT;
INSERT INTO sqlite_sequence (name, seq) SELECT 'form_new', seq FROM sqlite_sequence WHERE name = 'form';
INSERT INTO form_new (id, project, form_id, version, hash, title, fetched_at, offered, superseded)
    SELECT id, project, form_id, version, hash, title, fetched_at, listed, superseded FROM form;
DROP TABLE form;
ALTER TABLE form_new RENAME TO form;
CREATE UNIQUE INDEX form_current ON form (project, form_id, version) WHERE superseded = 0;
CREATE TABLE form_failure (
    -- The newest version on the server's list that could not be installed, and why.
    project     INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    form_id     TEXT NOT NULL,
    version     TEXT NOT NULL,
    code        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (project, form_id)
) STRICT, WITHOUT ROWID;

-- A file with the same bytes is not downloaded again, whatever the manifest says of it.
ALTER TABLE form_file ADD COLUMN md5 TEXT NOT NULL DEFAULT '';    -- of the bytes, in lower-case hex; empty where not known
UPDATE form_file SET md5 = lower(substr(hash, 5))                 -- until now a download with another hash was refused
    WHERE role = '' AND hash LIKE 'md5:%' AND length(hash) = 36;

-- A list comes piece by piece, so that one of 200 MB is never held in memory nor keeps an answer waiting.
CREATE TABLE dataset_piece (
    id          INTEGER PRIMARY KEY,
    dataset     INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    bytes       BLOB NOT NULL
) STRICT;
INSERT INTO dataset_piece (dataset, bytes) SELECT id, bytes FROM dataset;
CREATE INDEX dataset_piece_dataset ON dataset_piece (dataset);
CREATE TABLE dataset_new (
    -- A CSV, XML or GeoJSON file of forms, byte for byte: never a readable file, because case lists name people.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256      TEXT UNIQUE                  -- NULL while it is being downloaded; such a row ends with the process
) STRICT;
INSERT INTO sqlite_sequence (name, seq) SELECT 'dataset_new', seq FROM sqlite_sequence WHERE name = 'dataset';
INSERT INTO dataset_new SELECT id, sha256 FROM dataset;
DROP TABLE dataset;
ALTER TABLE dataset_new RENAME TO dataset;

-- A draft need not have an instanceID of its own: forms exist whose rule gives another at each load, or none.
CREATE TABLE draft_new (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    form         INTEGER NOT NULL REFERENCES form (id),
    instance_id  TEXT NOT NULL,             -- as of the beginning; the frozen bytes say the last word
    name         TEXT NOT NULL DEFAULT '',
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    language     TEXT NOT NULL DEFAULT '',
    screen       TEXT NOT NULL DEFAULT '',
    seed         INTEGER NOT NULL,
    time_zone    TEXT NOT NULL,
    snapshot_seq INTEGER NOT NULL DEFAULT 0, -- the last edit that the newest snapshot contains
    engine       TEXT NOT NULL DEFAULT '',   -- version of the program that wrote that snapshot, or made the draft
    last_saved   BLOB                        -- large, so the last: what stands behind it is read through it
) STRICT;
INSERT INTO sqlite_sequence (name, seq) SELECT 'draft_new', seq FROM sqlite_sequence WHERE name = 'draft';
INSERT INTO draft_new SELECT id, form, instance_id, name, created_at, updated_at, language, screen, seed, time_zone,
                             snapshot_seq, engine, last_saved FROM draft;

-- A snapshot is an index into the journal: it saves time and takes the place of nothing. The first and the newest are kept.
CREATE TABLE draft_snapshot (
    id          INTEGER PRIMARY KEY,
    draft       INTEGER NOT NULL REFERENCES draft (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,            -- the last edit it contains
    format      INTEGER NOT NULL,            -- 1: the record as XML; 2: a state (session::State)
    engine      TEXT NOT NULL,               -- version of the program that wrote it
    state       BLOB NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (draft, seq)
) STRICT;
INSERT INTO draft_snapshot (draft, seq, format, engine, state, at)
    SELECT id, snapshot_seq, 1, engine, snapshot, updated_at FROM draft WHERE snapshot IS NOT NULL;
DROP TABLE draft;
ALTER TABLE draft_new RENAME TO draft;
CREATE INDEX draft_form ON draft (form);

-- A journal row that cannot be applied is shown, and blocks finalising until a person has looked.
ALTER TABLE draft_edit ADD COLUMN unreplayed INTEGER NOT NULL DEFAULT 0; -- 1: found when the draft was opened
ALTER TABLE draft_edit ADD COLUMN accepted_at INTEGER;            -- when a person let go of it
CREATE INDEX draft_edit_unreplayed ON draft_edit (draft) WHERE unreplayed = 1;

-- The id of a record is the one in its frozen bytes; two records may share one (a form without a rule for it).
CREATE TABLE submission_new (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    project         INTEGER NOT NULL REFERENCES project (id),
    form            INTEGER REFERENCES form (id) ON DELETE SET NULL,
    instance_id     TEXT NOT NULL,
    form_id         TEXT NOT NULL,
    version         TEXT NOT NULL DEFAULT '',
    title           TEXT NOT NULL,
    name            TEXT NOT NULL DEFAULT '',
    finalized_at    INTEGER NOT NULL,
    state           TEXT NOT NULL DEFAULT 'ready'
                    CHECK (state IN ('ready', 'sending', 'waiting', 'sent', 'needs_attention')),
    reason          TEXT NOT NULL DEFAULT '',
    reason_text     TEXT NOT NULL DEFAULT '',
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    sent_at         INTEGER,
    claim           INTEGER NOT NULL DEFAULT 0, -- counts the sendings begun; each writes under its own number only
    answers_at      INTEGER,                    -- when the XML arrived; files of the record may still be missing there
    failing_count   INTEGER NOT NULL DEFAULT 0, -- failures in a row that are the server's own, or a web page's
    failing_since   INTEGER,                    -- when the first of them came
    xml_size        INTEGER NOT NULL DEFAULT 0, -- kept by a trigger
    xml             BLOB NOT NULL               -- large, so the last: what stands behind it is read through it
) STRICT;
INSERT INTO sqlite_sequence (name, seq) SELECT 'submission_new', seq FROM sqlite_sequence WHERE name = 'submission';
INSERT INTO submission_new (id, project, form, instance_id, form_id, version, title, name, xml, finalized_at, state, reason,
                            reason_text, attempts, next_attempt_at, sent_at, xml_size)
    SELECT id, project, form, instance_id, form_id, version, title, name, xml, finalized_at, state, reason, reason_text,
           attempts, next_attempt_at, sent_at, length(xml) FROM submission;
-- One file held back the whole record; now it is left out, and the rest goes.
UPDATE submission_new SET state = 'ready', reason = '', reason_text = '', attempts = 0
    WHERE state = 'needs_attention' AND reason IN ('too-large', 'attachment-unreadable');
DROP TABLE submission;
ALTER TABLE submission_new RENAME TO submission;
CREATE INDEX submission_project ON submission (project, finalized_at);
CREATE INDEX submission_form ON submission (form);
-- Holds all that a list says, so that a list reads no row: ten thousand rows are ten thousand pages.
CREATE INDEX submission_list ON submission (finalized_at, id, project, form, instance_id, form_id, version, title, name, state,
    reason, reason_text, attempts, next_attempt_at, sent_at, claim, answers_at, failing_count, failing_since, xml_size);
CREATE TRIGGER submission_size AFTER INSERT ON submission BEGIN
    UPDATE submission SET xml_size = length(NEW.xml) WHERE id = NEW.id;
END;
CREATE INDEX submission_instance ON submission (instance_id);
CREATE INDEX submission_unsent ON submission (project, state) WHERE state <> 'sent';

-- What stays of a record that was sent and forgotten: that it arrived, and when. No answer, no name.
CREATE TABLE receipt (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    project      INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    instance_id  TEXT NOT NULL,
    form_id      TEXT NOT NULL,
    version      TEXT NOT NULL,
    xml_sha256   TEXT NOT NULL DEFAULT '',  -- of the frozen bytes, so that another record under the same id is told apart; empty: not known
    finalized_at INTEGER NOT NULL,
    sent_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX receipt_project ON receipt (project);
CREATE INDEX receipt_instance ON receipt (instance_id);

-- A file that cannot be sent never holds back the others: what is wrong with it stands on it.
ALTER TABLE attachment ADD COLUMN problem TEXT NOT NULL DEFAULT '';  -- a code; empty: none
CREATE INDEX attachment_size ON attachment (submission, size) WHERE submission IS NOT NULL; -- what a list sums up

-- A file is deleted only when a row here says that it is dead; one that no row names at all is kept for a while. The
-- triggers say so in the transaction that lets the file go, whichever call that is. Names are paths within the home.
CREATE TABLE dead_file (
    file        TEXT NOT NULL PRIMARY KEY    -- taken away once the file is unlinked
) STRICT, WITHOUT ROWID;
CREATE TRIGGER attachment_gone AFTER DELETE ON attachment BEGIN
    INSERT OR IGNORE INTO dead_file (file) VALUES ('files/' || OLD.file);
END;
CREATE TRIGGER form_file_gone AFTER DELETE ON form_file
WHEN OLD.dataset IS NULL AND NOT EXISTS (SELECT 1 FROM form_file WHERE sha256 = OLD.sha256 AND dataset IS NULL) BEGIN
    INSERT OR IGNORE INTO dead_file (file) VALUES ('media/' || OLD.sha256);
END;
CREATE TRIGGER form_file_came AFTER INSERT ON form_file WHEN NEW.dataset IS NULL BEGIN
    DELETE FROM dead_file WHERE file = 'media/' || NEW.sha256;
END;
CREATE INDEX form_file_sha256 ON form_file (sha256);
CREATE TABLE stray_file (
    file        TEXT NOT NULL PRIMARY KEY,
    seen_at     INTEGER NOT NULL             -- when housekeeping first found it without a row
) STRICT, WITHOUT ROWID;
