//! What comes in from a shell besides touches.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use veldwerk::client::Network;

/// The device, as it is now.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "UiDevice"))]
pub struct Device {
    /// The languages of the system, the preferred one first, as BCP 47 tags.
    pub locales: Vec<String>,
    /// Its time zone.
    pub zone: TimeZone,
    /// Whether it can scan a code.
    pub has_camera: bool,
    /// Its network.
    pub network: Network,
}

/// Something that happened.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiEvent"))]
pub enum Event {
    /// The app is in front.
    Foreground,
    /// It is not any more: what was typed is written.
    Background,
    /// The system's own "back".
    SystemBack,
    /// Time has passed: the moment that `wake_at` asked for, or later.
    Tick,
    /// The device is another than before: language, zone, network.
    Device(Device),
    /// A link to a study was opened. It fills in the code and never joins by itself.
    Link(String),
    /// What came of an [`Effect::Ask`](crate::Effect::Ask).
    Answered {
        /// Its id.
        id: u64,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What came of asking the device or the person for something. Its `Debug` tells nothing that was scanned.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum), uniffi(name = "UiOutcome"))]
pub enum Outcome {
    /// A file, which stays where it is.
    File(PathBuf),
    /// The text of a code.
    Code(String),
    /// The person or the system does not allow it.
    Refused {
        /// Whether only the system's settings can change that.
        forever: bool,
    },
    /// The person did not want to after all.
    Cancelled,
    /// It did not work.
    Failed,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Code(_) => "Code",
            Self::Refused { forever: false } => "Refused",
            Self::Refused { forever: true } => "Refused forever",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
        })
    }
}
