//! Who reads what a person changes: of each repeat its rows, counted, chosen and shown in every way that an engine must see.
//! Nobody reads them in turn, so they may read anything.

use super::author::{Author, Holds};
use super::{Item, Said};

impl Author<'_> {
    /// Readers that stand beside everything else.
    pub(super) fn readers(&mut self) -> Vec<Item> {
        self.limit = usize::MAX;
        let rows: Vec<_> = (0..self.nodes.len()).filter(|&node| self.nodes[node].holds == Holds::Rows).collect();
        let mut items: Vec<_> = rows.into_iter().flat_map(|row| self.readers_of(row)).collect();
        items.extend(self.count_of_own_rows());
        items
    }

    /// Another row as long as the last one says so, or without end; in a range that may be hidden.
    fn count_of_own_rows(&mut self) -> Vec<Item> {
        let more = if self.dice.chance(0.7) {
            "count(/d/z) = 0 or /d/z[position() = count(/d/z)]/more = 'a'"
        } else {
            "true()"
        };
        let due = format!("count(/d/z) + if({more}, 1, 0)");
        let words = |word: &str, said: Said| (word.to_owned(), said);
        let mut said = vec![words("empty", Said::Nothing), words("count", Said::Expression("/d/zk".to_owned()))];
        if self.dice.chance(0.5) {
            said.push(words("relevant", Said::Expression("/d/zt != 'b'".to_owned())));
        }
        let text = |name: &str| Item { head: format!("text {name}"), ..Item::default() };
        vec![
            text("zt"),
            Item { head: "calc zk".to_owned(), value: Some(due), ..Item::default() },
            Item { head: "repeat z".to_owned(), said, inside: Some(vec![text("more")]), ..Item::default() },
        ]
    }

    fn readers_of(&mut self, row: usize) -> Vec<Item> {
        let leaves = self.leaves_in(row);
        let (Some(&one), Some(&other)) = (self.dice.pick(&leaves), self.dice.pick(&leaves)) else { return Vec::new() };
        let path = self.path(row);
        let (one, other) = (self.below(row, one), self.below(row, other));
        let few = self.dice.below(3);
        let chosen = format!("{path}[{one} != '']");
        let item = |head: String| Item { head, ..Item::default() };
        let said = |word: &str, said: String| (word.to_owned(), Said::Expression(said));
        vec![
            Item { value: Some(format!("join(' ', {chosen}/{other})")), ..item(format!("calc x{row}a")) },
            Item { value: Some(format!("count({path}[{one} > {few}])")), ..item(format!("calc x{row}b")) },
            Item { value: Some(format!("count({path})")), ..item(format!("calc x{row}c")) },
            Item { value: Some(format!("{path}[position() = 2]/{one}")), ..item(format!("calc x{row}d")) },
            Item {
                said: vec![
                    said("relevant", format!("count({chosen}) != 2")),
                    said("required", format!("count({path}[{other} > {few}]) > 0")),
                    said("readonly", format!("sum({path}[{one} = 1]/{other}) > 1")),
                    ("label".to_owned(), Said::Text(format!("Is it <output value=\"count({chosen})\"/>?"))),
                ],
                ..item(format!("text x{row}e"))
            },
            Item { from: Some((chosen, format!("value {one} label {other}"))), ..item(format!("select1 x{row}f")) },
            Item {
                said: vec![
                    said("count", format!("count({path}[{one} = 2]) mod 4")),
                    ("empty".to_owned(), Said::Nothing),
                ],
                inside: Some(vec![item("text v".to_owned())]),
                ..item(format!("repeat x{row}g"))
            },
        ]
    }

    /// A reader in each row, of the other rows.
    pub(super) fn reader_in(&mut self, row: usize) -> Option<Item> {
        self.limit = usize::MAX;
        let leaves = self.leaves_in(row);
        let leaf = self.dice.pick(&leaves).map(|&leaf| self.below(row, leaf))?;
        let name = &self.nodes[row].name;
        let value = match self.dice.below(4) {
            0 => format!("count(../../{name}[{leaf} = current()/../{leaf}])"),
            1 => format!("join(' ', ../../{name}[position() != position(current()/..)]/{leaf})"),
            2 => format!("sum(../../{name}/{leaf})"),
            _ => format!("position(..) + count(../../{name})"),
        };
        Some(Item { head: format!("calc x{row}h"), value: Some(value), ..Item::default() })
    }
}
