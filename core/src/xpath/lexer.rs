use std::ops::Range;

use super::ParseError;
use super::ast::Operator;
use crate::error::ErrorKind;

/// One word of an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'s> {
    Number(f64),
    Text(&'s str),
    /// A name as written, possibly with a prefix.
    Name(&'s str),
    /// The name before `::`.
    Axis(&'s str),
    /// `*` as a name test.
    AnyName,
    Operator(Operator),
    Slash,
    DoubleSlash,
    Dot,
    DotDot,
    At,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    Pipe,
    Dollar,
}

impl Token<'_> {
    /// Whether an operand may end here, so that a following `*` or `div` is an operator (XPath 1.0 §3.7).
    fn ends_operand(&self) -> bool {
        matches!(
            self,
            Self::Number(_)
                | Self::Text(_)
                | Self::Name(_)
                | Self::AnyName
                | Self::Dot
                | Self::DotDot
                | Self::Close
                | Self::CloseBracket
        )
    }
}

/// Cuts an expression into words.
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<(Token<'s>, Range<u32>)>,
}

impl<'s> Lexer<'s> {
    /// All words of `source`, which is shorter than 4 GiB, with their places.
    pub(super) fn tokens(source: &'s str) -> Result<Vec<(Token<'s>, Range<u32>)>, ParseError> {
        let mut lexer = Self { source, at: 0, tokens: Vec::new() };
        loop {
            lexer.take_while(|c| c.is_ascii_whitespace());
            let start = lexer.at;
            let Some(first) = lexer.peek() else { return Ok(lexer.tokens) };
            let token = lexer.token(first)?;
            lexer.tokens.push((token, start as u32..lexer.at as u32));
        }
    }

    fn token(&mut self, first: char) -> Result<Token<'s>, ParseError> {
        let start = self.at;
        if first.is_ascii_digit() || (first == '.' && self.second().is_some_and(|c| c.is_ascii_digit())) {
            return Ok(self.number());
        }
        if is_name_start(first) {
            return self.name();
        }
        self.at += first.len_utf8();
        Ok(match first {
            '\'' | '"' => {
                let text = self.take_while(|c| c != first);
                if !self.skip(first) {
                    return Err(syntax(start..self.at, "a text that begins here has no closing quote"));
                }
                Token::Text(text)
            }
            '.' if self.skip('.') => Token::DotDot,
            '.' => Token::Dot,
            '/' if self.skip('/') => Token::DoubleSlash,
            '/' => Token::Slash,
            '@' => Token::At,
            '(' => Token::Open,
            ')' => Token::Close,
            '[' => Token::OpenBracket,
            ']' => Token::CloseBracket,
            ',' => Token::Comma,
            '|' => Token::Pipe,
            '$' => Token::Dollar,
            '*' if self.after_operand() => Token::Operator(Operator::Multiply),
            '*' => Token::AnyName,
            '+' => Token::Operator(Operator::Add),
            '-' => Token::Operator(Operator::Subtract),
            '=' => Token::Operator(Operator::Equal),
            '!' if self.skip('=') => Token::Operator(Operator::NotEqual),
            '<' if self.skip('=') => Token::Operator(Operator::AtMost),
            '<' => Token::Operator(Operator::Less),
            '>' if self.skip('=') => Token::Operator(Operator::AtLeast),
            '>' => Token::Operator(Operator::Greater),
            _ => return Err(syntax(start..self.at, "this character has no meaning here")),
        })
    }

    /// `5`, `5.`, `5.25` or `.25`; no exponent.
    fn number(&mut self) -> Token<'s> {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit());
        if self.skip('.') {
            self.take_while(|c| c.is_ascii_digit());
        }
        let digits = self.source.get(start..self.at).unwrap_or_default();
        Token::Number(digits.parse().unwrap_or(f64::NAN))
    }

    fn name(&mut self) -> Result<Token<'s>, ParseError> {
        let start = self.at;
        self.take_while(is_name_char);
        let whole = |lexer: &Self| lexer.source.get(start..lexer.at).unwrap_or_default();
        if self.after_operand() {
            let operator = match whole(self) {
                "and" => Operator::And,
                "or" => Operator::Or,
                "div" => Operator::Divide,
                "mod" => Operator::Modulo,
                _ => return Err(syntax(start..self.at, "an operator is missing before this name")),
            };
            return Ok(Token::Operator(operator));
        }
        if self.peek() != Some(':') {
            return Ok(Token::Name(whole(self)));
        }
        match self.second() {
            Some(':') => {
                let name = whole(self);
                self.at += 2;
                Ok(Token::Axis(name))
            }
            Some('*') => {
                self.at += 2;
                Ok(Token::AnyName)
            }
            Some(c) if is_name_start(c) => {
                self.at += 1;
                self.take_while(is_name_char);
                Ok(Token::Name(whole(self)))
            }
            _ => Err(syntax(start..self.at + 1, "a name is missing after this prefix")),
        }
    }

    fn after_operand(&self) -> bool {
        self.tokens.last().is_some_and(|(token, _)| token.ends_operand())
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    fn skip(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let length = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }
}

/// The start of a name as in XML, the colon left out.
fn is_name_start(c: char) -> bool {
    matches!(c, '_' | 'A'..='Z' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// The rest of a name as in XML: points and hyphens too, so `a-1` is a name and `a - 1` a difference.
fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

fn syntax(span: Range<usize>, reason: &str) -> ParseError {
    ParseError { kind: ErrorKind::XpathSyntax, span: span.start as u32..span.end as u32, reason: reason.to_owned() }
}
