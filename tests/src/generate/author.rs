//! Writes a form at random: first its nodes, then an order in which they may depend on each other, then what is said of each.

use super::{Form, Item, Said};
use crate::dice::Dice;

/// What a node holds, as far as expressions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Number,
    Text,
    Several,
    Date,
    Place,
    Nodes,
    Rows,
}

/// One node of the form to be.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) holds: Holds,
    pub(super) around: Option<usize>,
    /// Its word in the notation.
    word: &'static str,
    inside: Vec<usize>,
    /// What it says may depend on nodes of a lower rank; what is inside a node has a higher one.
    pub(super) rank: usize,
}

pub(super) struct Author<'d> {
    pub(super) dice: &'d mut Dice,
    pub(super) is_steady: bool,
    pub(super) nodes: Vec<Node>,
    /// Nodes of this rank and above may not be read now.
    pub(super) limit: usize,
}

/// The words of questions, the common ones more often, and of what is not asked.
const LEAVES: [(&str, Holds); 22] = [
    ("int", Holds::Number),
    ("int", Holds::Number),
    ("int", Holds::Number),
    ("decimal", Holds::Number),
    ("range", Holds::Number),
    ("text", Holds::Text),
    ("text", Holds::Text),
    ("select1", Holds::Text),
    ("select1", Holds::Text),
    ("select1", Holds::Text),
    ("select", Holds::Several),
    ("select", Holds::Several),
    ("rank", Holds::Several),
    ("date", Holds::Date),
    ("time", Holds::Text),
    ("dateTime", Holds::Date),
    ("geopoint", Holds::Place),
    ("trigger", Holds::Text),
    ("node", Holds::Text),
    ("calc", Holds::Number),
    ("calc", Holds::Number),
    ("calc", Holds::Text),
];

pub(super) fn form(dice: &mut Dice, is_steady: bool) -> Form {
    let mut author = Author { dice, is_steady, nodes: Vec::new(), limit: usize::MAX };
    let top = author.grow(None, 0);
    author.order(&top);
    let mut items: Vec<_> = top.iter().map(|&node| author.item(node)).collect();
    items.extend(author.readers());
    items.extend(author.form_actions());
    items.extend(author.lists_and_words());
    Form { items, is_steady }
}

