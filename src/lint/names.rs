//! Rules on how names are written.
//!
//! RFC 5890 §2.3.1, §2.3.2.1, RFC 5891 §5.4; what is valid is known in `idn`.

use super::{Findings, Record, View, kind};
use crate::idn;

pub(super) fn look(view: &View<'_>, findings: &mut Findings) {
    idna(view.name, Vec::new(), findings);
    for link in view.chains.iter().flat_map(|chain| &chain.links) {
        let Some(target) = &link.target else { continue };
        idna(target, Record::of_link(link).collect(), findings);
    }
}

fn idna(name: &crate::wire::Name, records: Vec<Record>, findings: &mut Findings) {
    let labels = idn::invalid_labels(name);
    if !labels.is_empty() {
        let what = format!("no internationalised label: {}", labels.join(", "));
        findings.add(kind::IDNA_INVALID, name, what, records);
    }
}
