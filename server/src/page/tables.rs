//! Records as tables in CSV: a row for each record, a column for each node; repeats in tables of their own.

use super::attachment::file_name;
use super::{Missing, Trouble};
use crate::database::RecordRow;
use crate::site::Site;
use crate::xml::{Node, Xml};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use veldwerk::{Error, ErrorKind, Result};

pub(super) async fn records(State(site): State<Arc<Site>>, Path(form_id): Path<String>) -> Result<Response, Trouble> {
    let name = format!("{form_id}.csv");
    let table = site.ask(move |site| Shape::of_form(site, &form_id)?.records(site, &form_id)).await?;
    Ok(download(&name, table))
}

pub(super) async fn repeat(
    State(site): State<Arc<Site>>,
    Path((form_id, file)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let Some(repeat) = file.strip_suffix(".csv").map(str::to_owned) else { return Ok(Missing.into_response()) };
    let name = format!("{form_id}-{file}");
    let table = site.ask(move |site| Shape::of_form(site, &form_id)?.repeat(site, &form_id, &repeat)).await?;
    Ok(download(&name, table))
}

/// The names of the tables of repeats: their paths with `-` for `/`.
pub(super) fn repeat_names(site: &Site, form_id: &str) -> Result<Vec<String>> {
    Ok(Shape::of_form(site, form_id)?.repeats.into_iter().map(|repeat| table_name(&repeat)).collect())
}

fn table_name(repeat: &str) -> String {
    repeat.replace('/', "-")
}

fn download(name: &str, table: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; {}", file_name(name))),
    ];
    (headers, table).into_response()
}

/// The nodes of a form's records, from all its versions. Paths have no root: `main/g_about/gender`.
struct Shape {
    /// Every leaf and every attribute (`meta/entity/@id`), in the order of the newest version.
    columns: Vec<String>,
    /// Every repeat.
    repeats: Vec<String>,
}

impl Shape {
    fn of_form(site: &Site, form_id: &str) -> Result<Self> {
        let mut shape = Self { columns: Vec::new(), repeats: Vec::new() };
        let versions = site.database.form_versions(form_id)?;
        if versions.is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        for (_, xml) in versions {
            shape.add(&Xml::read(&xml)?);
        }
        Ok(shape)
    }

    fn add(&mut self, form: &Xml) {
        let model = form.root().child("head").and_then(|head| head.child("model"));
        let root = model.and_then(|model| model.child("instance")).and_then(|instance| instance.children().next());
        let Some(root) = root else { return };
        for repeat in form.elements().filter(|element| element.name() == "repeat") {
            let path = repeat.attribute("nodeset").unwrap_or_default();
            let path = path.trim().trim_start_matches('/').split_once('/').map_or("", |(_, path)| path);
            push_new(&mut self.repeats, path.to_owned());
        }
        for child in root.children() {
            visit(child, "", &mut |path, _| push_new(&mut self.columns, path));
        }
    }

    /// The innermost repeat that holds `path`.
    fn repeat_of(&self, path: &str) -> Option<&str> {
        let holds = |repeat: &&String| path.strip_prefix(repeat.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.repeats.iter().filter(holds).max_by_key(|repeat| repeat.len()).map(String::as_str)
    }

    /// The columns of the table of `repeat`, or of the records.
    fn columns_of(&self, repeat: Option<&str>) -> Vec<&str> {
        self.columns.iter().map(String::as_str).filter(|column| self.repeat_of(column) == repeat).collect()
    }

    fn records(&self, site: &Site, form_id: &str) -> Result<Vec<u8>> {
        let columns = self.columns_of(None);
        let mut table = Table::new(&["KEY", "RECEIVED", "VERSION"], &columns)?;
        site.database.each_record(form_id, |row, xml| {
            let record = Xml::read(xml)?;
            let received = Timestamp::from_millisecond(row.received_at).unwrap_or_default().to_string();
            let values = self.values(record.root(), "");
            table.row(&[&row.instance_id, &received, &row.version], &columns, &values)
        })?;
        table.finish()
    }

    fn repeat(&self, site: &Site, form_id: &str, name: &str) -> Result<Vec<u8>> {
        let repeat = self.repeats.iter().find(|repeat| table_name(repeat) == name).ok_or(ErrorKind::NotFound)?;
        let columns = self.columns_of(Some(repeat));
        let mut table = Table::new(&["PARENT_KEY", "KEY"], &columns)?;
        site.database.each_record(form_id, |row: RecordRow, xml| {
            let record = Xml::read(xml)?;
            self.repeat_rows(record.root(), "", &row.instance_id, repeat, &mut |parent, key, node| {
                let values = self.values(node, repeat);
                table.row(&[parent, key], &columns, &values)
            })
        })?;
        table.finish()
    }

    /// Calls `each` with the key of the parent, the own key and the node of every instance of `repeat` below `node`.
    fn repeat_rows(
        &self,
        node: Node<'_>,
        path: &str,
        key: &str,
        repeat: &str,
        each: &mut dyn FnMut(&str, &str, Node<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
        for child in node.children() {
            let path = join(path, child.name());
            if !self.repeats.contains(&path) {
                self.repeat_rows(child, &path, key, repeat, each)?;
                continue;
            }
            let position = positions.entry(child.name()).and_modify(|position| *position += 1).or_insert(1);
            let own_key = format!("{key}/{path}[{position}]");
            if path == repeat {
                each(key, &own_key, child)?;
            }
            self.repeat_rows(child, &path, &own_key, repeat, each)?;
        }
        Ok(())
    }

    /// The values at and below `node`, without those inside repeats further down.
    fn values(&self, node: Node<'_>, path: &str) -> BTreeMap<String, String> {
        let repeat = (!path.is_empty()).then_some(path);
        let mut values = BTreeMap::new();
        for child in node.children() {
            visit(child, path, &mut |path, value| {
                if self.repeat_of(&path) == repeat {
                    values.insert(path, value);
                }
            });
        }
        values
    }
}

/// Calls `each` with the path and the value of every leaf and attribute at and below `node`.
fn visit(node: Node<'_>, parent: &str, each: &mut dyn FnMut(String, String)) {
    let path = join(parent, node.name());
    for (name, value) in node.attributes() {
        each(format!("{path}/@{name}"), value);
    }
    if node.children().next().is_none() {
        each(path, node.text().into_owned());
        return;
    }
    for child in node.children() {
        visit(child, &path, each);
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

fn push_new(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// A table being written.
struct Table(csv::Writer<Vec<u8>>);

impl Table {
    fn new(keys: &[&str], columns: &[&str]) -> Result<Self> {
        // Spreadsheets take a file for UTF-8 only with a byte order mark; without it Arabic arrives as rubbish.
        let mut table = Self(csv::Writer::from_writer("\u{feff}".into()));
        table.write(keys.iter().chain(columns).copied())?;
        Ok(table)
    }

    fn row(&mut self, keys: &[&str], columns: &[&str], values: &BTreeMap<String, String>) -> Result<()> {
        let values = columns.iter().map(|column| values.get(*column).map_or("", String::as_str));
        self.write(keys.iter().copied().chain(values))
    }

    fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<()> {
        self.0.write_record(cells.map(as_text)).map_err(failed)
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.0.into_inner().map_err(failed)
    }
}

/// A cell that a spreadsheet would take for a formula is quoted with an apostrophe, which makes it text.
fn as_text(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "writing a table").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_becomes_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(as_text(cell), format!("'{cell}"));
        }
        for cell in ["", "1+1", " =1", "'=1"] {
            assert_eq!(as_text(cell), cell);
        }
    }
}
