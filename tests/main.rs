//! One test program; each module states what it shows.

mod scenario;
