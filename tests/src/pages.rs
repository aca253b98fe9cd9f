//! Pages of `docs/` that are rendered from what the tests read.

use std::path::Path;

/// That a page is what it is rendered from; with `VELDWERK_UPDATE_DOCS` in the environment it is written first.
///
/// # Panics
/// If it is not.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so in the environment")]
pub fn assert_rendered(page: &Path, rendered: &str) {
    if std::env::var_os("VELDWERK_UPDATE_DOCS").is_some() {
        std::fs::write(page, rendered).expect("the page is written");
    }
    let written = std::fs::read_to_string(page).unwrap_or_default();
    assert!(
        written == rendered,
        "{} is not what it is rendered from: VELDWERK_UPDATE_DOCS=1 writes it",
        page.display()
    );
}
