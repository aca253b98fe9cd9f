//! Compiles the SQLite3 Multiple Ciphers amalgamation: the one build script of the project.

fn main() {
    let sources = sqlite3mc_src::source_dir();
    let mut build = cc::Build::new();
    build.file(sources.join(sqlite3mc_src::SOURCE_FILE)).include(sources).warnings(false);
    for (name, value) in [
        ("SQLITE_CORE", None),
        ("SQLITE_THREADSAFE", Some("1")),
        ("SQLITE_DEFAULT_FOREIGN_KEYS", Some("1")),
        ("SQLITE_ENABLE_API_ARMOR", None),
        ("SQLITE_ENABLE_COLUMN_METADATA", None),
        ("SQLITE_ENABLE_UNLOCK_NOTIFY", None),
        ("SQLITE_USE_URI", None),
        ("SQLITE_TEMP_STORE", Some("2")),
        ("HAVE_USLEEP", Some("1")),
    ] {
        build.define(name, value);
    }
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
        build.flag_if_supported("-msse4.2").flag_if_supported("-maes");
    }
    build.compile("sqlite3mc");
}
