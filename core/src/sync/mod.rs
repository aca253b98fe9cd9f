//! Between this device and a server: forms come in, records go out.
//!
//! What happens is decided by pure code, [`machine`] for records and [`retry`] for what a reply means; `tokio` and `reqwest`
//! only carry it out. From top to bottom: [`runner`] and [`forms`] drive, over [`exchange`] (one project's requests, with its
//! account), over [`transport`] (one HTTP exchange), which [`http`] implements. Where forms and records are kept, the
//! [`SyncStore`] knows; it is asked in short blocking calls and never held while the network is slow.
//!
//! Addresses hold tokens, so no error, log or `Debug` of this module shows more of one than its host.

mod download;
pub mod exchange;
pub mod forms;
pub mod http;
pub mod machine;
pub mod policy;
pub mod progress;
mod project;
mod reply;
pub mod retry;
pub mod runner;
mod store;
pub mod tls;
pub mod transport;
mod turn;

pub use forms::{FormOutcome, Outcome, RefreshReport};
pub use machine::{FileProblem, Queued, RecordId, State};
pub use policy::SyncPolicy;
pub use progress::{Cancel, Nudge, Nudges, OnProgress, Progress, Step};
pub use project::{Destination, Project};
pub use retry::{Failing, Reason};
pub use runner::{SendReport, SyncJob, Until};
pub use store::{
    Attempt, Claim, ClaimNumber, FileContent, InstalledFile, InstalledForm, NewFile, NewForm, Outgoing,
    OutgoingAttachment, Prover, Remembered, Settlement, SyncStore,
};
pub use turn::{Turn, TurnGuard};
