//! What a project is told beside its address and its account: JSON in `project.settings`.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::openrosa::settings_qr::{Autosend, ConstraintBehavior, FormUpdateMode, Metadata, Mode};

/// The settings of a project. What is absent, or of a kind that this version does not know, has its default; what a later
/// version has added is kept as it is. Its `Debug` tells nothing of the person.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectSettings {
    /// Who holds the device; `None`: nobody has said.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// A sign or two that stand for the project; empty for none.
    #[serde(deserialize_with = "or_default")]
    pub icon: String,
    /// Its colour, `#rrggbb`; empty for none.
    #[serde(deserialize_with = "or_default")]
    pub color: String,
    /// What forms are told of the person.
    #[serde(deserialize_with = "or_default")]
    pub metadata: Metadata,
    /// When forms are looked for; the shell carries it out.
    #[serde(deserialize_with = "or_default")]
    pub form_update_mode: FormUpdateMode,
    /// When finished records go by themselves; the shell, which knows the network, carries it out.
    #[serde(deserialize_with = "or_default")]
    pub autosend: Autosend,
    /// When a violated constraint stops the person; the shell carries it out.
    #[serde(deserialize_with = "or_default")]
    pub constraint_behavior: ConstraintBehavior,
    /// When sent records are forgotten.
    #[serde(deserialize_with = "or_default")]
    pub forget_sent: ForgetSent,
    /// Whether requests tell the server the id of this device (`?deviceID=`).
    #[serde(deserialize_with = "or_default")]
    pub device_id: bool,
    /// Servers besides the project's own that a form may name as the place of its records: `scheme://host`, with the port
    /// where it is not the scheme's own.
    #[serde(deserialize_with = "or_default")]
    pub allowed_hosts: Vec<String>,
    /// What a later version has added.
    #[serde(flatten)]
    pub later: Map<String, Value>,
}

/// When a sent record leaves the device. Its receipt stays longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgetSent {
    /// When a person says so.
    #[default]
    Never,
    /// As soon as it was sent.
    AtOnce,
    /// So many days later.
    AfterDays(u32),
}

impl ProjectSettings {
    /// The settings in a column; a text that holds none is as good as an empty one.
    #[must_use]
    pub fn from_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// The settings as a column keeps them.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl fmt::Debug for ProjectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectSettings")
            .field("mode", &self.mode)
            .field("autosend", &self.autosend)
            .finish_non_exhaustive()
    }
}

/// A value of a kind that this version knows, else the default.
fn or_default<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_version_has_written_survives() {
        let later =
            r#"{"autosend":"by_satellite","forget_sent":{"after_days":7},"device_id":true,"of_tomorrow":{"a":[1]}}"#;
        let mut settings = ProjectSettings::from_json(later);
        assert_eq!((settings.autosend, settings.forget_sent), (Autosend::Off, ForgetSent::AfterDays(7)));
        settings.allowed_hosts.push("https://o.test".into());
        settings.mode = Some(Mode::Newcomer);
        let again = ProjectSettings::from_json(&settings.to_json());
        assert_eq!(again, settings);
        assert!(settings.to_json().contains(r#""of_tomorrow":{"a":[1]}"#));
    }

    #[test]
    fn every_home_of_before_opens_with_the_defaults() {
        for json in ["{}", "", "[]", "null", r#"{"a":1}"#, r#"{"autosend":7,"metadata":"x","allowed_hosts":{}}"#] {
            let settings = ProjectSettings { later: Map::new(), ..ProjectSettings::from_json(json) };
            assert_eq!(settings, ProjectSettings::default(), "{json}");
        }
    }

    #[test]
    fn debug_tells_nothing_of_the_person() {
        let metadata = Metadata { username: "ana".into(), phonenumber: "+31".into(), email: "a@h.test".into() };
        let shown = format!("{:?}", ProjectSettings { metadata: metadata.clone(), ..ProjectSettings::default() });
        assert!(!format!("{shown}{metadata:?}").contains(['@', '+']) && !shown.contains("ana"), "{shown}");
    }
}
