//! One zone of the lab, and what it says about a name.
//!
//! Knows: RFC 1034 §4.3.2 and RFC 6672 §3.2 (matching label by label: cut, DNAME, wildcard), RFC
//! 4592 (empty non-terminals, wildcard synthesis), RFC 2308 §3 (the SOA of a negative answer).
//! Deliberately does not refuse wrong data (CNAME beside A, several CNAMEs): showing what follows
//! from it is the lab's purpose. Does not know: other zones, messages, signatures (RRSIG and NSEC
//! are ordinary types here; `signed` knows what they are for). Shown by: `tests/lab.rs`.

use std::collections::{BTreeMap, HashMap};

use super::error::LabError;
use crate::master::MasterRecord;
use crate::rrset::{Class, RrSet, RrType};
use crate::wire::Name;

/// What one owner has; empty for an empty non-terminal.
type Node = BTreeMap<RrType, RrSet>;

/// One zone's data.
#[derive(Debug)]
pub struct Zone {
    apex: Name,
    nodes: HashMap<Name, Node>,
}

/// The records of an RRset so far.
struct Gathered {
    ttl: u32,
    rdata: Vec<Vec<u8>>,
}

/// What a zone says about one name and type.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// The RRset asked for, or all of them for ANY.
    Data(Vec<RrSet>),
    /// An alias: what belongs into the answer, and where it points.
    Alias {
        /// A CNAME with what wrongly stands beside it, or a DNAME with its synthesized CNAME.
        records: Vec<RrSet>,
        /// The next name.
        target: Name,
    },
    /// A DNAME whose substitution is over 255 octets (RFC 6672 §2.2).
    TooLong(RrSet),
    /// The name is at or below this cut.
    Referral(RrSet),
    /// The name exists, the type does not.
    NoData {
        /// The name exists only because names below it do (RFC 4592 §2.2.2).
        empty_non_terminal: bool,
    },
    /// The name does not exist.
    NoName,
}

impl Zone {
    /// A zone of the records of `file`. Its apex is where the SOA stands; an RRset's TTL is the
    /// lowest of its records (RFC 2181 §5.2).
    pub fn new(records: Vec<MasterRecord>, file: &str) -> Result<Zone, LabError> {
        let wrong = |line, what: String| LabError::Zone { file: file.to_owned(), line, what };
        let mut soas = records.iter().filter(|r| r.rtype == RrType::SOA);
        let Some(apex) = soas.next().map(|soa| soa.owner.clone()) else {
            return Err(wrong(1, "no SOA record: a zone starts with one".to_owned()));
        };
        if let Some(second) = soas.next() {
            return Err(wrong(second.line, format!("a second SOA; the first is at {apex}: keep one")));
        }
        let mut sets: HashMap<(Name, RrType), Gathered> = HashMap::new();
        for r in records {
            if !r.owner.is_at_or_below(&apex) {
                return Err(wrong(r.line, format!("{} is outside the zone {apex}", r.owner)));
            }
            if r.class != Class::IN {
                return Err(wrong(r.line, format!("class {}: only IN is served", r.class)));
            }
            let set = sets.entry((r.owner, r.rtype)).or_insert(Gathered { ttl: r.ttl, rdata: Vec::new() });
            set.ttl = r.ttl.min(set.ttl);
            // A record that is there twice counts once (RFC 2181 §5).
            if !set.rdata.contains(&r.rdata) {
                set.rdata.push(r.rdata);
            }
        }
        let mut nodes: HashMap<Name, Node> = HashMap::new();
        for ((owner, rtype), Gathered { ttl, rdata }) in sets {
            let mut above = owner.parent();
            while let Some(name) = above.filter(|name| name.is_at_or_below(&apex)) {
                above = name.parent();
                nodes.entry(name).or_default();
            }
            let set = RrSet::new(owner.clone(), rtype, ttl, rdata.iter().map(Vec::as_slice));
            nodes.entry(owner).or_default().insert(rtype, set);
        }
        Ok(Zone { apex, nodes })
    }

    /// The zone's name.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The RRset as the file has it, also glue and what is hidden below a cut or a DNAME.
    pub fn stored(&self, owner: &Name, rtype: RrType) -> Option<&RrSet> {
        self.nodes.get(owner)?.get(&rtype)
    }

    /// Does the name exist, be it as an empty non-terminal?
    pub fn has(&self, name: &Name) -> bool {
        self.nodes.contains_key(name)
    }

