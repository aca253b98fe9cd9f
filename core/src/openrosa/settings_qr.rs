//! The settings code that ODK servers show as a QR picture (openrosa.md §9): JSON, compressed, in base64.

use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;
use std::io::Read;

/// Largest settings that are read, in bytes after decompression; real ones have a few hundred.
const MAX_SIZE: u64 = 1 << 20;

/// What a settings code says, as far as this program follows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Address of the server, with the token of an app user inside it: a secret.
    pub server_url: String,
    /// Name of the account, where the address holds no token.
    pub username: Option<String>,
    /// Its password: a secret.
    pub password: Option<String>,
    /// When forms are looked for.
    pub form_update_mode: FormUpdateMode,
    /// When finished records go by themselves.
    pub autosend: Autosend,
    /// Whether finished records are forgotten as soon as they were sent.
    pub delete_send: bool,
    /// When a violated constraint stops the person.
    pub constraint_behavior: ConstraintBehavior,
    /// What forms are told of the person who asks the questions.
    pub metadata: Metadata,
    /// Who holds the device. Our own word in the code; other programs ignore it.
    pub mode: Option<Mode>,
    /// What the project is called on the device.
    pub project_name: Option<String>,
    /// A sign or two that stand for it.
    pub project_icon: Option<String>,
    /// Its colour, `#rrggbb`.
    pub project_color: Option<String>,
    /// The keys of the code that change nothing here: not known, not followed, or of a value that is not known. Not written.
    pub unused: Vec<String>,
}

/// What forms may ask of the person who holds the device; empty texts say nothing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// `metadata_username`.
    pub username: String,
    /// `metadata_phonenumber`.
    pub phonenumber: String,
    /// `metadata_email`.
    pub email: String,
}

/// When the device looks for forms and what it does with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormUpdateMode {
    /// When the person asks.
    #[default]
    Manual,
    /// Looks for new versions of the forms that are there.
    PreviouslyDownloaded,
    /// Keeps the forms equal to the server's list.
    MatchExactly,
}

/// Over which networks finished records go without being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Autosend {
    /// Never.
    #[default]
    Off,
    /// Over wifi.
    WifiOnly,
    /// Over the mobile network.
    CellularOnly,
    /// Over both.
    WifiAndCellular,
}

/// When a violated constraint stops the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintBehavior {
    /// At the next question.
    #[default]
    OnSwipe,
    /// Only at the end.
    OnFinalize,
}

/// Who holds the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The person who answers, on a device of their own.
    Newcomer,
    /// Someone who asks others.
    Interviewer,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("form_update_mode", &self.form_update_mode).finish_non_exhaustive()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metadata { .. }")
    }
}

/// Reads the text of a settings code. Blanks, missing padding, the URL alphabet of base64 and bare JSON are accepted.
///
/// # Errors
/// [`ErrorKind::BadSettingsCode`], with a detail that holds nothing of the code.
pub fn decode(text: &str) -> Result<Settings> {
    let text: String = text.trim().to_owned();
    let json = if text.starts_with('{') { text.into_bytes() } else { inflate(&from_base64(&text)?)? };
    let code: Value = serde_json::from_slice(&json).map_err(|_| bad("not JSON"))?;
    let mut general = Section::of(&code, "general").ok_or_else(|| bad("no general section"))?;
    let admin = Section::of(&code, "admin").ok_or_else(|| bad("no admin section"))?;
    let mut project = Section::of(&code, "project").unwrap_or_default();
    let mut own = Section::of(&code, "veldwerk").unwrap_or_default();
    general.text_if("protocol", |protocol| protocol == "odk_default");
    if general.text_if("protocol", |protocol| protocol == "google_sheets").is_some() {
        return Err(bad("the protocol google_sheets no longer exists"));
    }
    let mut settings = Settings {
        server_url: general.text("server_url").ok_or_else(|| bad("no server address"))?,
        username: general.text("username"),
        password: general.text("password"),
        form_update_mode: general.value("form_update_mode").unwrap_or_default(),
        autosend: general.value("autosend").unwrap_or_default(),
        delete_send: general.value("delete_send").unwrap_or_default(),
        constraint_behavior: general.value("constraint_behavior").unwrap_or_default(),
        metadata: Metadata {
            username: general.text("metadata_username").unwrap_or_default(),
            phonenumber: general.text("metadata_phonenumber").unwrap_or_default(),
            email: general.text("metadata_email").unwrap_or_default(),
        },
        mode: own.value("mode"),
        project_name: project.text("name"),
        project_icon: project.text("icon"),
        project_color: project.text_if("color", is_color),
        unused: Vec::new(),
    };
    settings.unused = [general, admin, project, own].iter().flat_map(Section::unused).collect();
    Ok(settings)
}

