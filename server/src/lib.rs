//! The embedded try-out server.
