//! `cargo xtask fuzz TARGET`: mutated input for every place that reads what strangers wrote.
//!
//! The first inputs are those of `tests/fuzz/seeds`, and for forms and expressions our questionnaires.
//! What breaks something becomes a test of its own; the file itself stays out of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::{files_in, program, root, target, tools_folder};
use crate::{Result, run, setup, tools};

/// Attributes of a form that hold an expression.
const EXPRESSIONS: [&str; 8] =
    ["calculate", "constraint", "jr:count", "nodeset", "readonly", "ref", "relevant", "value"];

/// Free disk that the fuzzer's own build needs.
const GIBIBYTES: u64 = 2;

/// Fuzzes `target_name` for `seconds` (60 unless told); `false` if an input broke something.
pub(crate) fn run(target_name: &str, seconds: Option<&str>) -> Result<bool> {
    if !targets().iter().any(|known| known == target_name) {
        return Err(format!("There is no target `{target_name}`. There are: {}.", target_names()));
    }
    let seconds: u64 = match seconds {
        Some(text) => text.parse().map_err(|_| format!("`{text}` is not a number of seconds."))?,
        None => 60,
    };
    setup::check(GIBIBYTES)?;
    let fuzzer = tools::CARGO_FUZZ.obtain()?;
    plant(target_name)?;

    let mut fuzz = program(fuzzer);
    // The engine has no `unsafe`, so no sanitizer: the same hour tries several times as many inputs.
    fuzz.args(["run", target_name, "--fuzz-dir", "tests/fuzz", "--sanitizer", "none"]);
    fuzz.arg("--target-dir").arg(target().join("fuzz"));
    fuzz.args(["--", "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1", "-dict=tests/fuzz/words.dict"]);
    fuzz.arg(format!("-max_total_time={seconds}"));
    // The compiler's instrumentation is not stable yet; the code under test stays on the stable language.
    fuzz.env("RUSTC_BOOTSTRAP", "1").env("PATH", path_with_tools());
    run::succeeds(&mut fuzz)
}

/// All targets, for a sentence.
pub(crate) fn target_names() -> String {
    targets().join(", ")
}

fn targets() -> Vec<String> {
    let names = files_in(&root().join("tests/fuzz/fuzz_targets"), "rs");
    names.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect()
}

/// Lays the first inputs into the target's corpus.
fn plant(target_name: &str) -> Result {
    let corpus = root().join("tests/fuzz/corpus").join(target_name);
    fs::create_dir_all(&corpus).map_err(|error| cannot_write(&corpus, &error))?;
    for (name, text) in seeds(target_name) {
        let path = corpus.join(name);
        fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
    }
    Ok(())
}

/// Names and bytes: whole forms, the expressions in them, or what lies in the target's own folder.
fn seeds(target_name: &str) -> Vec<(String, Vec<u8>)> {
    let own = root().join("tests/fuzz/seeds").join(target_name);
    let paths = match target_name {
        "xpath" | "form_load" => {
            let folders = ["server/forms", "tests/fuzz/seeds/form_load"];
            folders.iter().flat_map(|folder| files_in(&root().join(folder), "xml")).collect()
        }
        _ => all_files_in(&own),
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files = paths.iter().filter_map(|path| Some((name(path), fs::read(path).ok()?)));
    if target_name != "xpath" {
        return files.collect();
    }
    let expressions: BTreeSet<String> =
        files.flat_map(|(_, form)| expressions(&String::from_utf8_lossy(&form))).collect();
    expressions.into_iter().enumerate().map(|(n, text)| (format!("expression-{n}"), text.into_bytes())).collect()
}

fn all_files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

/// Every expression in a form, unescaped.
fn expressions(form: &str) -> BTreeSet<String> {
    let values = |attribute: &str| -> Vec<String> {
        let opening = format!(" {attribute}=\"");
        form.split(opening.as_str())
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(|text| {
                let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
                text.replace("&apos;", "'").replace("&amp;", "&")
            })
            .collect()
    };
    EXPRESSIONS.iter().flat_map(|attribute| values(attribute)).collect()
}

/// `cargo fuzz` looks for itself.
fn path_with_tools() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools_folder().join("bin")).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or(path)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    format!("`{}` cannot be written: {error}.", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_found_and_unescaped() {
        let form = r#"<bind nodeset="/data/a" relevant=" /data/b &gt; 3 and . != &quot;&amp;lt;&quot; "/><input ref="/data/a"/>"#;
        let found = expressions(form);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [" /data/b > 3 and . != \"&lt;\" ", "/data/a"]);
    }

    #[test]
    fn every_target_has_something_to_begin_with() {
        assert!(targets().len() >= 8, "{}", target_names());
        for target in targets() {
            assert!(!seeds(&target).is_empty(), "{target}");
        }
    }

    #[test]
    fn an_unknown_target_is_refused() {
        assert!(run("no-such-target", None).is_err_and(|problem| problem.contains("xpath")));
    }
}
