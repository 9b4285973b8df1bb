//! What the NSEC records of one zone prove.
//!
//! Knows: RFC 4034 §4 (form), §6.1 (order), RFC 4035 §5.3.4 and §5.4, RFC 6840 §4.1, §4.3 and §4.4
//! (cuts, CNAME), RFC 6672 §5.3.4 (DNAME), RFC 4592 (empty non-terminals, wildcards). Does not know:
//! NSEC3 (`nsec3`), signatures: its caller has verified each record. Shown by: `denial`'s tests.

use super::Reason;
use super::bitmap::Bitmap;
use super::nsec3::only;
use crate::rrset::{RrSet, RrType};
use crate::wire::Name;
use crate::wire::name::wire_len;

/// NXNAME, the mark of a name that does not exist in compact denial (RFC 9824 §3.1); no data.
const NXNAME: RrType = RrType(128);

/// What the denial of DS at a name says of a zone cut there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A delegation without DS (RFC 6840 §4.4).
    InsecureDelegation,
    /// If there is one, opt-out hides it: insecure from here on (RFC 5155 §8.9).
    OptOut,
    /// No delegation: another kind of name, an empty non-terminal, or no such name.
    NotACut,
    /// By NSEC3 with more than [`super::denial::SECURE_ITERATIONS`]: insecure, EDE 27 (RFC 9276 §3.2).
    Insecure,
    /// Nothing is proven.
    No(Reason),
}

/// One NSEC record.
#[derive(Clone, Debug)]
pub(super) struct Nsec<'a> {
    pub(super) owner: &'a Name,
    /// The next owner in canonical order; the apex in the zone's last record.
    pub(super) next: Name,
    pub(super) types: Bitmap<'a>,
}

/// What one NSEC record says of a name other than its owner.
enum Says {
    /// The name is not between owner and next.
    Nothing,
    /// An empty non-terminal: nothing there, something below (RFC 4592 §2.2.2).
    Empty,
    /// No such name, and nothing below it.
    Absent,
    /// It would, but for the types at its owner it must not be believed.
    Unfit(Reason),
}

impl<'a> Nsec<'a> {
    /// The one record of an NSEC RRset of `zone`; `None` when it is malformed, leaves the zone or
    /// the canonical order, or was made from a wildcard.
    pub(super) fn parse(zone: &Name, set: &'a RrSet) -> Option<Nsec<'a>> {
        if set.rtype != RrType::NSEC || !set.owner.is_at_or_below(zone) || is_expanded(set) {
            return None;
        }
        let rdata = only(set)?;
        let (next, types) = rdata.split_at_checked(wire_len(rdata)?)?;
        let next = Name::from_wire(next).ok()?;
        let types = Bitmap::parse(types)?;
        let ordered = next == *zone || (next.is_below(zone) && set.owner < next);
        ordered.then_some(Nsec { owner: &set.owner, next, types })
    }

    fn says(&self, zone: &Name, name: &Name) -> Says {
        let before_next = self.next == *zone || *name < self.next;
        if !(name.is_below(zone) && *self.owner < *name && before_next) {
            return Says::Nothing;
        }
        if name.is_below(self.owner) {
            if self.types.has(RrType::DNAME) {
                return Says::Unfit(Reason::DenialContradicts);
            }
            if self.types.is_delegation() {
                return Says::Unfit(Reason::DenialMissing);
            }
        }
        if self.next.is_below(name) { Says::Empty } else { Says::Absent }
    }

    /// The closest encloser of a name that this record says is absent: owner and next exist, and
    /// with them every name above them, and nothing between.
    pub(super) fn encloser(&self, name: &Name) -> Name {
        name.suffix(shared_labels(name, self.owner).max(shared_labels(name, &self.next)))
    }
}

/// Was this set made from a wildcard, as far as its signatures tell (RFC 4035 §5.3.4)? Whoever
/// verified it knows which signature counted and must not hand such sets on; this is a second look.
fn is_expanded(set: &RrSet) -> bool {
    let labels = set.owner.label_count() - usize::from(set.owner.is_wildcard());
    let mut sigs = set.sigs.iter().filter_map(|sig| sig.get(3)).peekable();
    sigs.peek().is_some() && sigs.all(|l| usize::from(*l) < labels)
}

/// How many labels two names share, from the right.
fn shared_labels(a: &Name, b: &Name) -> usize {
    let (mut x, mut y): (Vec<_>, Vec<_>) = (a.labels().collect(), b.labels().collect());
    x.reverse();
    y.reverse();
    x.iter().zip(&y).take_while(|(x, y)| x.eq_ignore_ascii_case(y)).count()
}

/// Do the types at `name` leave `qtype` out, in a record that may speak for it? RFC 6840 §4.1: above
/// a cut only DS may be denied, and (RFC 4035 §5.2) DS only there; §4.3: a CNAME would have answered.
pub(super) fn leaves_out(types: &Bitmap<'_>, name: &Name, qtype: RrType) -> Result<(), Reason> {
    let other_side =
        if qtype == RrType::DS { types.has(RrType::SOA) && !name.is_root() } else { types.is_delegation() };
    if other_side {
        return Err(Reason::DenialMissing);
    }
    let answers = |t: RrType| !matches!(t, RrType::RRSIG | RrType::NSEC | NXNAME);
    let there = match qtype {
        RrType::ANY => types.types().any(answers),
        _ => types.has(qtype) || types.has(RrType::CNAME),
    };
    if there { Err(Reason::DenialContradicts) } else { Ok(()) }
}

/// What the types at a name say of a delegation there (RFC 6840 §4.4, RFC 5155 §8.9).
pub(super) fn cut_by_types(types: &Bitmap<'_>) -> Result<Cut, Reason> {
    if types.has(RrType::SOA) {
        // The apex of the child, which cannot speak of its DS.
        return Err(Reason::DenialMissing);
    }
    if types.has(RrType::DS) {
        return Err(Reason::DenialContradicts);
    }
    Ok(if types.has(RrType::NS) { Cut::InsecureDelegation } else { Cut::NotACut })
}

/// The name `*` right below `encloser`.
pub(super) fn wildcard_below(encloser: &Name) -> Result<Name, Reason> {
    encloser.prepend(b"*").map_err(|_| Reason::DenialMissing)
}

/// The NSEC records of one zone, each believed.
#[derive(Clone, Debug)]
pub(super) struct Chain<'a> {
    pub(super) zone: Name,
    pub(super) records: Vec<Nsec<'a>>,
}

