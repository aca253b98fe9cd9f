//! Arrows point down: no module of the core uses one above it (docs/ARCHITECTURE.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests say what must hold by panicking")]

use std::path::{Path, PathBuf};

/// The layers from the bottom; modules of one layer do not use each other unless listed.
const LAYERS: &[&[&str]] = &[
    &["error", "ids", "clock"],
    &["xml", "text"],
    &["dataset", "xpath"],
    &["form"],
    &["instance"],
    &["engine", "openrosa"],
    &["check", "session", "store", "sync"],
    &["client"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules of the crate that a source names, as `crate::module` or within `crate::{…}`.
fn used(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut modules = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(','),
            // What stands in braces behind a module is its own.
            None => rest.split([';', ':']).next().unwrap_or_default().split(','),
        };
        let first = |name: &str| {
            name.trim().split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default().to_owned()
        };
        modules.extend(names.map(first).filter(|name| layer(name).is_some()));
    }
    modules
}

#[test]
fn no_module_uses_one_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let mut n_arrows = 0;
    for path in found {
        let inside = path.strip_prefix(&root).unwrap();
        let module = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        let Some(own) = layer(&module) else { continue };
        for other in used(&std::fs::read_to_string(&path).unwrap()) {
            n_arrows += 1;
            let beside = own == layer(&other).unwrap() && other != module;
            assert!(layer(&other).unwrap() <= own && !beside || own == 0, "{} uses {other}", inside.display());
        }
    }
    assert!(n_arrows > 100, "the sources were not read");
}
