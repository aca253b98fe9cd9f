use std::collections::HashSet;
use std::sync::Arc;

use super::{Files, Loader};
use crate::dataset::{Rows, read_csv, read_geojson};
use crate::form::{DiagnosticKind, List, ListTree};
use crate::ids::ElementId;
use crate::xml::{Document, Namespace};

/// The most broken lines of a list that are told one by one.
const MAX_TOLD: usize = 1_000;

impl Loader {
    /// Reads every secondary instance that some expression uses.
    pub(super) fn read_lists(&mut self, model: ElementId, files: &dyn Files) -> Vec<List> {
        let document = Arc::clone(&self.document);
        let instances: Vec<_> =
            document.children(model).filter(|&child| self.name(child) == "instance").skip(1).collect();
        let used = self.used_lists();
        let mut lists = Vec::new();
        let mut known = HashSet::new();
        for instance in instances {
            let Some(id) = self.attribute(instance, Namespace::None, "id") else {
                self.taken.whole(instance);
                self.warn(
                    DiagnosticKind::NoEffect,
                    "model",
                    "a second instance without an id, by which it could be used",
                );
                continue;
            };
            self.taken.element(instance);
            let source = self.attribute(instance, Namespace::None, "src");
            if !known.insert(id.clone()) {
                self.taken.whole(instance);
                self.warn(DiagnosticKind::Duplicate, id, "an instance");
                continue;
            }
            let content = document.children(instance).next();
            // What stands in a list that comes from a file is there for programs that look for some element.
            match (&source, content) {
                (Some(_), _) => self.taken.whole(instance),
                (None, content) => content.into_iter().for_each(|content| self.taken.whole(content)),
            }
            let file = source.as_deref().and_then(file_of);
            let tree = match &source {
                Some(source) if used.contains(&id) => self.read_file(&id, source, files),
                Some(_) => ListTree::Missing,
                None => match content {
                    Some(root) => ListTree::Element(Arc::clone(&document), root),
                    None => ListTree::Missing,
                },
            };
            lists.push(List { id: id.into(), file: file.map(Into::into), tree });
        }
        lists
    }

    /// The lists that some expression reads.
    fn used_lists(&self) -> HashSet<String> {
        let used = self.formulas.iter().flat_map(|(_, formula)| formula.expr.instance_ids());
        used.map(str::to_owned).collect()
    }

    /// The rows of a CSV file, every broken line told.
    pub(super) fn read_table(&mut self, name: &str, bytes: &[u8]) -> Rows {
        let (rows, problems) = read_csv(bytes, &mut self.names);
        for (line, problem) in problems.into_iter().take(MAX_TOLD) {
            self.warn(DiagnosticKind::BadCsv, format!("{name}, line {line}"), problem);
        }
        rows
    }

    fn read_file(&mut self, id: &str, source: &str, files: &dyn Files) -> ListTree {
        let Some(name) = file_of(source) else { return ListTree::LastSaved };
        let Some(bytes) = files.read(name) else {
            self.warn(DiagnosticKind::MissingFile, name, format!("instance('{id}') is empty"));
            return ListTree::Missing;
        };
        match name.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => ListTree::Rows(self.read_table(name, &bytes)),
            Some("geojson") => match read_geojson(&bytes, &mut self.names) {
                Ok(rows) => ListTree::Rows(rows),
                Err(problem) => self.bad_data(name, problem),
            },
            _ => match String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned()).and_then(|text| {
                Document::parse(text.into(), &mut self.names).map_err(|error| error.detail().to_owned())
            }) {
                Ok(document) => {
                    let root = document.root();
                    ListTree::Element(Arc::new(document), root)
                }
                Err(problem) => self.bad_data(name, problem),
            },
        }
    }

    fn bad_data(&mut self, name: &str, problem: String) -> ListTree {
        self.warn(DiagnosticKind::BadData, name, problem);
        ListTree::Missing
    }
}

/// The name of the file that a list comes from; none for the record before.
fn file_of(source: &str) -> Option<&str> {
    if source == "jr://instance/last-saved" { None } else { source.rsplit('/').next() }
}
