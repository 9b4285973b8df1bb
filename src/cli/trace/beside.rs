//! `--type` and `--compare`: several resolutions of one name, side by side.
//!
//! Knows: what is resolved how, and whose exit code counts. Does not know: what makes hops differ
//! (`render::beside`). Another resolver is asked hop by hop, as a forwarder is, so that its chain can be
//! told like ours. Shown by: `tests/show.rs`, `tests/binary.rs`.

use super::args::TraceArgs;
use super::setup::{MAX_COLUMNS, Setup, address};
use super::{Refused, Shown, exit_code, show};
use crate::render::beside::{Beside, Column, Kind};
use crate::rrset::Question;

/// Each type from a cold cache; the worst exit code.
pub async fn types(setup: &Setup, questions: &[Question], args: &TraceArgs) -> Shown {
    let mut columns = Vec::new();
    for question in questions {
        let report = setup.resolve(question).await;
        columns.push(Column { label: question.rtype.to_string(), report });
    }
    let code = columns.iter().map(|column| exit_code(&column.report, args.lab)).max().unwrap_or(0);
    Shown { text: show::beside(&Beside::new(Kind::Types, columns), args.format), code }
}

/// Ourselves first, then each of the others; our exit code.
pub async fn resolvers(setup: &Setup, question: &Question, args: &TraceArgs) -> Result<Shown, Refused> {
    let read = args.compare.iter().map(|text| address(text).map_err(|why| format!("--compare: {why}")));
    let others = read.collect::<Result<Vec<_>, String>>()?;
    if others.len() >= MAX_COLUMNS {
        return Err(format!("--compare: at most {} resolvers at a time", MAX_COLUMNS - 1).into());
    }
    let report = setup.resolve(question).await;
    let code = exit_code(&report, args.lab);
    let mut columns = vec![Column { label: "cnamed".to_owned(), report }];
    for other in others {
        let report = setup.through(other).resolve(question).await;
        columns.push(Column { label: other.to_string(), report });
    }
    Ok(Shown { text: show::beside(&Beside::new(Kind::Resolvers, columns), args.format), code })
}
