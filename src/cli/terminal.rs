//! What a stream may be sent besides text.
//!
//! Knows: terminals that obey escape sequences, people who want no colours (no-color.org). Does not know:
//! what is shown. Shown by: the tests below.

use std::env;
use std::ffi::OsStr;
use std::io::IsTerminal;

/// Is this a terminal on which lines can be erased and written over?
pub(super) fn obeys(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && is_clever(env::var_os("TERM").as_deref())
}

/// Does somebody look at this in colour?
pub(super) fn wants_colour(stream: &impl IsTerminal) -> bool {
    obeys(stream) && !refuses_colour(env::var_os("NO_COLOR").as_deref())
}

fn is_clever(term: Option<&OsStr>) -> bool {
    term.is_some_and(|term| term != "dumb")
}

fn refuses_colour(no_color: Option<&OsStr>) -> bool {
    no_color.is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_and_people_say_what_they_take() {
        for (term, clever) in [(None, false), (Some("dumb"), false), (Some("xterm"), true)] {
            assert_eq!(is_clever(term.map(OsStr::new)), clever, "{term:?}");
        }
        for (no_color, refuses) in [(None, false), (Some(""), false), (Some("1"), true)] {
            assert_eq!(refuses_colour(no_color.map(OsStr::new)), refuses, "{no_color:?}");
        }
    }
}
