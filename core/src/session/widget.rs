//! What a widget needs to know of its question besides the texts and the answer: bounds, limits and looks (xforms.md §4
//! and §6). What the form does not say, or says wrongly, is left out, and the widget has its own way.

use crate::form::{Control, ControlKind, DataType, NodeDef};

/// Bounds, limits and looks of one question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Widget {
    /// The words of `appearance`, in lower case; what stands in parentheses stays with its word, as written.
    pub appearances: Vec<String>,
    /// Of a range with usable bounds.
    pub scale: Option<Scale>,
    /// Of an upload.
    pub upload: Option<Upload>,
    /// Of a place, a line or an area.
    pub place: Option<Place>,
    /// Of an answer that is typed with digits.
    pub number: Option<Number>,
    /// Rows of a text field (`rows`).
    pub rows: Option<u32>,
    /// The medium that plays by itself when the question appears: `audio` or `video` (`autoplay`).
    pub autoplay: Option<String>,
    /// The program that answers instead (`intent`).
    pub intent: Option<String>,
}

/// The scale of a range. It may run downwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// From one value to the next; above 0.
    pub step: f64,
    /// Digits behind the point that tell all values of the scale apart: an answer is written with so many.
    pub decimals: u32,
    /// From one tick to the next (`odk:tick-interval`).
    pub tick_interval: Option<f64>,
    /// Where the mark stands before there is an answer (`odk:placeholder`); it is no answer.
    pub placeholder: Option<f64>,
}

/// What a file may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// What it shows.
    pub medium: Medium,
    /// `mediatype`, as the form writes it.
    pub mediatype: String,
    /// Extensions and media types that are taken (`accept`); empty for all of `mediatype`.
    pub accept: Vec<String>,
    /// Longest edge of a picture, in pixels (`orx:max-pixels`).
    pub max_pixels: Option<u32>,
    /// Quality of a recording: `voice-only`, `low`, `normal`, `external` (`odk:quality`).
    pub quality: Option<String>,
}

/// Kinds of files, by `mediatype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the medium of its name; `File` is any other")]
pub enum Medium {
    Image,
    Audio,
    Video,
    File,
}

/// How exact a place must be, in metres.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// A fix this exact may be taken at once (`accuracyThreshold`).
    pub accuracy: f64,
    /// A fix less exact than this is pointed out, and taken all the same (`unacceptableAccuracyThreshold`).
    pub unacceptable_accuracy: f64,
    /// Points are written as they are captured (`incremental`).
    pub incremental: bool,
    /// A made-up place is fine (`odk:allow-mock-accuracy`).
    pub allows_mock: bool,
}

/// How a number is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Whether it may have a fraction.
    pub is_decimal: bool,
    /// Longest text of it that other clients take (Collect: nine digits, fifteen characters of a decimal); none where the
    /// answer is a text of digits.
    pub max_length: Option<u32>,
}

/// `accuracyThreshold` where the form names none (xforms.md §6).
const ACCURACY_M: f64 = 5.0;
/// `unacceptableAccuracyThreshold` where the form names none.
const UNACCEPTABLE_ACCURACY_M: f64 = 100.0;

impl Widget {
    pub(super) fn of(control: &Control, node: &NodeDef) -> Self {
        let text = |name: &str| control.setting(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let appearances = control.appearances();
        Self {
            scale: (control.kind == ControlKind::Range).then(|| Scale::of(control)).flatten(),
            upload: (control.kind == ControlKind::Upload).then(|| Upload::of(control, node)),
            place: Place::of(control, node),
            number: Number::of(control, node, &appearances),
            rows: control.setting("rows").and_then(|rows| rows.trim().parse().ok()),
            autoplay: text("autoplay"),
            intent: text("intent"),
            appearances,
        }
    }
}

impl Scale {
    fn of(control: &Control) -> Option<Self> {
        let text = |name: &str| control.setting(name).map(str::trim);
        let number = |name: &str| text(name)?.parse::<f64>().ok().filter(|number| number.is_finite());
        let (start, end) = (number("start")?, number("end")?);
        let step = if text("step").is_some() { number("step")?.abs() } else { 1.0 };
        let decimals = ["start", "step"].into_iter().filter_map(text).map(decimals).max().unwrap_or_default();
        (step > 0.0 && start != end).then(|| Self {
            start,
            end,
            step,
            decimals,
            tick_interval: number("tick-interval").filter(|interval| *interval > 0.0),
            placeholder: number("placeholder"),
        })
    }
}

/// Digits behind the point of a number as written, zeros at its end left out.
fn decimals(number: &str) -> u32 {
    let fraction = number.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
    u32::try_from(fraction.len()).unwrap_or_default()
}

impl Upload {
    fn of(control: &Control, node: &NodeDef) -> Self {
        let mediatype = control.setting("mediatype").unwrap_or_default().trim();
        let accept = control.setting("accept").unwrap_or_default().split(',').map(str::trim);
        Self {
            medium: match mediatype.split('/').next().unwrap_or_default() {
                "image" => Medium::Image,
                "audio" => Medium::Audio,
                "video" => Medium::Video,
                _ => Medium::File,
            },
            mediatype: mediatype.to_owned(),
            accept: accept.filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
            max_pixels: node.max_pixels,
            quality: node.quality.as_deref().map(str::to_owned),
        }
    }
}

impl Place {
    fn of(control: &Control, node: &NodeDef) -> Option<Self> {
        let is_place = matches!(node.data_type, DataType::Geopoint | DataType::Geotrace | DataType::Geoshape);
        let metres = |name: &str| control.setting(name)?.trim().parse::<f64>().ok().filter(|metres| *metres >= 0.0);
        is_place.then(|| Self {
            accuracy: metres("accuracyThreshold").unwrap_or(ACCURACY_M),
            unacceptable_accuracy: metres("unacceptableAccuracyThreshold").unwrap_or(UNACCEPTABLE_ACCURACY_M),
            incremental: control.setting("incremental").is_some_and(|incremental| incremental.trim() == "true"),
            allows_mock: node.allows_mock_places,
        })
    }
}

impl Number {
    fn of(control: &Control, node: &NodeDef, appearances: &[String]) -> Option<Self> {
        if !matches!(control.kind, ControlKind::Input | ControlKind::Secret) {
            return None;
        }
        match node.data_type {
            DataType::Int => Some(Self { is_decimal: false, max_length: Some(9) }),
            DataType::Long => Some(Self { is_decimal: false, max_length: Some(18) }),
            DataType::Decimal => Some(Self { is_decimal: true, max_length: Some(15) }),
            DataType::String if appearances.iter().any(|appearance| appearance == "numbers") => {
                Some(Self { is_decimal: true, max_length: None })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_the_scale() {
        for (number, expected) in [("1", 0), ("0.5", 1), ("0.250", 2), ("-1.0", 0), (".125", 3)] {
            assert_eq!(decimals(number), expected, "{number}");
        }
    }
}
