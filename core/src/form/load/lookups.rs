//! Choices from a file that no instance declares: `query=` of an old external select, and `search()` in an appearance
//! (xforms.md §6). Both become an itemset over a list of their own, so that everything else sees an ordinary select.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::{Files, Loader};
use crate::dataset::{Dataset, Rows};
use crate::form::{ControlKind, DiagnosticKind, Formula, Itemset, Itext, Label, List, ListTree};
use crate::ids::{ControlId, DefId, ElementId, FormulaId};
use crate::xml::{NameId, Namespace, is_name};
use crate::xpath::{self, Function, Node, parse_number};

/// Where every external select has its choices.
const ITEMSETS: &str = "itemsets.csv";

/// A question whose choices are looked up.
pub(super) struct Lookup {
    control: ControlId,
    base: DefId,
    place: String,
    by: By,
}

enum By {
    /// `query=`, as written.
    Query(String),
    /// `search(…)`: its arguments, as written.
    Search(Vec<String>),
}

impl Loader {
    /// An input with a query is a select.
    pub(super) fn kind_with_query(&mut self, element: ElementId, kind: ControlKind) -> ControlKind {
        let is_looked_up = kind == ControlKind::Input && self.attribute(element, Namespace::None, "query").is_some();
        if is_looked_up { ControlKind::Select1 } else { kind }
    }

    /// Keeps in mind that the choices of a control are looked up, until its lists can be read.
    pub(super) fn note_lookup(&mut self, element: ElementId, id: ControlId, base: DefId, place: &str) {
        if !self.controls[id].kind.has_choices() {
            return;
        }
        let query = self.attribute(element, Namespace::None, "query");
        let control = &self.controls[id];
        let search = control.search().map(|arguments| arguments.into_iter().map(str::to_owned).collect());
        let by = match (query, search) {
            (Some(query), _) if control.itemset.is_none() && control.items.is_empty() => By::Query(query),
            (Some(_), _) => {
                return self.warn(DiagnosticKind::NoEffect, place, "a query beside choices of its own");
            }
            (None, Some(_)) if control.itemset.is_some() => {
                return self.warn(DiagnosticKind::NoEffect, place, "search() beside a list of its own");
            }
            (None, Some(arguments)) => By::Search(arguments),
            (None, None) => return,
        };
        self.lookups.push(Lookup { control: id, base, place: place.to_owned(), by });
    }

    /// Tells of choices that are no nodes: only a path leads to some, and `randomize()` shuffles them (xforms.md §6).
    pub(super) fn check_nodeset(&mut self, nodeset: FormulaId, place: &str) {
        let expr = &self.formulas[nodeset].expr;
        let leads_to_nodes = |id| match expr.node(id) {
            Node::Path(_) => true,
            Node::Call { function: Function::Randomize, args } => {
                args.first().is_some_and(|&arg| matches!(expr.node(arg), Node::Path(_)))
            }
            _ => false,
        };
        if !leads_to_nodes(expr.root()) {
            self.warn(
                DiagnosticKind::UnsupportedExpression,
                place,
                "choices must come from a path, or randomize() of one",
            );
        }
    }

    /// Gives every such control its itemset, and reads the lists behind them.
    pub(super) fn read_lookups(&mut self, model: ElementId, itext: &Itext, files: &dyn Files) -> Vec<List> {
        let lookups = std::mem::take(&mut self.lookups);
        let mut tables = Tables { by_file: HashMap::new(), lists: Vec::new() };
        for lookup in &lookups {
            let itemset = match &lookup.by {
                By::Query(query) => self.read_query(lookup, query, model, itext, &mut tables, files),
                By::Search(arguments) => self.read_search(lookup, arguments, itext, &mut tables, files),
            };
            self.controls[lookup.control].itemset = itemset;
        }
        tables.lists
    }

