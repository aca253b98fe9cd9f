//! Who answers in the demo: scripts of answers, and the photo and the sounds that go with them.

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};

/// One person's answers.
pub(super) struct Part {
    /// Who it is, for the story.
    pub(super) who: &'static str,
    /// Language to fill in.
    pub(super) language: &'static str,
    /// Form that is answered.
    pub(super) form: &'static str,
    /// One event a line.
    pub(super) events: &'static str,
}

/// Newcomers who answer alone, undisturbed.
pub(super) const NEWCOMERS: &[Part] = &[
    Part {
        who: "A man who has been here since 2018, in Dutch; his code brings back what he said last time",
        language: "nl",
        form: "pi_newcomers",
        events: include_str!("cast/newcomer-nl.jsonl"),
    },
    Part {
        who: "A woman who came for her family, in English; she has waited seven months for lessons",
        language: "en",
        form: "pi_newcomers",
        events: include_str!("cast/newcomer-en.jsonl"),
    },
    Part {
        who: "Someone who says no, in Turkish; that is an answer too, and nothing more is asked",
        language: "tr",
        form: "pi_newcomers",
        events: include_str!("cast/newcomer-tr.jsonl"),
    },
    Part {
        who: "A woman who lives in a reception centre, in Arabic, from right to left; two schools, eighteen hours",
        language: "ar",
        form: "pi_newcomers",
        events: include_str!("cast/newcomer-ar.jsonl"),
    },
];

/// The one whose phone dies.
pub(super) const INTERRUPTED: Part = Part {
    who: "A young man, in Tigrinya, with a spoken answer at the end",
    language: "ti",
    form: "pi_newcomers",
    events: include_str!("cast/newcomer-ti.jsonl"),
};

/// An interviewer's two visits.
pub(super) const INTERVIEWS: &[Part] = &[
    Part {
        who: "A person from her list, in Arabic with an interpreter: family, consent, a recorded story, a photo",
        language: "ar",
        form: "pi_interview",
        events: include_str!("cast/interview-listed.jsonl"),
    },
    Part {
        who: "Someone who walks in, in Tigrinya; her own number and the place are still filled in from before",
        language: "ti",
        form: "pi_interview",
        events: include_str!("cast/interview-walkin.jsonl"),
    },
];

/// The bytes of a file that a script names.
pub(super) fn file(name: &str) -> Option<Vec<u8>> {
    match name {
        "place.png" => Some(picture(240, 160, |x, y| [(x * 255 / 240) as u8, (y * 255 / 160) as u8, 140])),
        "mark.png" => Some(picture(120, 60, |x, y| if x.abs_diff(2 * y) < 3 { [20, 40, 120] } else { [255; 3] })),
        "voice.wav" => Some(sound(220.0, 2)),
        "story.wav" => Some(sound(330.0, 5)),
        _ => None,
    }
}

/// A PNG, eight bits a channel.
fn picture(width: u32, height: u32, color: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0); // no filter
        rows.extend((0..width).flat_map(|x| color(x, y)));
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = packed.write_all(&rows);
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"IDAT", &packed.finish().unwrap_or_default());
    chunk(&mut png, b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut check = Crc::new();
    check.update(kind);
    check.update(data);
    png.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    png.extend(check.sum().to_be_bytes());
}

/// A WAV of a tone: 8000 samples a second, one channel, sixteen bits.
fn sound(hertz: f64, seconds: u32) -> Vec<u8> {
    const RATE: u32 = 8000;
    let samples = (0..RATE * seconds).map(|sample| {
        let angle = f64::from(sample) / f64::from(RATE) * hertz * std::f64::consts::TAU;
        (angle.sin() * 8000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let size = u32::try_from(data.len()).unwrap_or(0);
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + size).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend([1, 0, 1, 0]);
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * 2).to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(size.to_le_bytes());
    wav.extend(data);
    wav
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_they_say() {
        assert!(file("place.png").unwrap().starts_with(b"\x89PNG"));
        let wav = file("voice.wav").unwrap();
        assert_eq!((&wav[..4], wav.len()), (&b"RIFF"[..], 44 + 32_000));
        assert_eq!(file("other"), None);
    }
}
