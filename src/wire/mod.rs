//! BYTES: messages and names as they travel.
//!
//! Knows: the wire format of RFC 1035 §4 with EDNS (RFC 6891): a bounded, zero-copy reader, a
//! writer with compression and truncation by whole RRsets, and names that compare without regard
//! to ASCII case (RFC 4343). Every record type is opaque here but for the names inside the RDATA
//! of the types that RFC 3597 §4 lets a sender compress.
//!
//! Deliberately does not know: what a message means (`trust::scrub`), what may be cached, what to
//! answer. It uses no codec of a library: one odd record must not lose a message, DNAME must
//! parse, counts must not allocate (see `docs/decisions/0001-own-codec.md`).
//!
//! `ready` is the way around all that for cached answers: it reads one plain question and fills in blanks.
//!
//! Shown by: `tests/wire.rs` (differential against hickory-proto) and every scenario.

pub mod name;
pub mod reader;
pub mod ready;
pub mod writer;

pub use name::{Name, NameError, wire_len};
pub use reader::{Edns, Header, Message, ReadError, Record};
pub use writer::MessageWriter;

/// Work caps for one message, whoever sent it. They bound what a hostile packet can cost and are
/// far above what any honest message needs.
pub mod limits {
    /// Compression pointers followed for one name: RFC 1035 §4.1.4 sets no bound, and honest
    /// writers use up to one for each of the at most 127 labels.
    pub const POINTERS_PER_NAME: usize = 127;
    /// Pointers that one name we write makes a reader follow; other readers are less patient.
    pub const POINTERS_WRITTEN: usize = 16;
    /// Label octets copied while names of one message are expanded: about eight times 64 KiB.
    pub const EXPANDED_OCTETS: usize = 512 * 1024;
    /// Pointer hops over all names of one message, also of names that come to nothing.
    pub const POINTERS_PER_MESSAGE: usize = 32 * 1024;
    /// Records read from one message; a 64 KiB message holds at most 5,957 of 11 octets.
    pub const RECORDS: usize = 6_000;
    /// EDNS options read from one OPT record.
    pub const OPTIONS: usize = 64;
    /// Distinct name suffixes remembered for compression while one message is written.
    pub const COMPRESSION_TARGETS: usize = 512;
    /// Probes into the table of compression targets for one suffix.
    pub const COMPRESSION_PROBES: usize = 8;
}