    /// `query="instance('towns')/root/item[…]"`: the rows of a declared list, else those of `itemsets.csv` whose
    /// `list_name` is `towns`.
    fn read_query(
        &mut self,
        lookup: &Lookup,
        query: &str,
        model: ElementId,
        itext: &Itext,
        tables: &mut Tables,
        files: &dyn Files,
    ) -> Option<Itemset> {
        let Lookup { base, place, .. } = lookup;
        let nodeset = self.formula(&with_column_names(query), *base, place, "choice_filter")?;
        self.check_nodeset(nodeset, place);
        let Some(list) = self.formulas[nodeset].expr.instance_ids().next().map(str::to_owned) else {
            self.warn(DiagnosticKind::Unsupported, place, "a query that names no list");
            return None;
        };
        let document = Arc::clone(&self.document);
        let id = self.names.find("id");
        let is_declared = document.children(model).any(|child| {
            self.name(child) == "instance"
                && document.attribute(child, Namespace::None, id).as_deref() == Some(list.as_str())
        });
        let (value, labels) = if is_declared {
            ("name".to_owned(), vec!["label".to_owned()])
        } else {
            let table = tables.of_file(ITEMSETS, self, files);
            let of = |header: &str| table.column(header);
            let labels = table.labels_by_language(itext);
            let has_labels = !labels.is_empty();
            for (header, is_there) in
                [("list_name", of("list_name").is_some()), ("name", of("name").is_some()), ("label", has_labels)]
            {
                if !is_there {
                    self.warn(DiagnosticKind::MissingColumn, ITEMSETS, header);
                }
            }
            let rows = of("list_name").map(|(column, _)| table.rows.find(column, &list)).unwrap_or_default();
            tables.add(&list, ITEMSETS, &table, rows.into_iter().map(|row| row as usize), self);
            (of("name")?.1, labels)
        };
        let value = self.formula(&value, *base, place, "choices")?;
        let label = self.label_of(&labels, *base, place);
        Some(Itemset { nodeset, value, label, n_before: 0, is_distinct: false })
    }

