//! One file per screen: what it shows.

pub(crate) mod done;
pub(crate) mod home;
pub(crate) mod join;
pub(crate) mod language;
pub(crate) mod overview;
pub(crate) mod question;
pub(crate) mod review;
pub(crate) mod settings;
pub(crate) mod sheets;
