//! The suite `xlsform`: the questionnaires in the repository are what their scripts and pyxform make of them today, and so is
//! the form of all types and columns that the support matrix speaks of.
//!
//! The scripts run in a folder of their own, and each file that they make is compared byte for byte with the committed
//! one: the forms and their lists. Pictures are left out, since another zlib packs the same picture differently.

use std::fs;
use std::path::{Path, PathBuf};

use crate::counts::Counts;
use crate::workspace::{files_in, program, root, target};
use crate::{Result, run, tools};

const QUESTIONNAIRES: [&str; 2] = ["questionnaire", "interview"];
/// Every type and column of XLSForm in one sheet.
const SHEET: &str = "xlsform";

/// Builds them anew and counts one check per file.
pub(crate) fn check() -> Result<Counts> {
    let committed = root().join("server/forms");
    let python = tools::pyxform(&scripts(&root()).join("requirements.txt"))?;
    let built = target().join("xtask/forms");
    build(&python, &built)?;

    let mut counts = Counts::default();
    for name in QUESTIONNAIRES {
        let form = PathBuf::from(name).with_extension("xml");
        let lists = files_in(&committed.join(format!("{name}-media")), "csv");
        let lists = lists.iter().filter_map(|path| path.strip_prefix(&committed).ok().map(Path::to_owned));
        for file in std::iter::once(form).chain(lists) {
            counts += compare(&committed, &built, &file);
        }
    }
    let golden = root().join("tests/golden");
    convert(&python, &golden.join(SHEET).with_extension("md"), &built)?;
    counts += compare(&golden, &built, &Path::new(SHEET).with_extension("xml"));
    Ok(counts)
}

fn compare(committed: &Path, built: &Path, file: &Path) -> Counts {
    let equal = fs::read(committed.join(file)).is_ok_and(|old| fs::read(built.join(file)).is_ok_and(|new| old == new));
    println!("{} {} what its source makes", file.display(), if equal { "is" } else { "DIFFERS from" });
    Counts::of_check(equal)
}

/// The scripts that write the workbooks and their data.
pub(crate) fn scripts(root: &Path) -> PathBuf {
    root.join("server/forms/build")
}

/// Runs a copy of the scripts in `folder` and converts the workbooks; what fails leaves a file out, and is told so.
fn build(python: &Path, folder: &Path) -> Result {
    // Left from last time; there may be none.
    let _ = fs::remove_dir_all(folder);
    let copied = fs::create_dir_all(folder).and_then(|()| {
        files_in(&scripts(&root()), "py")
            .iter()
            .filter_map(|script| Some((script, folder.join(script.file_name()?))))
            .try_for_each(|(script, copy)| fs::copy(script, copy).map(drop))
    });
    copied.map_err(|error| format!("`{}` cannot be filled: {error}.", folder.display()))?;
    run::succeeds(program(python).arg(folder.join("build_forms.py")).arg("--no-compile"))?;
    for name in QUESTIONNAIRES {
        convert(python, &folder.join(name).with_extension("xlsx"), folder)?;
    }
    Ok(())
}

/// Makes an XForm of the same name, in `folder`, of a sheet.
fn convert(python: &Path, sheet: &Path, folder: &Path) -> Result<bool> {
    let form = folder.join(sheet.file_stem().unwrap_or_default()).with_extension("xml");
    let mut convert = program(python);
    convert.args(["-m", "pyxform.xls2xform", "--pretty_print", "--skip_validate"]);
    run::succeeds(convert.arg(sheet).arg(form))
}
