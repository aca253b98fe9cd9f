//! Right-to-left text on terminals, which disagree about who turns it around.

use std::ops::Range;

use unicode_bidi::{BidiClass, BidiInfo, Level, bidi_class};
use veldwerk::text::Direction;

use super::{Letter, Look, wrap};

/// In which order letters are sent to the terminal. Joining Arabic letters is its own affair in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bidi {
    /// As they are read; the terminal turns them around.
    Logical,
    /// As they stand on the screen from left to right.
    Visual,
}

impl Bidi {
    /// Logical where the environment names a terminal that is known to turn text around, else visual.
    pub(super) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        // GNOME Terminal and its kin, Konsole, mlterm
        let is_known = ["VTE_VERSION", "KONSOLE_VERSION", "MLTERM"]
            .iter()
            .any(|name| variable(name).is_some_and(|v| !v.is_empty()));
        let is_apple = variable("TERM_PROGRAM").is_some_and(|program| program == "Apple_Terminal");
        if is_known || is_apple { Self::Logical } else { Self::Visual }
    }

    /// The `lines` of a paragraph in the order of sending.
    pub(super) fn order(self, letters: &[Letter], lines: &[Range<usize>], direction: Direction) -> Vec<Vec<Letter>> {
        match self {
            Self::Logical => logical(letters, lines, direction),
            Self::Visual => visual(letters, lines, direction),
        }
    }
}

impl std::str::FromStr for Bidi {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "logical" => Ok(Self::Logical),
            "visual" => Ok(Self::Visual),
            _ => Err("it is `logical` or `visual`"),
        }
    }
}

const LEFT_TO_RIGHT_ISOLATE: char = '\u{2066}';
const RIGHT_TO_LEFT_ISOLATE: char = '\u{2067}';
const POP_ISOLATE: char = '\u{2069}';

/// Every line that reads from right to left, or holds something that does, stands in an isolate of its own, so that the
/// terminal takes its direction from us, not from its first letter. To a terminal each line is a paragraph: isolates that go
/// on in the next line are closed and opened again.
fn logical(letters: &[Letter], lines: &[Range<usize>], direction: Direction) -> Vec<Vec<Letter>> {
    let control = |char| Letter { char, look: Look::default() };
    let around = match direction {
        Direction::RightToLeft => Some(RIGHT_TO_LEFT_ISOLATE),
        Direction::LeftToRight if letters.iter().any(|letter| is_right_to_left(letter.char)) => {
            Some(LEFT_TO_RIGHT_ISOLATE)
        }
        Direction::LeftToRight => None,
    };
    let mut open: Vec<char> = Vec::new();
    let mut ordered = Vec::with_capacity(lines.len());
    for line in lines {
        let mut order: Vec<Letter> = around.iter().chain(&open).copied().map(control).collect();
        for letter in letters.get(line.clone()).unwrap_or_default() {
            match letter.char {
                c @ '\u{2066}'..='\u{2068}' => open.push(c),
                // One that closes nothing would close ours.
                POP_ISOLATE if open.pop().is_none() => continue,
                _ => {}
            }
            order.push(*letter);
        }
        let n_open = open.len() + usize::from(around.is_some());
        order.extend((0..n_open).map(|_| control(POP_ISOLATE)));
        ordered.push(order);
    }
    ordered
}

/// Each line by UAX #9: the levels of the whole paragraph, then L1 and L2 for the line. Marks stay behind their letters (L3),
/// brackets are mirrored (L4), controls of direction have done their work and are left out.
fn visual(letters: &[Letter], lines: &[Range<usize>], direction: Direction) -> Vec<Vec<Letter>> {
    let text: String = letters.iter().map(|letter| letter.char).collect();
    let level = match direction {
        Direction::LeftToRight => Level::ltr(),
        Direction::RightToLeft => Level::rtl(),
    };
    let info = BidiInfo::new(&text, Some(level));
    // Letters hold no line breaks, so there is one paragraph, or none if there are no letters.
    let Some(paragraph) = info.paragraphs.first() else { return Vec::new() };
    let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).chain([text.len()]).collect();
    let order_line = |line: &Range<usize>| {
        let bytes = starts.get(line.start).copied().unwrap_or(0)..starts.get(line.end).copied().unwrap_or(text.len());
        let levels = info.reordered_levels_per_char(paragraph, bytes);
        let clusters = clusters(letters, &levels, line.clone());
        let cluster_levels: Vec<Level> = clusters.iter().map(|(level, _)| *level).collect();
        let in_order = BidiInfo::reorder_visual(&cluster_levels).into_iter().filter_map(|i| clusters.get(i));
        in_order.flat_map(|(level, cluster)| cluster.iter().map(|letter| turned(*letter, *level))).collect()
    };
    lines.iter().map(order_line).collect()
}

