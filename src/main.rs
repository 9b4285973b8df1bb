//! The program: arguments, dispatch, exit code.
fn main() {}
