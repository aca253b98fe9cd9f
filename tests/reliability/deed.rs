//! What a worker says of what it does: a line before each deed, a line after the call has returned.

use serde::{Deserialize, Serialize};

/// A line on the worker's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    /// It begins; nothing is promised yet.
    Begun(Deed),
    /// The call has returned: what it did must be there from now on.
    Ended(Outcome),
}

/// One thing that a person does with the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// Opens the home, or makes it.
    Open,
    /// Adds the project at an address.
    AddProject { url: String },
    /// Brings the forms of a project up to date.
    Refresh { project: i64 },
    /// Begins a draft.
    Start { project: i64, form_id: String },
    /// Lets go of a draft and opens it again.
    Reopen { draft: i64 },
    /// Answers a question with a text.
    Answer { draft: i64, node: String, text: String },
    /// Answers a question with a file of these bytes.
    Attach { draft: i64, node: String, file: File },
    /// Appends an instance of the repeat, which becomes number `n`.
    AddMember { draft: i64, n: usize },
    /// Removes the last instance, number `n`.
    RemoveMember { draft: i64, n: usize },
    /// Goes to another screen.
    Move { draft: i64, node: String },
    /// Saves: a snapshot, and last-saved.
    Save { draft: i64 },
    /// Finalises.
    Finalize { draft: i64 },
    /// Deletes a draft.
    DeleteDraft { draft: i64 },
    /// Sends the outbox of a project; `at_once` so many senders.
    Send { project: i64, at_once: usize },
    /// Begins to send and cancels.
    SendCancelled { project: i64 },
    /// Exports the unsent records of a project.
    Export { project: i64, folder: String },
    /// Imports a folder of records, which the ledger knows by its name.
    Import { project: i64, folder: String },
    /// Forgets the sent records of a project.
    Forget { project: i64 },
    /// Gives up a record that is not sent, after an export to a folder if one is named.
    Discard { record: i64, folder: Option<String> },
    /// Lets the records of a project be tried again.
    Retry { project: i64 },
    /// Removes a project with all that is in it.
    RemoveProject { project: i64 },
    /// Lets go of the database and opens it again.
    Pause,
}

/// A file, by what its bytes follow from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) seed: u64,
    pub(crate) size: u64,
}

/// What came of a deed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// The project's row.
    Project { id: i64 },
    /// The draft's row.
    Draft { id: i64 },
    /// The name that the file got.
    Attached { name: String },
    /// The record's row and its frozen bytes.
    Finalized { record: i64, xml: String },
    /// How many records are gone.
    Gone { records: usize },
    /// The records that the call said were sent, and those that it left in the state `sending`.
    Sent { sent: Vec<i64>, stuck: Vec<i64> },
    /// It was refused for a reason that is no fault: nothing has changed.
    Refused,
    /// It failed for a reason that nobody expected: a code, nothing personal.
    Failed { code: String },
}