impl Author<'_> {
    /// Puts some nodes inside another.
    fn grow(&mut self, around: Option<usize>, depth: u64) -> Vec<usize> {
        let n_nodes = 2 + self.dice.below(if depth == 0 { 4 } else { 3 });
        let mut made = Vec::new();
        for _ in 0..n_nodes {
            let number = self.nodes.len();
            let is_container = self.dice.chance(0.4) && depth < 3;
            let (word, holds) = match self.dice.below(3) {
                0 if is_container => ("group", Holds::Nodes),
                _ if is_container => ("repeat", Holds::Rows),
                _ => self.dice.pick(&LEAVES).copied().unwrap_or(LEAVES[0]),
            };
            let letter = match word {
                "group" => 'g',
                "repeat" => 'r',
                "calc" => 'c',
                "select1" | "select" | "rank" => 's',
                _ => 'v',
            };
            let name = format!("{letter}{number}");
            self.nodes.push(Node { name, holds, around, word, inside: Vec::new(), rank: 0 });
            if is_container {
                self.nodes[number].inside = self.grow(Some(number), depth + 1);
            }
            made.push(number);
        }
        made
    }

    /// Ranks at random, but from outside to inside.
    fn order(&mut self, top: &[usize]) {
        let mut open = top.to_vec();
        let mut rank = 1;
        while !open.is_empty() {
            let node = open.swap_remove(self.dice.below(open.len() as u64) as usize);
            self.nodes[node].rank = rank;
            rank += 1;
            open.extend(self.nodes[node].inside.clone());
        }
    }

    fn item(&mut self, node: usize) -> Item {
        let Node { name, holds, word, inside, rank, .. } = self.nodes[node].clone();
        let mut item = Item { head: format!("{word} {name}"), ..Item::default() };
        self.limit = rank;
        if word == "calc" {
            item.value = Some(self.calculation(node, holds));
        }
        let is_asked = !matches!(word, "calc" | "node" | "group" | "repeat");
        let mut say = |word: &str, said: Said| item.said.push((word.to_owned(), said));
        if self.dice.chance(0.18) {
            say("relevant", Said::Expression(self.truth(node, 2)));
        }
        if is_asked {
            if self.dice.chance(0.12) {
                say("required", Said::Expression(self.truth(node, 1)));
            }
            if self.dice.chance(0.1) {
                say("readonly", Said::Expression(self.truth(node, 1)));
            }
            // What is asked and calculated keeps an answer until something else changes: no state of a recalculation.
            if !self.is_steady && self.dice.chance(0.1) {
                say("calculate", Said::Expression(self.calculation(node, holds)));
            }
        }
        // From here on nothing is fed back, so that anything may be read.
        self.limit = usize::MAX;
        if is_asked {
            if self.dice.chance(0.15) {
                let test = if self.dice.chance(0.3) { ". != 'b'".to_owned() } else { self.truth(node, 1) };
                say("constraint", Said::Expression(test));
            }
            if holds == Holds::Number && word != "range" && self.dice.chance(0.2) {
                say("default", Said::Text(self.dice.below(4).to_string()));
            }
            if self.dice.chance(0.2) {
                say("label", Said::Text(self.label(node)));
            }
            if self.dice.chance(0.15) {
                let action = self.action(node, "xforms-value-changed");
                if let Some((head, value)) = action {
                    say(&head, Said::Expression(value));
                }
            }
        }
        match word {
            "range" => {
                for (word, text) in [("start", "0"), ("end", "5"), ("step", "1")] {
                    say(word, Said::Text(text.to_owned()));
                }
            }
            "node" if self.dice.chance(0.5) => say("default", Said::Text("a".to_owned())),
            "node" if !self.is_steady && self.dice.chance(0.5) => say("preload uid", Said::Nothing),
            "repeat" => {
                self.limit = rank;
                match self.dice.below(6) {
                    0 | 1 => {
                        let number = self.number(node, 1);
                        say("count", Said::Expression(format!("({number}) mod 4")));
                    }
                    2 => say("plain", Said::Nothing),
                    3 => say("empty", Said::Nothing),
                    _ => {}
                }
            }
            "group" if self.dice.chance(0.3) => say("appearance", Said::Text("field-list".to_owned())),
            "select1" | "select" | "rank" => {
                self.limit = rank;
                let is_list = self.dice.chance(0.7);
                if is_list {
                    item.from = Some(self.offer(node));
                } else {
                    item.tail = "{ a, b \"B\", 1, 2 }".to_owned();
                }
            }
            _ => {}
        }
        if matches!(word, "group" | "repeat") {
            let mut items: Vec<_> = inside.iter().map(|&node| self.item(node)).collect();
            if word == "repeat" {
                items.extend(self.reader_in(node));
            }
            if word == "repeat" && self.dice.chance(0.35) {
                self.limit = usize::MAX;
                let events = ["odk-new-repeat", "odk-new-repeat", "\"odk-instance-first-load odk-new-repeat\""];
                let event = self.dice.pick(&events).copied().unwrap_or(events[0]);
                items.extend(self.action(node, event).map(action_item));
            }
            item.inside = Some(items);
        }
        item
    }

    fn form_actions(&mut self) -> Vec<Item> {
        self.limit = usize::MAX;
        let events = ["odk-instance-first-load", "odk-instance-load", "\"odk-instance-first-load odk-instance-load\""];
        let mut items = Vec::new();
        for event in events {
            if self.dice.chance(0.3) {
                items.extend(self.action_anywhere(event).map(action_item));
            }
        }
        items
    }

    /// An action in the control of `node`: its head and its value.
    fn action(&mut self, node: usize, event: &str) -> Option<(String, String)> {
        let targets = self.settable(|author, target| author.rows_around(target).all(|row| author.is_around(row, node)));
        let target = *self.dice.pick(&targets).filter(|&&target| target != node)?;
        let value = self.action_value(target);
        Some((format!("on {event} {} =", self.path(target)), value))
    }

    /// One of the model; a predicate may choose the row.
    fn action_anywhere(&mut self, event: &str) -> Option<(String, String)> {
        let targets = self.settable(|_, _| true);
        let target = *self.dice.pick(&targets)?;
        let value = self.action_value(target);
        let path = if self.dice.chance(0.5) { self.path(target) } else { self.absolute(target, target, 0.8) };
        Some((format!("on {event} \"{path}\" ="), value))
    }

    /// Leaves that an action may set: a calculation would have the last word.
    fn settable(&self, is_meant: impl Fn(&Self, usize) -> bool) -> Vec<usize> {
        let leaves = (0..self.nodes.len()).filter(|&node| self.nodes[node].inside.is_empty());
        leaves.filter(|&node| self.nodes[node].word != "calc" && is_meant(self, node)).collect()
    }

    fn action_value(&mut self, target: usize) -> String {
        match self.nodes[target].holds {
            Holds::Number => self.number(target, 1),
            Holds::Date => "today()".to_owned(),
            Holds::Place => "'52.1 4.9 0 0'".to_owned(),
            _ => match self.dice.below(5) {
                0 => "uuid()".to_owned(),
                1 => "now()".to_owned(),
                _ => self.text(target, 1),
            },
        }
    }

    /// A label with values in it, or one of the languages.
    fn label(&mut self, node: usize) -> String {
        if self.dice.chance(0.5) {
            return "=q".to_owned();
        }
        format!("Is it {}?", output(&self.text(node, 1)))
    }

    /// Where choices come from: the expression, and what a choice stores and says.
    fn offer(&mut self, node: usize) -> (String, String) {
        let rows: Vec<_> = (0..self.nodes.len()).filter(|&row| self.nodes[row].holds == Holds::Rows).collect();
        let rows = self.readable_of(&rows);
        let (nodeset, rest) = match (self.dice.below(6), self.dice.pick(&rows).copied()) {
            (0 | 1, Some(row)) => {
                let leaves = self.leaves_in(row);
                let leaf = self.dice.pick(&leaves).copied();
                let Some(leaf) = leaf else { return ("instance('l')/root/item".into(), "value n label t".into()) };
                let label = self.dice.pick(&leaves).copied().unwrap_or(leaf);
                let rest = format!("value {} label {}", self.below(row, leaf), self.below(row, label));
                (self.reference(node, row), rest)
            }
            (2, _) => {
                let test = match self.dice.below(3) {
                    0 => format!("province = {}", self.text(node, 1)),
                    1 => format!("size > {}", self.number(node, 1)),
                    _ => format!("name = {} or size = 4", self.text(node, 0)),
                };
                (format!("instance('towns')/root/item[{test}]"), "value name label label".to_owned())
            }
            _ => {
                let test = match self.dice.below(5) {
                    0 => String::new(),
                    1 => format!("[g = {}]", self.number(node, 1)),
                    2 => format!("[n != {}]", self.text(node, 1)),
                    3 => format!("[{}]", self.truth(node, 1)),
                    _ if !self.is_steady => "[date(day) <= today()]".to_owned(),
                    _ => "[position() < 3]".to_owned(),
                };
                let label = if self.dice.chance(0.5) { "\"jr:itext(n)\"" } else { "t" };
                (format!("instance('l')/root/item{test}"), format!("value n label {label}"))
            }
        };
        let nodeset = match self.dice.below(8) {
            0 => format!("randomize({nodeset})"),
            1 => format!("randomize({nodeset}, 42)"),
            _ => nodeset,
        };
        (nodeset, rest)
    }

    fn lists_and_words(&mut self) -> Vec<Item> {
        let item = |head: &str, tail: &str| Item { head: head.into(), tail: tail.into(), ..Item::default() };
        let day = |n: u32| format!("\"2026-01-{}\"", 14 + n);
        let cells = [("a", 0), ("b", 1), ("1", 1), ("2", 2)];
        let rows = cells.map(|(name, group)| format!("\"{name}\" \"{group}\" \"List {name}\" {};", day(group)));
        let mut items = vec![item("list l", &format!("{{ n g t day; {} }}", rows.join(" "))), item("csv towns", "")];
        self.limit = usize::MAX;
        for language in ["English (en)", "Türkçe (tr)"] {
            let root = (0..self.nodes.len()).find(|&node| self.nodes[node].around.is_none());
            let shown = root.map(|_| self.text_of_the_form()).unwrap_or_default();
            let question = output(&shown).replace('"', "\\\"");
            let words =
                ["a", "b", "1", "2"].map(|id| format!("{id} \"{} {id}\"", language.chars().next().unwrap_or_default()));
            let tail = format!("{{ q \"{language}: {question}\" {} }}", words.join(" "));
            items.push(item(&format!("words \"{language}\""), &tail));
        }
        items
    }

    /// A text that reads nodes by absolute paths, for any question.
    fn text_of_the_form(&mut self) -> String {
        let leaves: Vec<_> = (0..self.nodes.len()).filter(|&node| self.nodes[node].inside.is_empty()).collect();
        self.dice.pick(&leaves).map(|&leaf| self.path(leaf)).unwrap_or_default()
    }
}

fn output(expression: &str) -> String {
    let escaped = expression.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<output value=\"{escaped}\"/>")
}

fn action_item((head, value): (String, String)) -> Item {
    let head = head.trim_end_matches('=').trim_end().to_owned();
    Item { head, value: Some(value), ..Item::default() }
}