    /// `search(file[, mode, columns, text[, column, value]])`: choices with a whole number for a value stay as they are; another
    /// one names the columns of value and label.
    fn read_search(
        &mut self,
        lookup: &Lookup,
        arguments: &[String],
        itext: &Itext,
        tables: &mut Tables,
        files: &dyn Files,
    ) -> Option<Itemset> {
        let Lookup { control, base, place, .. } = lookup;
        let items = std::mem::take(&mut self.controls[*control].items);
        let is_written = |value: &str| value.parse::<i64>().is_ok();
        let n_before = items.iter().take_while(|item| is_written(&item.value)).count();
        let (written, mut templates): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| is_written(&item.value));
        self.controls[*control].items = written;
        if templates.len() > 1 {
            self.warn(DiagnosticKind::NoEffect, place, "of the columns that search() is to show only the first are");
        }
        let refused = |loader: &mut Self, why: &str| {
            loader.warn(DiagnosticKind::UnsupportedExpression, place, format!("search(): {why}"));
        };
        let Some(template) = (!templates.is_empty()).then(|| templates.swap_remove(0)) else {
            refused(self, "no choice names the columns of its file");
            return None;
        };
        let Some(search) = Search::read(arguments) else {
            refused(self, "it takes a file, or a file, a mode, columns and a text, and then a column and a value");
            return None;
        };
        let file = format!("{}.csv", search.file);
        let table = tables.of_file(&file, self, files);
        let column = |loader: &mut Self, header: &str| {
            let found = table.column(header).map(|(_, name)| name);
            if found.is_none() {
                loader.warn(DiagnosticKind::MissingColumn, &file, header.trim());
            }
            found
        };
        let value = column(self, &template.value)?;
        let queried: Option<Vec<_>> = search.columns.iter().map(|header| column(self, header)).collect();
        let filtered = match search.filter {
            Some((header, text)) => Some((column(self, header)?, text)),
            None => None,
        };
        let labels: Vec<_> = self.label_texts(template.label.as_ref(), itext);
        let labels = labels.iter().map(|headers| {
            let names = headers.split(',').map(str::trim).filter(|header| !header.is_empty());
            let names: Vec<_> = names.filter_map(|header| Some((header, column(self, header)?))).collect();
            label_source(&names)
        });
        let labels: Vec<_> = labels.collect();
        if self.has_picture(template.label.as_ref(), itext) {
            self.warn(DiagnosticKind::Unsupported, place, "pictures of choices by search()");
        }
        tables.add(&file, &file, &table, table.sorted(), self);
        let (source, given) = search.nodeset(&file, &queried?, filtered);
        let nodeset = match xpath::parse(&source, &mut self.names) {
            Ok(mut expr) => {
                given.iter().for_each(|span| expr.start_at_current(span));
                self.formulas.push(Formula { expr, context: *base })
            }
            Err(_) => {
                refused(self, "the text that is looked for cannot be read");
                return None;
            }
        };
        let value = self.formula(&value, *base, place, "choices")?;
        let label = self.label_of(&labels, *base, place);
        Some(Itemset { nodeset, value, label, n_before, is_distinct: true })
    }

    /// The text of a choice's label in each language.
    fn label_texts(&self, label: Option<&Label>, itext: &Itext) -> Vec<String> {
        match label {
            Some(Label::Literal(element)) => vec![self.document.text(*element).trim().to_owned()],
            Some(Label::Itext(id)) => (0..itext.languages().len())
                .map(|language| self.itext_value(itext, language, id, None).unwrap_or_default())
                .collect(),
            _ => Vec::new(),
        }
    }

    fn has_picture(&self, label: Option<&Label>, itext: &Itext) -> bool {
        let Some(Label::Itext(id)) = label else { return false };
        (0..itext.languages().len()).any(|language| self.itext_value(itext, language, id, Some("image")).is_some())
    }

    fn itext_value(&self, itext: &Itext, language: usize, id: &str, form: Option<&str>) -> Option<String> {
        let text = itext.text(&self.document, &self.names, language, id)?;
        let value = itext.value(&self.document, &self.names, text, form)?;
        Some(self.document.text(value).trim().to_owned())
    }

    /// The label that these expressions give: one for all languages, or one for each.
    fn label_of(&mut self, sources: &[String], base: DefId, place: &str) -> Option<Label> {
        if let [source] = sources {
            return self.formula(source, base, place, "choices").map(Label::Formula);
        }
        let formulas: Option<Vec<_>> =
            sources.iter().map(|source| self.formula(source, base, place, "choices")).collect();
        formulas.filter(|formulas| !formulas.is_empty()).map(|formulas| Label::ByLanguage(formulas.into()))
    }
}

/// The files that have been read for look-ups, and the lists made of them.
struct Tables {
    by_file: HashMap<String, Rc<Table>>,
    lists: Vec<List>,
}

impl Tables {
    /// A file as a table; one that is not there is told, and empty.
    fn of_file(&mut self, file: &str, loader: &mut Loader, files: &dyn Files) -> Rc<Table> {
        if let Some(known) = self.by_file.get(file) {
            return Rc::clone(known);
        }
        let rows = match files.read(file) {
            Some(bytes) => loader.read_table(file, &bytes),
            None => {
                loader.warn(DiagnosticKind::MissingFile, file, "choices are looked up in it");
                Rows::default()
            }
        };
        let headers = rows.columns().iter().map(|&column| loader.names.get(column).to_owned()).collect();
        let table = Rc::new(Table::new(rows, headers));
        self.by_file.insert(file.to_owned(), Rc::clone(&table));
        table
    }