    /// The NSEC RRset of the name, or of the last one before it in canonical order (RFC 4034 §6.1).
    pub fn nsec_at_or_before(&self, name: &Name) -> Option<&RrSet> {
        let all = self.nodes.values().filter_map(|node| node.get(&RrType::NSEC));
        all.filter(|nsec| nsec.owner <= *name).max_by(|a, b| a.owner.cmp(&b.owner))
    }

    /// The NS RRsets of the cuts to other zones.
    pub fn cuts(&self) -> impl Iterator<Item = &RrSet> {
        self.nodes.values().filter_map(|node| node.get(&RrType::NS)).filter(|ns| ns.owner != self.apex)
    }

    /// Every A and AAAA RRset of the file.
    pub fn addresses(&self) -> impl Iterator<Item = &RrSet> {
        let sets = self.nodes.values().flat_map(Node::values);
        sets.filter(|set| matches!(set.rtype, RrType::A | RrType::AAAA))
    }

    /// The SOA for a negative answer, with the negative TTL (RFC 2308 §3).
    pub fn negative_soa(&self) -> Option<RrSet> {
        let soa = self.stored(&self.apex, RrType::SOA)?;
        Some(RrSet { ttl: soa.ttl.min(soa.soa_minimum()?), ..soa.clone() })
    }

    /// Matches `name`, which is at or below the apex, label by label.
    pub fn find(&self, name: &Name, rtype: RrType) -> Finding {
        let (apex, all) = (self.apex.label_count(), name.label_count());
        for labels in apex..=all {
            let at = name.suffix(labels);
            let Some(node) = self.nodes.get(&at) else {
                return self.synthesize(name, &name.suffix(labels - 1), rtype);
            };
            let whole = labels == all;
            // DS belongs to the parent's side of the cut (RFC 4035 §3.1.4.1).
            if let Some(ns) = node.get(&RrType::NS).filter(|_| labels > apex)
                && !(whole && rtype == RrType::DS)
            {
                return Finding::Referral(ns.clone());
            }
            if let Some(dname) = node.get(&RrType::DNAME).filter(|_| !whole) {
                return redirect(name, dname);
            }
            if whole {
                return at_node(node, name, rtype);
            }
        }
        Finding::NoName
    }

    /// The closest encloser's wildcard, if it has one (RFC 4592 §3.3).
    fn synthesize(&self, name: &Name, encloser: &Name, rtype: RrType) -> Finding {
        let source = encloser.prepend(b"*").ok().and_then(|source| self.nodes.get(&source));
        source.map_or(Finding::NoName, |node| at_node(node, name, rtype))
    }
}

/// What `node` has for `rtype`, in the name of `owner`.
fn at_node(node: &Node, owner: &Name, rtype: RrType) -> Finding {
    let owned = |set: &RrSet| RrSet { owner: owner.clone(), ..set.clone() };
    if rtype == RrType::ANY && !node.is_empty() {
        return Finding::Data(node.values().map(owned).collect());
    }
    let wanted = node.get(&rtype);
    let cname = node.get(&RrType::CNAME).filter(|_| {
        // A zone with a CNAME at its apex must still show its SOA and NS, or nobody would find it.
        let at_apex =
            node.contains_key(&RrType::SOA) && matches!(rtype, RrType::SOA | RrType::NS | RrType::DNSKEY);
        wanted.is_none() || !(at_apex || rtype.may_sit_beside_cname())
    });
    match (cname.and_then(|set| Some((set, set.target()?))), wanted) {
        (Some((set, target)), _) => {
            Finding::Alias { records: [Some(set), wanted].into_iter().flatten().map(owned).collect(), target }
        }
        (None, Some(set)) => Finding::Data(vec![owned(set)]),
        (None, None) => Finding::NoData { empty_non_terminal: node.is_empty() },
    }
}

/// The DNAME and the CNAME synthesized from it, with the DNAME's TTL (RFC 6672 §3.1).
fn redirect(name: &Name, dname: &RrSet) -> Finding {
    let target = dname.target().and_then(|target| name.replace_suffix(&dname.owner, &target));
    match target {
        Some(Ok(target)) => {
            let cname = RrSet::new(name.clone(), RrType::CNAME, dname.ttl, [target.as_wire()]);
            Finding::Alias { records: vec![dname.clone(), cname], target }
        }
        Some(Err(_)) => Finding::TooLong(dname.clone()),
        None => Finding::NoName,
    }
}
