use std::collections::HashSet;

use super::Dataset;
use super::rows::{MAX_COLUMNS, Rows};
use crate::xml::Names;

/// Reads the CSV of a form (xforms.md §3): `;` separates if the header line holds one, else `,`; quotes as in RFC 4180;
/// a byte order mark and blanks around cells are dropped;
/// short rows are filled up.
///
/// Every broken line is named (number from 1, what is wrong) and the other lines are used.
pub fn read_csv(bytes: &[u8], names: &mut Names) -> (Rows, Vec<(u64, &'static str)>) {
    let mut problems = Vec::new();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let header = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let delimiter = if header.contains(&b';') { b';' } else { b',' };
    let mut rows: Option<Rows> = None;
    let mut rest = bytes;
    let mut first_line = 1;
    while !rest.is_empty() {
        let (complete, open_record) = split_at_open_quote(rest, delimiter);
        read_records(complete, delimiter, first_line, names, &mut rows, &mut problems);
        let Some(open_record) = open_record else { break };
        // A quote that never closes would swallow the rest of the file: give up its line only.
        let line = first_line + count_lines(complete);
        problems.push((line, "a quotation mark is not closed"));
        let end = open_record.iter().position(|&byte| byte == b'\n').map_or(open_record.len(), |at| at + 1);
        rest = open_record.get(end..).unwrap_or_default();
        first_line = line + 1;
    }
    (rows.unwrap_or_default(), problems)
}

fn read_records(
    bytes: &[u8],
    delimiter: u8,
    first_line: u64,
    names: &mut Names,
    rows: &mut Option<Rows>,
    problems: &mut Vec<(u64, &'static str)>,
) {
    let mut reader =
        ::csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
    let mut record = ::csv::ByteRecord::new();
    let mut n_columns = rows.as_ref().map_or(0, |rows| rows.columns().len());
    while let Ok(true) = reader.read_byte_record(&mut record) {
        let line = first_line + record.position().map_or(0, |position| position.line().saturating_sub(1));
        let Ok(cells) = record.iter().map(std::str::from_utf8).collect::<Result<Vec<_>, _>>() else {
            problems.push((line, "it is not UTF-8"));
            continue;
        };
        match rows {
            None if cells.len() > MAX_COLUMNS => {
                problems.push((line, "it has too many columns"));
                *rows = Some(Rows::default());
                return;
            }
            None => {
                n_columns = cells.len();
                let mut known = HashSet::new();
                if cells.iter().map(|cell| cell.trim()).any(|name| !name.is_empty() && !known.insert(name)) {
                    problems.push((line, "two columns have the same name, and the first one counts"));
                }
                *rows = Some(Rows::new(cells.iter().map(|cell| names.intern(cell.trim())).collect()));
            }
            Some(rows) if rows.columns().is_empty() => return,
            Some(_) if cells.iter().all(|cell| cell.trim().is_empty()) => {}
            Some(rows) => {
                if cells.len() > n_columns {
                    problems.push((line, "it has more cells than the header"));
                }
                if rows.is_full() {
                    problems.push((line, "the list is too large: this line and the rest are left out"));
                    return;
                }
                rows.push(cells.into_iter().map(str::trim));
            }
        }
    }
}

/// Splits off the record whose quotation mark is still open at the end of the file, if there is one.
fn split_at_open_quote(bytes: &[u8], delimiter: u8) -> (&[u8], Option<&[u8]>) {
    let mut record_start = 0;
    let mut quoted = false;
    let mut cell_start = true;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if quoted => quoted = false,
            // A quote right after a closing one is an escaped quote, so the cell goes on.
            b'"' if cell_start || bytes.get(at.wrapping_sub(1)) == Some(&b'"') => quoted = true,
            b'\n' if !quoted => record_start = at + 1,
            _ => {}
        }
        cell_start = !quoted && (byte == delimiter || byte == b'\n');
    }
    if quoted { (bytes.get(..record_start).unwrap_or_default(), bytes.get(record_start..)) } else { (bytes, None) }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;

    fn read(text: &[u8]) -> (Vec<Vec<String>>, Vec<(u64, &'static str)>) {
        let mut names = Names::default();
        let (rows, problems) = read_csv(text, &mut names);
        let mut table = vec![rows.columns().iter().map(|&name| names.get(name).to_owned()).collect()];
        for row in 0..rows.len() {
            table.push((0..rows.columns().len()).map(|column| rows.cell(row, column).into_owned()).collect());
        }
        (table, problems)
    }

    #[test]
    fn separators_quotes_and_short_rows() {
        let (table, problems) = read(b"\xef\xbb\xbfname;label\r\na;\"x;\"\"y\"\"\nz\"\nb\n\n");
        assert_eq!(table, [vec!["name", "label"], vec!["a", "x;\"y\"\nz"], vec!["b", ""]]);
        assert_eq!(problems, []);
        assert_eq!(read(b"a,b\n1;2,3").0, [vec!["a", "b"], vec!["1;2", "3"]]);
    }

    #[test]
    fn blanks_around_cells_are_nobodys() {
        let (table, _) = read("name , label\na ,\" A  1 \"\n\t,\u{a0}\nb,".as_bytes());
        assert_eq!(table, [vec!["name", "label"], vec!["a", "A  1"], vec!["b", ""]]);
    }

    #[test]
    fn of_two_columns_of_one_name_the_first_counts() {
        let mut names = Names::default();
        let (rows, problems) = read_csv(b"k,v, v,,\n1,a,b,,\n", &mut names);
        assert_eq!(problems, [(1, "two columns have the same name, and the first one counts")]);
        assert_eq!(rows.columns().iter().position(|&name| names.get(name) == "v"), Some(1));
    }

    #[test]
    fn a_broken_line_costs_only_itself() {
        let (table, problems) = read(b"name,label\na,1\nb,\"open\nc,3\n\xff,4\nd,5,6\ne,7\n");
        assert_eq!(table, [vec!["name", "label"], vec!["a", "1"], vec!["c", "3"], vec!["d", "5"], vec!["e", "7"]]);
        let lines: Vec<_> = problems.iter().map(|problem| problem.0).collect();
        assert_eq!(lines, [3, 5, 6]);
    }

    #[test]
    fn equality_look_up_uses_whole_values() {
        let mut names = Names::default();
        let (rows, _) = read_csv(b"k,v\n1,a\n01,b\n1,c\n", &mut names);
        assert_eq!(rows.find(0, "1"), [0, 2]);
        assert!(rows.find(0, "2").is_empty());
        assert!(rows.find(9, "1").is_empty());
    }
}
