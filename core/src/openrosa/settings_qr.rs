//! The settings code that ODK servers show as a QR picture (openrosa.md §9): JSON, compressed, in base64.

use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde_json::{Map, Value, json};
use std::fmt;
use std::io::Read;

/// Largest settings that are read, in bytes after decompression; real ones have a few hundred.
const MAX_SIZE: u64 = 1 << 20;

/// What a settings code says, as far as this program follows it; everything else in it is left aside.
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
    /// Whether a violated constraint already stops the person at the next question (`on_swipe`), or only at the end.
    pub constraint_on_move: bool,
    /// What the project is called on the device.
    pub project_name: Option<String>,
    /// A sign or two that stand for it.
    pub project_icon: Option<String>,
    /// Its colour, `#rrggbb`.
    pub project_color: Option<String>,
}

/// When the device looks for forms and what it does with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

impl FormUpdateMode {
    const NAMES: [(&'static str, Self); 3] = [
        ("manual", Self::Manual),
        ("previously_downloaded", Self::PreviouslyDownloaded),
        ("match_exactly", Self::MatchExactly),
    ];
}

impl Autosend {
    const NAMES: [(&'static str, Self); 4] = [
        ("off", Self::Off),
        ("wifi_only", Self::WifiOnly),
        ("cellular_only", Self::CellularOnly),
        ("wifi_and_cellular", Self::WifiAndCellular),
    ];
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("form_update_mode", &self.form_update_mode).finish_non_exhaustive()
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
    let section = |name: &str| code.get(name).and_then(Value::as_object);
    let general = section("general").ok_or_else(|| bad("no general section"))?;
    section("admin").ok_or_else(|| bad("no admin section"))?;
    if text_of(general, "protocol").as_deref() == Some("google_sheets") {
        return Err(bad("the protocol google_sheets no longer exists"));
    }
    let project = section("project").cloned().unwrap_or_default();
    Ok(Settings {
        server_url: text_of(general, "server_url").ok_or_else(|| bad("no server address"))?,
        username: text_of(general, "username"),
        password: text_of(general, "password"),
        form_update_mode: one_of(&FormUpdateMode::NAMES, general.get("form_update_mode")),
        autosend: one_of(&Autosend::NAMES, general.get("autosend")),
        constraint_on_move: text_of(general, "constraint_behavior").as_deref() != Some("on_finalize"),
        project_name: text_of(&project, "name"),
        project_icon: text_of(&project, "icon"),
        project_color: text_of(&project, "color"),
    })
}

/// Writes the text of a settings code. The password goes in only if it is in `settings`: whoever encodes decides.
///
/// # Errors
/// [`ErrorKind::Internal`] if compression fails, which it does not in memory.
pub fn encode(settings: &Settings) -> Result<String> {
    let constraint_behavior = if settings.constraint_on_move { "on_swipe" } else { "on_finalize" };
    let general = json!({
        "server_url": settings.server_url,
        "username": settings.username,
        "password": settings.password,
        "form_update_mode": name_of(&FormUpdateMode::NAMES, settings.form_update_mode),
        "autosend": name_of(&Autosend::NAMES, settings.autosend),
        "constraint_behavior": constraint_behavior,
    });
    let project = json!({
        "name": settings.project_name,
        "icon": settings.project_icon,
        "color": settings.project_color,
    });
    let code = json!({ "general": said(general), "admin": {}, "project": said(project) }).to_string();
    let mut compressed = Vec::new();
    ZlibEncoder::new(code.as_bytes(), Compression::best())
        .read_to_end(&mut compressed)
        .map_err(|error| Error::new(ErrorKind::Internal, "settings code").caused_by(error))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(compressed))
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

fn text_of(section: &Map<String, Value>, key: &str) -> Option<String> {
    section.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn one_of<T: Copy + Default>(names: &[(&str, T)], value: Option<&Value>) -> T {
    let known = names.iter().find(|(name, _)| value.and_then(Value::as_str) == Some(name));
    known.map(|(_, value)| *value).unwrap_or_default()
}

/// The keys of `section` that have a value: a key left out means the default.
fn said(mut section: Value) -> Value {
    if let Some(section) = section.as_object_mut() {
        section.retain(|_, value| !value.is_null());
    }
    section
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
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
            constraint_on_move: true,
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
        let at_the_end = Settings { constraint_on_move: false, ..settings() };
        for settings in [settings(), with_account, at_the_end] {
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
    fn unknown_keys_and_values_are_ignored() {
        let text = r#"{"general":{"server_url":"https://h.test","autosend":"sometimes","form_update_mode":7,"x":1},"admin":{"y":false}}"#;
        let expected =
            Settings { server_url: "https://h.test".into(), constraint_on_move: true, ..Settings::default() };
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