impl<'a> Chain<'a> {
    fn at(&self, name: &Name) -> Option<&Nsec<'a>> {
        self.records.iter().find(|nsec| nsec.owner == name)
    }

    /// The record that says that neither `name` nor anything below it exists.
    fn absent(&self, name: &Name) -> Result<&Nsec<'a>, Reason> {
        let mut reason = Reason::DenialMissing;
        for nsec in &self.records {
            match nsec.says(&self.zone, name) {
                Says::Absent => return Ok(nsec),
                Says::Unfit(Reason::DenialContradicts) => reason = Reason::DenialContradicts,
                Says::Nothing | Says::Empty | Says::Unfit(_) => {}
            }
        }
        Err(reason)
    }

    fn is_empty_non_terminal(&self, name: &Name) -> bool {
        self.records.iter().any(|nsec| matches!(nsec.says(&self.zone, name), Says::Empty))
    }

    /// RFC 4035 §5.4: neither the name nor a wildcard that would have matched it.
    pub(super) fn nxdomain(&self, qname: &Name) -> Result<(), Reason> {
        let encloser = self.absent(qname)?.encloser(qname);
        self.absent(&wildcard_below(&encloser)?).map(|_| ())
    }

    /// RFC 4035 §5.4 and §3.1.3.4: the name, or the wildcard that matches it, has not the type.
    pub(super) fn nodata(&self, qname: &Name, qtype: RrType) -> Result<(), Reason> {
        let leaves_out = |nsec: &Nsec<'_>| {
            // Each proves that it exists, whatever its bits say (RFC 4035 §5.4).
            if matches!(qtype, RrType::NSEC | RrType::RRSIG) {
                return Err(Reason::DenialContradicts);
            }
            leaves_out(&nsec.types, nsec.owner, qtype)
        };
        if let Some(nsec) = self.at(qname) {
            return leaves_out(nsec);
        }
        if self.is_empty_non_terminal(qname) {
            return Ok(());
        }
        let wildcard = wildcard_below(&self.absent(qname)?.encloser(qname))?;
        match self.at(&wildcard) {
            Some(nsec) => leaves_out(nsec),
            None if self.is_empty_non_terminal(&wildcard) => Ok(()),
            None => Err(Reason::DenialMissing),
        }
    }

    /// RFC 4035 §5.3.4: no name closer than the wildcard's parent; `next_closer` is one label longer.
    pub(super) fn wildcard_answer(&self, next_closer: &Name) -> Result<(), Reason> {
        self.absent(next_closer).map(|_| ())
    }

    /// What is at `cut`, seen from above.
    pub(super) fn delegation(&self, cut: &Name) -> Result<Cut, Reason> {
        if let Some(nsec) = self.at(cut) {
            return cut_by_types(&nsec.types);
        }
        if !self.is_empty_non_terminal(cut) {
            self.absent(cut)?;
        }
        Ok(Cut::NotACut)
    }
}
