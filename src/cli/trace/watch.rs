//! `--watch`: the same question again and again, telling only what has changed.
//!
//! Knows: when to ask again and what to write when. Does not know: what a change is
//! (`render::beside`). It ends when there is news and nobody to read it. Shown by: `tests/show.rs`.

use std::io::{self, Write as _};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::args::{TraceArgs, TraceFormat};
use super::setup::Setup;
use super::{Refused, Shown, exit_code, progress, show};
use crate::master::{seconds, show_time};
use crate::render::Report;
use crate::render::beside::{Change, changes};
use crate::render::json;
use crate::render::text;
use crate::rrset::Question;
use crate::world::Clock;

/// Zones do not change every second, and their servers have other work.
const SHORTEST: Duration = Duration::from_secs(1);

/// What is watched, how often, shown how.
pub struct Watch<'a> {
    interval: Duration,
    question: &'a Question,
    args: &'a TraceArgs,
}

impl<'a> Watch<'a> {
    /// As the arguments say.
    pub(super) fn new(
        interval: &str,
        questions: &'a [Question],
        args: &'a TraceArgs,
    ) -> Result<Watch<'a>, Refused> {
        let bad = |why: &str| Refused::Why(format!("--watch {interval}: {why}"));
        let [question] = questions else { return Err(bad("looks at one type")) };
        let period = seconds(interval).map(|s| Duration::from_secs(u64::from(s)));
        let interval = period
            .filter(|period| *period >= SHORTEST)
            .ok_or_else(|| bad("expected a time of at least a second, as in 30s, 5m or 1h30m"))?;
        if !matches!(args.format, TraceFormat::Text | TraceFormat::Json) {
            return Err(Refused::Why("--watch: only as text and json".to_owned()));
        }
        Ok(Watch { interval, question, args })
    }

    /// Until there is news and nobody to read it.
    pub(super) async fn run(&self, setup: &Setup) -> Shown {
        let clock = Clock::system();
        let mut before: Option<Report> = None;
        loop {
            let next = Instant::now() + self.interval;
            let report = setup.resolve(self.question).await;
            progress::erase();
            let code = exit_code(&report, self.args.lab);
            let told =
                news(before.as_ref(), &report).map(|changes| self.text(clock.wall(), &changes, &report));
            if let Some(text) = told
                && write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()).is_err()
            {
                return Shown { text: String::new(), code };
            }
            before = Some(report);
            sleep_until(next).await;
        }
    }

    /// At first everything, later what differs.
    fn text(&self, at: u64, changes: &[Change], report: &Report) -> String {
        if self.args.format == TraceFormat::Json {
            return json::render_changes(at, changes, report);
        }
        let at = format!("{} {}", iso(at), self.question);
        if changes.is_empty() {
            format!("{at}\n{}", show::report(report, self.args.format))
        } else {
            text::render_changes(&at, changes, show::colour())
        }
    }
}

/// What is to be told of `report`: `None` when nothing differs from the one `before`, nothing in particular
/// when that is the first.
pub fn news(before: Option<&Report>, report: &Report) -> Option<Vec<Change>> {
    let Some(before) = before else { return Some(Vec::new()) };
    let changes = changes(before, report);
    (!changes.is_empty()).then_some(changes)
}

/// As ISO 8601 has it, in UTC.
fn iso(at: u64) -> String {
    let digits = show_time(u32::try_from(at).unwrap_or(u32::MAX));
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_calendar() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(1_780_315_200), "2026-06-01T12:00:00Z");
    }
}