/// Letters with the marks that stand on them, and their level.
fn clusters(letters: &[Letter], levels: &[Level], line: Range<usize>) -> Vec<(Level, Vec<Letter>)> {
    let mut clusters: Vec<(Level, Vec<Letter>)> = Vec::new();
    for (letter, level) in line.filter_map(|i| Some((letters.get(i)?, levels.get(i)?))) {
        match clusters.last_mut() {
            _ if is_control(letter.char) => {}
            Some((_, cluster)) if wrap::columns(letter.char) == 0 => cluster.push(*letter),
            _ => clusters.push((*level, vec![*letter])),
        }
    }
    clusters
}

fn is_right_to_left(c: char) -> bool {
    matches!(bidi_class(c), BidiClass::R | BidiClass::AL | BidiClass::RLE | BidiClass::RLI | BidiClass::RLO)
}

/// Whether `c` only says how others are ordered.
fn is_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn turned(letter: Letter, level: Level) -> Letter {
    if level.is_rtl() { Letter { char: mirrored(letter.char), ..letter } } else { letter }
}

/// The character that looks like `c` in a mirror, of those that occur in questions (Unicode `BidiMirroring.txt`).
fn mirrored(c: char) -> char {
    const PAIRS: [(char, char); 16] = [
        ('(', ')'),
        ('[', ']'),
        ('{', '}'),
        ('<', '>'),
        ('«', '»'),
        ('‹', '›'),
        ('≤', '≥'),
        ('≪', '≫'),
        ('⟨', '⟩'),
        ('⟦', '⟧'),
        ('⟪', '⟫'),
        ('〈', '〉'),
        ('《', '》'),
        ('「', '」'),
        ('『', '』'),
        ('【', '】'),
    ];
    PAIRS
        .iter()
        .find_map(|&(left, right)| if c == left { Some(right) } else { (c == right).then_some(left) })
        .unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_that_turn_text_around_are_known_by_their_variables() {
        let with = |name: &'static str, value: &'static str| {
            Bidi::of_environment(move |asked| (asked == name).then(|| value.to_owned()))
        };
        for (name, value, bidi) in [
            ("VTE_VERSION", "7802", Bidi::Logical),
            ("KONSOLE_VERSION", "230800", Bidi::Logical),
            ("MLTERM", "3.9.3", Bidi::Logical),
            ("TERM_PROGRAM", "Apple_Terminal", Bidi::Logical),
            ("TERM_PROGRAM", "iTerm.app", Bidi::Visual),
            ("VTE_VERSION", "", Bidi::Visual),
            ("TERM", "xterm", Bidi::Visual),
        ] {
            assert_eq!(with(name, value), bidi, "{name}={value}");
        }
        assert_eq!("logical".parse(), Ok(Bidi::Logical));
        assert!("LOGICAL".parse::<Bidi>().is_err());
    }

    fn order(bidi: Bidi, text: &str, direction: Direction) -> String {
        let letters: Vec<Letter> = text.chars().map(|char| Letter { char, look: Look::default() }).collect();
        let whole = 0..letters.len();
        bidi.order(&letters, &[whole], direction).concat().iter().map(|letter| letter.char).collect()
    }

    #[test]
    fn visual_order() {
        use Direction::{LeftToRight, RightToLeft};
        for (text, direction, ordered) in [
            ("ab (cd)", LeftToRight, "ab (cd)"),
            ("ab אבג cd", LeftToRight, "ab גבא cd"),
            ("אבג (ab) 12.", RightToLeft, ".12 (ab) גבא"),
            ("אבג 12-13 דה", RightToLeft, "הד 12-13 גבא"),
            ("<אבג>", RightToLeft, "<גבא>"),
            ("אב\u{5b8}ג", RightToLeft, "גב\u{5b8}א"),
            ("\u{2068}ab!\u{2069} אבג", RightToLeft, "גבא ab!"),
            ("ab, אבג", RightToLeft, "גבא ,ab"),
        ] {
            assert_eq!(order(Bidi::Visual, text, direction), ordered, "{text}");
        }
    }

    #[test]
    fn logical_order_stands_in_isolates_where_direction_matters() {
        use Direction::{LeftToRight, RightToLeft};
        assert_eq!(order(Bidi::Logical, "ab, cd", LeftToRight), "ab, cd");
        assert_eq!(order(Bidi::Logical, "אב, cd", LeftToRight), "\u{2066}אב, cd\u{2069}");
        assert_eq!(order(Bidi::Logical, "ab, cd", RightToLeft), "\u{2067}ab, cd\u{2069}");
    }

    #[test]
    fn mirrors_are_their_own_inverse() {
        assert!("()[]{}<>«»‹›≤≥a1؟".chars().all(|c| mirrored(mirrored(c)) == c));
        assert_eq!(mirrored('('), ')');
        assert_eq!(mirrored('؟'), '؟', "the Arabic question mark is drawn as it stands");
    }
}