    /// Adds a list of some rows of a table, unless it is there already.
    fn add(&mut self, id: &str, file: &str, table: &Table, rows: impl IntoIterator<Item = usize>, loader: &mut Loader) {
        if self.lists.iter().any(|known| *known.id == *id) {
            return;
        }
        let columns: Vec<NameId> = table.names.iter().map(|name| loader.names.intern(name)).collect();
        let tree = ListTree::Rows(table.rows.choose(columns, rows));
        self.lists.push(List { id: id.into(), file: Some(file.into()), tree });
    }
}

/// A file with names for its columns that an expression can write.
struct Table {
    rows: Rows,
    headers: Vec<String>,
    names: Vec<String>,
}

impl Table {
    fn new(rows: Rows, headers: Vec<String>) -> Self {
        let mut names: Vec<String> = Vec::new();
        for header in &headers {
            let mut name = column_name(header);
            while names.contains(&name) {
                name.push('_');
            }
            names.push(name);
        }
        Self { rows, headers, names }
    }

    /// The place and the name of a column: as written, else without regard to case and to signs that no name has, as Collect
    /// finds it. A table without columns is not known to lack any.
    fn column(&self, header: &str) -> Option<(usize, String)> {
        let wanted = header.trim();
        if self.headers.is_empty() {
            return Some((0, column_name(wanted)));
        }
        let folded = column_name(wanted).to_lowercase();
        let same = |known: &String| known == wanted;
        let alike = |known: &String| column_name(known).to_lowercase() == folded;
        let at = self.headers.iter().position(same).or_else(|| self.headers.iter().position(alike))?;
        Some((at, self.names.get(at)?.clone()))
    }

    /// The columns of labels: `label`, or for each language `label::LANGUAGE`.
    fn labels_by_language(&self, itext: &Itext) -> Vec<String> {
        let name = |header: &str| self.column(header).map(|(_, name)| name);
        let of_any =
            || self.headers.iter().find(|header| header.starts_with("label::")).and_then(|header| name(header));
        let plain = name("label").or_else(of_any);
        let by_language: Option<Vec<_>> =
            itext.languages().map(|language| name(&format!("label::{language}")).or_else(|| plain.clone())).collect();
        by_language.filter(|labels| !labels.is_empty()).unwrap_or_else(|| plain.into_iter().collect())
    }

    /// The rows in the order of the column `sortby`, where there is one.
    fn sorted(&self) -> Vec<usize> {
        let mut rows: Vec<_> = (0..self.rows.len()).collect();
        if let Some((column, _)) = self.column("sortby") {
            rows.sort_by(|&a, &b| {
                let place = |row| parse_number(&self.rows.cell(row, column));
                place(a).total_cmp(&place(b))
            });
        }
        rows
    }
}

/// A header as a name that an expression can write.
fn column_name(header: &str) -> String {
    let is_kept = |c: char| is_name(&format!("a{c}")) && c != '.';
    let name: String = header.trim().chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    if is_name(&name) { name } else { format!("_{name}") }
}

/// A query as an expression: a column in it stands as in the file's header, which may begin with digits (`1a`).
fn with_column_names(query: &str) -> String {
    let is_part = |c: char| is_name(&format!("a{c}"));
    let mut names = String::new();
    for (index, outside) in query.split_inclusive(['\'', '"']).enumerate() {
        if index % 2 == 1 {
            names.push_str(outside);
            continue;
        }
        for piece in outside.split_inclusive(|c| !is_part(c)) {
            let word = piece.trim_end_matches(|c| !is_part(c));
            let is_column = word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(char::is_alphabetic);
            names.push_str(&if is_column { column_name(word) } else { word.to_owned() });
            names.push_str(piece.get(word.len()..).unwrap_or_default());
        }
    }
    names
}

