//! Entries and tokens of a master file (RFC 1035 §5.1).
//!
//! Knows: blank space, parentheses, quotes, comments, line numbers. Escapes stay in the tokens:
//! what `\.` means depends on the field. Does not know: what a token means.

use std::iter::Peekable;
use std::str::Chars;

use super::Fault;

/// One field as written, escapes included, quotes removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Stood in quotes from its first character.
    pub(super) quoted: bool,
    /// Counted from 1.
    pub(super) line: usize,
}

/// One line, or several that parentheses join.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Never empty.
    pub(super) tokens: Vec<Token>,
    /// Begins with blank space: the owner is that of the entry above.
    pub(super) indented: bool,
}

pub(super) struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { chars: text.chars().peekable(), line: 1 }
    }

    /// The next entry with any token; `None` at the end.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, Fault> {
        let mut tokens = Vec::new();
        let mut indented = self.at_blank();
        // Lines of the parentheses that are open.
        let mut open = Vec::new();
        while let Some(&c) = self.chars.peek() {
            match c {
                '\n' => {
                    self.chars.next();
                    self.line += 1;
                    if open.is_empty() && !tokens.is_empty() {
                        return Ok(Some(Entry { tokens, indented }));
                    }
                    if open.is_empty() {
                        indented = self.at_blank();
                    }
                }
                ' ' | '\t' | '\r' => _ = self.chars.next(),
                ';' => while self.chars.next_if(|&c| c != '\n').is_some() {},
                '(' => {
                    self.chars.next();
                    open.push(self.line);
                }
                ')' => {
                    self.chars.next();
                    if open.pop().is_none() {
                        return Err(Fault::new(
                            self.line,
                            "`)` without `(`: remove it or escape it as `\\)`",
                        ));
                    }
                }
                _ => tokens.push(self.token()?),
            }
        }
        match open.first() {
            Some(&line) => Err(Fault::new(line, "`(` is never closed: expected `)` before the end")),
            None if tokens.is_empty() => Ok(None),
            None => Ok(Some(Entry { tokens, indented })),
        }
    }

    fn at_blank(&mut self) -> bool {
        matches!(self.chars.peek(), Some(' ' | '\t'))
    }

    fn token(&mut self) -> Result<Token, Fault> {
        let mut token = Token { text: String::new(), quoted: false, line: self.line };
        if self.chars.next_if_eq(&'"').is_some() {
            token.quoted = true;
            self.quoted_text(&mut token.text)?;
            return Ok(token);
        }
        while let Some(&c) = self.chars.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '(' | ')' => break,
                // `key="value"` of SvcParams is one token (RFC 9460 §2.1).
                '"' if token.text.ends_with('=') => {
                    self.chars.next();
                    self.quoted_text(&mut token.text)?;
                }
                '"' => break,
                _ => self.character(&mut token.text)?,
            }
        }
        Ok(token)
    }

    /// Up to the closing quote, which is consumed.
    fn quoted_text(&mut self, text: &mut String) -> Result<(), Fault> {
        loop {
            match self.chars.peek() {
                Some('"') => {
                    self.chars.next();
                    return Ok(());
                }
                None | Some('\n') => {
                    return Err(Fault::new(self.line, "a quoted string must end on its line: expected `\"`"));
                }
                Some(_) => self.character(text)?,
            }
        }
    }

    /// One character with its escape.
    fn character(&mut self, text: &mut String) -> Result<(), Fault> {
        let Some(c) = self.chars.next() else { return Ok(()) };
        text.push(c);
        if c == '\\' {
            match self.chars.next_if(|&c| c != '\n') {
                Some(escaped) => text.push(escaped),
                None => return Err(Fault::new(self.line, "`\\` at the end of the line escapes nothing")),
            }
        }
        Ok(())
    }
}