/// Writes the text of a settings code. The password goes in only if it is in `settings`: whoever encodes decides.
///
/// # Errors
/// [`ErrorKind::Internal`] if compression fails, which it does not in memory.
pub fn encode(settings: &Settings) -> Result<String> {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let general = json!({
        "server_url": settings.server_url,
        "username": settings.username,
        "password": settings.password,
        "form_update_mode": settings.form_update_mode,
        "autosend": settings.autosend,
        "delete_send": settings.delete_send.then_some(true),
        "constraint_behavior": settings.constraint_behavior,
        "metadata_username": some(&settings.metadata.username),
        "metadata_phonenumber": some(&settings.metadata.phonenumber),
        "metadata_email": some(&settings.metadata.email),
    });
    let project = json!({
        "name": settings.project_name,
        "icon": settings.project_icon,
        "color": settings.project_color,
    });
    let own = settings.mode.map(|mode| json!({ "mode": mode }));
    let code = json!({ "general": said(general), "admin": {}, "project": said(project), "veldwerk": own });
    let mut compressed = Vec::new();
    ZlibEncoder::new(said(code).to_string().as_bytes(), Compression::best())
        .read_to_end(&mut compressed)
        .map_err(|error| Error::new(ErrorKind::Internal, "settings code").caused_by(error))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(compressed))
}

/// One object of the code, and which of its keys were of use.
#[derive(Default)]
struct Section {
    values: Map<String, Value>,
    used: Vec<&'static str>,
}

impl Section {
    fn of(code: &Value, name: &str) -> Option<Self> {
        Some(Self { values: code.get(name)?.as_object()?.clone(), used: Vec::new() })
    }

    /// A text that says something, without what would move a cursor.
    fn text(&mut self, key: &'static str) -> Option<String> {
        self.text_if(key, |_| true)
    }

    fn text_if(&mut self, key: &'static str, is_usable: impl Fn(&str) -> bool) -> Option<String> {
        let text: String = self.values.get(key)?.as_str()?.chars().filter(|sign| !sign.is_control()).collect();
        let text = Some(text.trim()).filter(|text| !text.is_empty() && is_usable(text))?;
        self.used.push(key);
        Some(text.to_owned())
    }

    /// A value of the kind wanted; of another kind it is as if it were absent.
    fn value<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let value = serde_json::from_value(self.values.get(key)?.clone()).ok()?;
        self.used.push(key);
        Some(value)
    }

    /// The keys that were of no use, as far as they say something.
    fn unused(&self) -> impl Iterator<Item = String> {
        let says_something = |value: &Value| !(value.is_null() || value.as_str() == Some(""));
        let unused = self.values.iter().filter(move |(_, value)| says_something(value)).map(|(key, _)| key);
        unused.filter(|key| !self.used.contains(&key.as_str())).map(|key| plain_key(key))
    }
}