/// One column, or `first (second: …) (third: …)`, as Collect shows several.
fn label_source(columns: &[(&str, String)]) -> String {
    match columns {
        [] => "''".to_owned(),
        [(_, name)] => name.clone(),
        [(_, first), rest @ ..] => {
            let rest = rest.iter().map(|(header, name)| format!(", {}, {name}, ')'", quoted(&format!(" ({header}: "))));
            format!("concat({first}{})", rest.collect::<String>())
        }
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    format!("{quote}{}{quote}", text.replace(quote, ""))
}

/// What a `search()` asks for.
struct Search<'a> {
    file: &'a str,
    mode: Mode,
    columns: Vec<&'a str>,
    text: &'a str,
    /// A column and the expression that it must be equal to.
    filter: Option<(&'a str, &'a str)>,
}

#[derive(Clone, Copy)]
enum Mode {
    Contains,
    StartsWith,
    EndsWith,
    Matches,
}

impl<'a> Search<'a> {
    /// None if there are too few or too many arguments, or one that must be written out is not.
    fn read(arguments: &'a [String]) -> Option<Self> {
        let file = literal(arguments.first()?)?.trim();
        let file = file.strip_suffix(".csv").unwrap_or(file);
        let (mode, columns, text) = match arguments {
            [_] => (Mode::Contains, "", "''"),
            [_, mode, columns, text, ..] => (Mode::of(literal(mode)?), literal(columns)?, text.as_str()),
            _ => return None,
        };
        let filter = match arguments {
            [_] | [_, _, _, _] => None,
            [_, _, _, _, column, value] => Some((literal(column)?, value.as_str())),
            _ => return None,
        };
        let columns = columns.split(',').map(str::trim).filter(|column| !column.is_empty()).collect();
        Some(Self { file, mode, columns, text, filter })
    }

    /// The rows as a path, and where in it the form's own expressions stand. Letters of ASCII match whatever their case, as in
    /// the `LIKE` that Collect asks its tables with.
    fn nodeset(&self, list: &str, columns: &[String], filter: Option<(String, &str)>) -> (String, Vec<Range<u32>>) {
        let mut source = format!("instance({})/root/item", quoted(list));
        let mut given = Vec::new();
        let mut add = |source: &mut String, expression: &str| {
            let start = source.len();
            source.push_str(expression);
            given.push(start as u32..source.len() as u32);
        };
        if !columns.is_empty() {
            source.push('[');
            for (index, column) in columns.iter().enumerate() {
                source.push_str(if index > 0 { " or " } else { "" });
                let cell = lower(column);
                let (before, after) = LOWER;
                match self.mode {
                    Mode::Contains => source.push_str(&format!("contains({cell}, {before}")),
                    Mode::StartsWith => source.push_str(&format!("starts-with({cell}, {before}")),
                    Mode::EndsWith => source.push_str(&format!("ends-with({cell}, {before}")),
                    Mode::Matches => source.push_str(&format!("{cell} = {before}")),
                }
                add(&mut source, &format!("string({})", self.text));
                source.push_str(after);
                source.push_str(if matches!(self.mode, Mode::Matches) { "" } else { ")" });
            }
            source.push(']');
        }
        if let Some((column, value)) = filter {
            source.push_str(&format!("[{column} = "));
            add(&mut source, &format!("string({value})"));
            source.push(']');
        }
        (source, given)
    }
}

impl Mode {
    /// By its keyword; an unknown one is `contains`, as in Collect.
    fn of(keyword: &str) -> Self {
        match keyword.trim().to_ascii_lowercase().as_str() {
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            "matches" => Self::Matches,
            _ => Self::Contains,
        }
    }
}

/// What stands before and after an expression whose letters become small.
const LOWER: (&str, &str) = ("translate(", ", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')");

fn lower(expression: &str) -> String {
    format!("{}{expression}{}", LOWER.0, LOWER.1)
}

/// The text of a literal.
fn literal(argument: &str) -> Option<&str> {
    let argument = argument.trim();
    ['\'', '"'].into_iter().find_map(|quote| {
        let inner = argument.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    })
}
