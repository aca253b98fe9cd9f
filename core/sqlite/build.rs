//! Compiles the SQLite3 Multiple Ciphers amalgamation: the one build script of the project.

/// How SQLite behaves.
const SQLITE: &[(&str, Option<&str>)] = &[
    ("SQLITE_CORE", None),
    ("SQLITE_THREADSAFE", Some("1")),
    ("SQLITE_DEFAULT_FOREIGN_KEYS", Some("1")),
    ("SQLITE_DQS", Some("0")),
    ("SQLITE_ENABLE_API_ARMOR", None),
    ("SQLITE_ENABLE_COLUMN_METADATA", None),
    ("SQLITE_ENABLE_UNLOCK_NOTIFY", None),
    ("SQLITE_USE_URI", None),
    ("SQLITE_TEMP_STORE", Some("2")),
    ("HAVE_USLEEP", Some("1")),
];

/// Of the seven ciphers only SQLCipher's format is wanted; without the others a library is 0.2 MB smaller. AES
/// instructions need no flag: the code looks for them when it runs.
const CIPHERS: &[(&str, Option<&str>)] = &[
    ("CODEC_TYPE", Some("CODEC_TYPE_SQLCIPHER")),
    ("HAVE_CIPHER_AES_128_CBC", Some("0")),
    ("HAVE_CIPHER_AES_256_CBC", Some("0")),
    ("HAVE_CIPHER_CHACHA20", Some("0")),
    ("HAVE_CIPHER_RC4", Some("0")),
    ("HAVE_CIPHER_ASCON128", Some("0")),
    ("HAVE_CIPHER_AEGIS", Some("0")),
];

fn main() {
    let sources = sqlite3mc_src::source_dir();
    let mut build = cc::Build::new();
    build.file(sources.join(sqlite3mc_src::SOURCE_FILE)).include(sources).warnings(false);
    for (name, value) in SQLITE.iter().chain(CIPHERS) {
        build.define(name, *value);
    }
    build.compile("sqlite3mc");
}
