//! When this was built, in seconds since 1970: a clock that is earlier is wrong.
//! `SOURCE_DATE_EPOCH` makes builds reproducible (reproducible-builds.org).

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    println!("cargo::rustc-env=CNAMED_BUILT={}", given.unwrap_or(now));
}