/// A key may be anything; one that is no key is not repeated.
fn plain_key(key: &str) -> String {
    const LONGEST: usize = 48;
    let is_plain = key.len() <= LONGEST && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { key.to_owned() } else { "…".to_owned() }
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    let plain: String = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| match character {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(plain).map_err(|_| bad("not base64"))
}

fn inflate(compressed: &[u8]) -> Result<Vec<u8>> {
    let mut json = Vec::new();
    ZlibDecoder::new(compressed)
        .take(MAX_SIZE + 1)
        .read_to_end(&mut json)
        .map_err(|_| bad("not compressed with zlib"))?;
    if json.len() as u64 > MAX_SIZE { Err(bad("too large")) } else { Ok(json) }
}

/// The keys of `section` that have a value: a key left out means the default.
fn said(mut section: Value) -> Value {
    if let Some(section) = section.as_object_mut() {
        section.retain(|_, value| !value.is_null());
    }
    section
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::BadSettingsCode, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's zlib and base64, as a server makes it.
    const CENTRAL: &str = "eJwtjs0NwjAMRldB5ooIFSc6BxLHyEpcWpqfKnEKVdUlWIAj6zECuOL47OfP3wxXCpTQQb2ZIVMaKemSBKFlHnKtVLtnyqzGSvU0qfOhp6CGFG9kOKsKdhtoYvK6DBaZtI+W5Nojm1bTAw27SSQsHDMFK8t713Qag9WGnCsOEyxiWN8FKSLw/7D2CujXzMvPzpLVmSgifF7Pt7CJLiYZbI90aoyBZfkC2V9I/g==";

    fn settings() -> Settings {
        Settings {
            server_url: "https://h.test/v1/key/T0ken/projects/1".into(),
            form_update_mode: FormUpdateMode::MatchExactly,
            autosend: Autosend::WifiAndCellular,
            project_name: Some("Wells".into()),
            project_icon: Some("💧".into()),
            project_color: Some("#3e9fcc".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn the_code_of_a_server_is_read() {
        assert_eq!(decode(CENTRAL).unwrap(), settings());
    }

    #[test]
    fn what_is_written_is_read() {
        let with_account = Settings { username: Some("ana".into()), password: Some("p\"w".into()), ..settings() };
        let at_the_end = Settings { constraint_behavior: ConstraintBehavior::OnFinalize, ..settings() };
        let of_a_newcomer = Settings { mode: Some(Mode::Newcomer), delete_send: true, ..settings() };
        let metadata = Metadata { username: "Ana".into(), phonenumber: "+31".into(), email: "ana@h.test".into() };
        let of_ana = Settings { metadata, ..settings() };
        for settings in [settings(), with_account, at_the_end, of_a_newcomer, of_ana] {
            let text = encode(&settings).unwrap();
            assert!(!text.contains(['\n', '\r']));
            assert_eq!(decode(&text).unwrap(), settings);
        }
    }

    #[test]
    fn a_carelessly_copied_code_is_read() {
        let broken_lines =
            CENTRAL.as_bytes().chunks(20).map(|line| String::from_utf8_lossy(line) + "\r\n").collect::<String>();
        let url_alphabet = CENTRAL.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned();
        for text in [format!("  {CENTRAL}\n"), broken_lines, url_alphabet] {
            assert_eq!(decode(&text).unwrap(), settings());
        }
    }

    #[test]
    fn what_a_code_says_in_vain_is_named() {
        let text = r#"{"general":{"server_url":"https://h.test","protocol":"odk_default","autosend":"sometimes",
                                  "form_update_mode":7,"delete_send":"yes","font_size":"21","password":"","app_language":null,
                                  "metadata_email":"ana@h.test","\u001b[31m red":1},
                       "admin":{"edit_saved":false},"project":{"color":"green","icon":"💧"},"veldwerk":{"mode":"owner"},"more":1}"#;
        let expected = Settings {
            server_url: "https://h.test".into(),
            project_icon: Some("💧".into()),
            metadata: Metadata { email: "ana@h.test".into(), ..Metadata::default() },
            unused: ["…", "autosend", "delete_send", "font_size", "form_update_mode", "edit_saved", "color", "mode"]
                .map(str::to_owned)
                .into(),
            ..Settings::default()
        };
        assert_eq!(decode(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let bomb = {
            let mut compressed = Vec::new();
            ZlibEncoder::new(std::io::repeat(b' ').take(MAX_SIZE * 4), Compression::best())
                .read_to_end(&mut compressed)
                .unwrap();
            base64::engine::general_purpose::STANDARD.encode(compressed)
        };
        let rows = [
            ("", "not compressed with zlib"),
            ("https://h.test/v1", "not base64"),
            ("aGVsbG8=", "not compressed with zlib"),
            ("{", "not JSON"),
            (r#"{"admin":{}}"#, "no general section"),
            (r#"{"general":{"server_url":"https://h.test"}}"#, "no admin section"),
            (r#"{"general":{"server_url":" "},"admin":{}}"#, "no server address"),
            (
                r#"{"general":{"server_url":"https://h.test","protocol":"google_sheets"},"admin":{}}"#,
                "the protocol google_sheets no longer exists",
            ),
            (&bomb, "too large"),
        ];
        for (text, detail) in rows {
            let error = decode(text).unwrap_err();
            assert_eq!((error.kind(), error.detail()), (ErrorKind::BadSettingsCode, detail), "{text:.40}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let settings = Settings { username: Some("ana".into()), password: Some("geheim".into()), ..settings() };
        let shown = format!("{settings:?}");
        assert!(!shown.contains("T0ken") && !shown.contains("geheim") && !shown.contains("ana"), "{shown}");
    }
}
