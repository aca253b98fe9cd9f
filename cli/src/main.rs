//! The `veldwerk` command line.
fn main() {}
