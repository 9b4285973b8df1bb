//! Root hints (RFC 9609 §2): which servers to ask first, from a master file.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use super::Hint;
use crate::master;
use crate::rrset::RrType;
use crate::wire::Name;

/// The file of IANA, as it was when this program was built.
const COMPILED: &str = include_str!("../../root.hints");

/// The compiled-in hints.
pub(super) fn compiled() -> &'static [Hint] {
    // A test reads them; a broken file could only come with a broken build.
    static READ: LazyLock<Vec<Hint>> = LazyLock::new(|| read(COMPILED, "root.hints").unwrap_or_default());
    &READ
}

/// Root servers that have an address; the error says what is wrong with the file.
pub(super) fn read(text: &str, file: &str) -> Result<Vec<Hint>, String> {
    let records = master::parse(text, &Name::root(), file).map_err(|e| e.to_string())?;
    let of_type = |rtype| records.iter().filter(move |r| r.rtype == rtype);
    // By owner: a file may hold as many servers as addresses, and is read while somebody waits.
    let mut addresses: HashMap<&Name, Vec<IpAddr>> = HashMap::new();
    for record in of_type(RrType::A) {
        let address = <[u8; 4]>::try_from(record.rdata.as_slice()).map(IpAddr::from);
        addresses.entry(&record.owner).or_default().extend(address);
    }
    for record in of_type(RrType::AAAA) {
        let address = <[u8; 16]>::try_from(record.rdata.as_slice()).map(IpAddr::from);
        addresses.entry(&record.owner).or_default().extend(address);
    }
    let mut hints: Vec<Hint> = Vec::new();
    for ns in of_type(RrType::NS).filter(|ns| ns.owner.is_root()) {
        let Ok(name) = Name::from_wire(&ns.rdata) else { continue };
        // Taken out, so that a server that is named twice is one hint.
        let addresses = addresses.remove(&name).unwrap_or_default();
        if !addresses.is_empty() {
            hints.push(Hint { name, addresses });
        }
    }
    if hints.is_empty() {
        return Err(format!(
            "{file}: expected NS records of `.` and an A or AAAA record for at least one of their targets"
        ));
    }
    Ok(hints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_hints_hold_thirteen_servers_with_two_addresses() {
        let hints = compiled();
        assert_eq!(hints.len(), 13);
        assert!(hints.iter().all(|h| matches!(h.addresses[..], [IpAddr::V4(_), IpAddr::V6(_)])));
    }

    #[test]
    fn many_servers_are_read_in_no_time() {
        let many: String =
            (0..20_000).map(|n| format!(". NS s{n}.\ns{n}. AAAA ::1\nS{n}. A 192.0.2.1\n")).collect();
        let begun = std::time::Instant::now();
        let hints = read(&many, "h").unwrap();
        assert_eq!(hints.len(), 20_000);
        assert!(hints.iter().all(|h| matches!(h.addresses[..], [IpAddr::V4(_), IpAddr::V6(_)])));
        // Comparing each with each took 3.8 s.
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    }

    #[test]
    fn servers_without_an_address_are_no_hints() {
        let text = ". NS a.\n. NS b.\n. NS a.\nb. A 192.0.2.1\na. TXT x\nexample. NS c.\nc. A 192.0.2.2\n";
        let hints = read(text, "h").unwrap();
        assert_eq!(hints.len(), 1);
        assert_eq!(hints[0].name.to_string(), "b.");
        assert!(read(". NS a.\n", "h").unwrap_err().starts_with("h: expected NS records"));
        assert!(read(". NS\n", "h").unwrap_err().starts_with("h:1: NS: field 1"));
    }
}
