//! Expressions at random, each readable on the node it is written for: paths of every kind first of all.

use super::author::{Author, Holds};

impl Author<'_> {
    /// The whole path of a node, without rows.
    pub(super) fn path(&self, node: usize) -> String {
        self.lineage(node).iter().fold("/d".to_owned(), |path, &node| format!("{path}/{}", self.nodes[node].name))
    }

    /// The node and all around it, from outside to inside.
    fn lineage(&self, node: usize) -> Vec<usize> {
        let mut all: Vec<_> = std::iter::successors(Some(node), |&node| self.nodes[node].around).collect();
        all.reverse();
        all
    }

    pub(super) fn is_around(&self, outer: usize, node: usize) -> bool {
        self.lineage(node).contains(&outer)
    }

    /// The repeats that a node is in, itself among them.
    pub(super) fn rows_around(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        self.lineage(node).into_iter().filter(|&node| self.nodes[node].holds == Holds::Rows)
    }

    /// The path from a node to one inside it.
    pub(super) fn below(&self, outer: usize, node: usize) -> String {
        let lineage = self.lineage(node);
        let from = lineage.iter().position(|&node| node == outer).map_or(0, |at| at + 1);
        lineage[from..].iter().map(|&node| self.nodes[node].name.as_str()).collect::<Vec<_>>().join("/")
    }

    pub(super) fn readable_of(&self, nodes: &[usize]) -> Vec<usize> {
        nodes.iter().copied().filter(|&node| self.nodes[node].rank < self.limit).collect()
    }

    fn readable(&self, holds: Holds) -> Vec<usize> {
        let all: Vec<_> = (0..self.nodes.len()).filter(|&node| self.nodes[node].holds == holds).collect();
        self.readable_of(&all)
    }

    /// The leaves in a row that may be read.
    pub(super) fn leaves_in(&self, row: usize) -> Vec<usize> {
        let is_leaf = |&node: &usize| !matches!(self.nodes[node].holds, Holds::Nodes | Holds::Rows);
        let all: Vec<_> =
            (0..self.nodes.len()).filter(|&node| node != row && self.is_around(row, node)).filter(is_leaf).collect();
        self.readable_of(&all)
    }

    /// One of the nodes that hold this and may be read; more often one of the same rows, where it matters which are meant.
    fn any(&mut self, at: usize, holds: Holds) -> Option<usize> {
        let nodes = self.readable(holds);
        let row = self.rows_around(at).next();
        let near: Vec<_> =
            nodes.iter().copied().filter(|&node| row.is_some_and(|row| self.is_around(row, node))).collect();
        let of = if near.is_empty() || self.dice.chance(0.4) { nodes } else { near };
        self.dice.pick(&of).copied()
    }

    /// A path from `at` to a node: absolute, relative, by `current()`, with predicates or without.
    pub(super) fn reference(&mut self, at: usize, to: usize) -> String {
        match self.dice.below(10) {
            0..=2 => self.path(to),
            3 | 4 => self.absolute(at, to, 0.6),
            5..=8 => self.relative(at, to),
            _ => format!("current()/{}", self.relative(at, to)),
        }
    }

    pub(super) fn absolute(&mut self, at: usize, to: usize, predicates: f64) -> String {
        let lineage = self.lineage(to);
        lineage.into_iter().fold("/d".to_owned(), |path, node| {
            let predicate = self.predicate_perhaps(at, node, predicates);
            format!("{path}/{}{predicate}", self.nodes[node].name)
        })
    }

    /// Up to what both share, or further, and down again.
    fn relative(&mut self, at: usize, to: usize) -> String {
        let (from, lineage) = (self.lineage(at), self.lineage(to));
        let n_shared = from.iter().zip(&lineage).take_while(|(one, other)| one == other).count();
        // A node inside which the other lies is climbed out of only by going on from there.
        let n_shared = n_shared.min(from.len() - 1).min(lineage.len() - 1);
        let n_shared = if self.dice.chance(0.3) { self.dice.below(n_shared as u64 + 1) as usize } else { n_shared };
        let up = vec![".."; from.len() - n_shared].join("/");
        lineage[n_shared..].iter().fold(up, |path, &node| {
            let predicate = self.predicate_perhaps(at, node, 0.2);
            format!("{path}/{}{predicate}", self.nodes[node].name)
        })
    }

    fn predicate_perhaps(&mut self, at: usize, node: usize, probability: f64) -> String {
        if self.nodes[node].holds != Holds::Rows || !self.dice.chance(probability) {
            return String::new();
        }
        format!("[{}]", self.predicate(at, node))
    }

    /// A test of the rows of a repeat, in an expression on `at`.
    fn predicate(&mut self, at: usize, row: usize) -> String {
        let leaves = self.leaves_in(row);
        let leaf = self.dice.pick(&leaves).map(|&leaf| self.below(row, leaf));
        let within: Vec<_> = self.rows_around(at).filter(|&around| around != at).collect();
        match (self.dice.below(10), leaf) {
            (0, _) | (_, None) => format!("position() = {}", 1 + self.dice.below(3)),
            (1, _) if !within.is_empty() => {
                let around = *within.last().unwrap_or(&at);
                let up = vec![".."; self.lineage(at).len() - self.lineage(around).len()].join("/");
                format!("position() = position(current()/{up}) - 1")
            }
            (1 | 2, _) => "position() > 1".to_owned(),
            (3, Some(leaf)) => format!("{leaf} != ''"),
            (4, Some(leaf)) => format!("{leaf} > {}", self.dice.below(4)),
            (5, Some(leaf)) => format!("./{leaf} = '{}'", self.dice.below(3)),
            (6, Some(leaf)) => match self.any(at, Holds::Number) {
                Some(other) => format!("{leaf} >= current()/{}", self.relative_plain(at, other)),
                None => format!("not({leaf} = 1)"),
            },
            (_, Some(leaf)) => match self.any(at, Holds::Number) {
                Some(other) => format!("{leaf} != {}", self.path(other)),
                None => format!("string-length({leaf}) = 1"),
            },
        }
    }

    fn relative_plain(&self, at: usize, to: usize) -> String {
        let (from, lineage) = (self.lineage(at), self.lineage(to));
        let n_shared = from.iter().zip(&lineage).take_while(|(one, other)| one == other).count();
        let n_shared = n_shared.min(from.len() - 1).min(lineage.len() - 1);
        let up = vec![".."; from.len() - n_shared].into_iter();
        up.chain(lineage[n_shared..].iter().map(|&node| self.nodes[node].name.as_str())).collect::<Vec<_>>().join("/")
    }

    /// What a node of this kind calculates.
    pub(super) fn calculation(&mut self, at: usize, holds: Holds) -> String {
        if self.dice.chance(0.08) {
            let chance = ["random()", "uuid()", "now()", "today()"];
            return format!("once({})", self.dice.pick(&chance).copied().unwrap_or(chance[0]));
        }
        if holds == Holds::Number { self.number(at, 3) } else { self.text(at, 3) }
    }

    pub(super) fn number(&mut self, at: usize, depth: u32) -> String {
        if depth == 0 {
            return match self.any(at, Holds::Number) {
                Some(node) if self.dice.chance(0.8) => self.reference(at, node),
                _ => self.dice.below(5).to_string(),
            };
        }
        let deeper = depth - 1;
        match self.dice.below(18) {
            0..=2 => self.number(at, 0),
            3 => format!("{} + {}", self.number(at, deeper), self.number(at, deeper)),
            4 => format!("round({} * 2 div 3, 1)", self.number(at, deeper)),
            5 => format!("if({}, {}, {})", self.truth(at, deeper), self.number(at, deeper), self.number(at, deeper)),
            6 => format!("coalesce({}, {})", self.number(at, 0), self.number(at, deeper)),
            7 | 8 => match self.any(at, Holds::Rows) {
                Some(rows) => format!("count({})", self.reference(at, rows)),
                None => self.number(at, 0),
            },
            9 | 10 => match self.any(at, Holds::Number) {
                Some(node) => {
                    let aggregates = ["sum", "max", "min", "count-non-empty", "count"];
                    let aggregate = self.dice.pick(&aggregates).copied().unwrap_or("sum");
                    format!("{aggregate}({})", self.reference(at, node))
                }
                None => "1".to_owned(),
            },
            11 | 12 => self.position(at).unwrap_or_else(|| self.number(at, 0)),
            13 => format!("string-length({})", self.text(at, deeper)),
            14 | 15 => self.indexed(at, Holds::Number).unwrap_or_else(|| self.number(at, 0)),
            16 => match self.any(at, Holds::Several) {
                Some(node) => format!("count-selected({})", self.reference(at, node)),
                None => self.number(at, 0),
            },
            _ => match self.any(at, Holds::Date) {
                Some(node) => format!("int(decimal-date-time({}))", self.reference(at, node)),
                None => self.number(at, 0),
            },
        }
    }

    /// The place of a row around.
    fn position(&mut self, at: usize) -> Option<String> {
        let around: Vec<_> = self.rows_around(at).filter(|&row| row != at).collect();
        let row = *self.dice.pick(&around)?;
        let up = vec![".."; self.lineage(at).len() - self.lineage(row).len()].join("/");
        Some(format!("position({up})"))
    }

    /// `indexed-repeat` through all repeats that a leaf is in, or the innermost.
    fn indexed(&mut self, at: usize, holds: Holds) -> Option<String> {
        let leaves: Vec<_> =
            self.readable(holds).into_iter().filter(|&leaf| self.rows_around(leaf).count() > 0).collect();
        let leaf = *self.dice.pick(&leaves)?;
        let mut arguments = self.path(leaf);
        for row in self.rows_around(leaf).collect::<Vec<_>>() {
            let index = match self.dice.below(4) {
                0 => self.number(at, 0),
                1 => self.position(at).unwrap_or("1".to_owned()),
                2 => format!("count({})", self.path(row)),
                _ => (1 + self.dice.below(3)).to_string(),
            };
            arguments += &format!(", {}, {index}", self.path(row));
        }
        Some(format!("indexed-repeat({arguments})"))
    }

    pub(super) fn text(&mut self, at: usize, depth: u32) -> String {
        if depth == 0 {
            return match self.any(at, Holds::Text) {
                Some(node) if self.dice.chance(0.8) => self.reference(at, node),
                _ => ["'a'", "'b'", "'1'"][self.dice.below(3) as usize].to_owned(),
            };
        }
        let deeper = depth - 1;
        match self.dice.below(17) {
            0..=2 => self.text(at, 0),
            3 | 4 => format!("concat({}, '-', {})", self.text(at, deeper), self.text(at, deeper)),
            5 => format!("if({}, {}, {})", self.truth(at, deeper), self.text(at, deeper), self.text(at, deeper)),
            6 | 7 => {
                let holds = [Holds::Number, Holds::Text, Holds::Several][self.dice.below(3) as usize];
                match self.any(at, holds) {
                    Some(node) => format!("join(' ', {})", self.reference(at, node)),
                    None => self.text(at, 0),
                }
            }
            8 => self.indexed(at, Holds::Text).unwrap_or_else(|| self.text(at, 0)),
            9 => format!("string({})", self.number(at, deeper)),
            10 => format!("substr({}, 0, 2)", self.text(at, deeper)),
            11 => match self.any(at, Holds::Several) {
                Some(node) => format!("selected-at({}, {})", self.reference(at, node), self.dice.below(2)),
                None => self.text(at, 0),
            },
            12 => match self.any(at, Holds::Date) {
                Some(node) => format!("format-date({}, '%b %Y')", self.reference(at, node)),
                None => "jr:itext('a')".to_owned(),
            },
            13 => match self.any(at, Holds::Several).or_else(|| self.any(at, Holds::Text)) {
                Some(node) => format!("jr:choice-name({}, '{}')", self.relative_plain(at, node), self.path(node)),
                None => "jr:itext('b')".to_owned(),
            },
            14 => "join(' ', randomize(instance('l')/root/item/n))".to_owned(),
            15 => format!("instance('towns')/root/item[name = {}]/label", self.text(at, 0)),
            _ if !self.is_steady => ["uuid()", "string(now())", "string(random())", "string(today())"]
                [self.dice.below(4) as usize]
                .to_owned(),
            _ => match self.any(at, Holds::Place) {
                Some(node) => format!("string({})", self.reference(at, node)),
                None => self.text(at, 0),
            },
        }
    }

    pub(super) fn truth(&mut self, at: usize, depth: u32) -> String {
        let deeper = depth.saturating_sub(1);
        match self.dice.below(12) {
            0..=2 => {
                let operator = ["=", "!=", "<", ">", "<=", ">="][self.dice.below(6) as usize];
                format!("{} {operator} {}", self.number(at, deeper), self.number(at, 0))
            }
            3 | 4 => format!("{} != ''", self.text(at, deeper)),
            5 => format!("{} = {}", self.text(at, deeper), self.text(at, 0)),
            6 => match self.any(at, Holds::Several) {
                Some(node) => format!("selected({}, {})", self.reference(at, node), self.text(at, 0)),
                None => "true()".to_owned(),
            },
            7 => format!("not({})", self.truth(at, deeper)),
            8 if depth > 0 => format!("({} or {})", self.truth(at, deeper), self.truth(at, deeper)),
            9 if depth > 0 => format!("({} and {})", self.truth(at, deeper), self.truth(at, deeper)),
            10 => match self.any(at, Holds::Date) {
                Some(node) => format!("{} > date('2026-01-14')", self.reference(at, node)),
                None => format!("boolean({})", self.number(at, 0)),
            },
            11 if !self.is_steady => "today() >= date('2026-01-16')".to_owned(),
            _ => format!("{} > {}", self.number(at, 0), self.dice.below(3)),
        }
    }
}
