//! How the core's own types in views, actions and events cross the border; the rest is derived where it stands.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use veldwerk::client::{DraftId, Network};
use veldwerk::ids::NodeId;
use veldwerk::openrosa::settings_qr::Mode;
use veldwerk::session::Medium;
use veldwerk::store::FormKey;

uniffi::custom_type!(NodeId, u32, { remote, lower: |node| node.0, try_lift: |number| Ok(NodeId(number)) });
uniffi::custom_type!(DraftId, i64, { remote, lower: |draft| draft.0, try_lift: |number| Ok(DraftId(number)) });
uniffi::custom_type!(FormKey, i64, { remote, lower: |form| form.0, try_lift: |number| Ok(FormKey(number)) });
uniffi::custom_type!(PathBuf, String, {
    remote,
    lower: |path| path.to_string_lossy().into_owned(),
    try_lift: |path| Ok(PathBuf::from(path)),
});
// By its IANA name.
uniffi::custom_type!(TimeZone, String, {
    remote,
    lower: |zone| zone.iana_name().unwrap_or("UTC").to_owned(),
    try_lift: |name| Ok(TimeZone::get(&name)?),
});

/// Who answers.
#[uniffi::remote(Enum)]
#[uniffi(name = "UiMode")]
pub enum Mode {
    Newcomer,
    Interviewer,
}

/// What network the device has.
#[uniffi::remote(Enum)]
#[uniffi(name = "UiNetwork")]
pub enum Network {
    None,
    Metered,
    Unmetered,
}

/// What a file shows.
#[uniffi::remote(Enum)]
#[uniffi(name = "UiMedium")]
pub enum Medium {
    Image,
    Audio,
    Video,
    File,
}
