//! Traces in the formats for programs and pictures: for every name of the embedded world, the hops that each
//! shows are those of the answer, and what it writes is well-formed.

mod json;
mod modes;
mod pictures;
