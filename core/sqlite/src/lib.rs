//! Links SQLite3 Multiple Ciphers into the program; there is nothing to call here (see `build.rs` and `docs/adr`).
