//! What a typed line asks for.

/// What a typed line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// On to the next question.
    Next,
    /// Back to the one before.
    Back,
    /// To a question chosen from the list of all.
    Jump,
    /// Another language.
    Language,
    /// More explanation.
    Guidance,
    /// Finalise the record.
    Finish,
    /// Keep the draft and leave.
    Leave,
    /// Take the answer away.
    Clear,
    /// An answer.
    Answer(&'a str),
}

impl<'a> Command<'a> {
    /// Reads a line. A bare letter is a command except where any text may be the answer (`is_text`); with `:` before it, it
    /// is one everywhere. `::` before an answer says that it is one, whatever it looks like.
    pub(super) fn read(line: &'a str, is_text: bool) -> Self {
        let line = line.trim();
        if let Some(answer) = line.strip_prefix("::") {
            return Self::Answer(answer);
        }
        match line {
            "" => return Self::Next,
            "-" => return Self::Clear,
            _ => {}
        }
        let letter = match line.strip_prefix(':') {
            Some(letter) => Some(letter),
            None if is_text => None,
            None => Some(line),
        };
        letter.and_then(Self::of_letter).unwrap_or(Self::Answer(line))
    }

    fn of_letter(letter: &str) -> Option<Self> {
        match letter {
            "b" | "B" => Some(Self::Back),
            "j" | "J" => Some(Self::Jump),
            "l" | "L" => Some(Self::Language),
            "?" | "؟" => Some(Self::Guidance),
            "f" | "F" => Some(Self::Finish),
            "q" | "Q" => Some(Self::Leave),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_a_command_where_it_cannot_be_an_answer() {
        for (line, choice, text) in [
            ("", Command::Next, Command::Next),
            ("b\n", Command::Back, Command::Answer("b")),
            (":b", Command::Back, Command::Back),
            ("؟", Command::Guidance, Command::Answer("؟")),
            (" Q ", Command::Leave, Command::Answer("Q")),
            ("-", Command::Clear, Command::Clear),
            ("::-", Command::Answer("-"), Command::Answer("-")),
            ("::b", Command::Answer("b"), Command::Answer("b")),
            (":boot", Command::Answer(":boot"), Command::Answer(":boot")),
            ("boot", Command::Answer("boot"), Command::Answer("boot")),
        ] {
            assert_eq!([Command::read(line, false), Command::read(line, true)], [choice, text], "{line:?}");
        }
    }
}
