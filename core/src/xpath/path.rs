use smallvec::smallvec;

use super::ast::{Axis, ExprId, NameTest, Node, Operator, Path, Start, Step};
use super::eval::{Evaluator, Memo, Scope};
use super::{EvalError, NodeRef, Nodes, Value, World};
use crate::xml::NameId;

/// A predicate that an index can answer: `column = key`, and what else must hold.
struct Lookup {
    column: NameId,
    key: ExprId,
    rest: Vec<ExprId>,
}

impl<W: World> Evaluator<'_, W> {
    /// The relevant nodes that `path` leads to, in document order.
    pub(super) fn path(&self, path: &Path, scope: Scope<'_>) -> Result<Nodes, EvalError> {
        let (mut nodes, walked) = self.start(path, path.steps.len(), scope)?;
        for step in path.steps.iter().skip(walked) {
            nodes = self.step(step, &nodes)?;
        }
        nodes.retain(|node| self.world.is_relevant(*node));
        Ok(nodes)
    }

    /// `indexed-repeat()`: the value of `target` with the repeats on its way pinned to rows, given as pairs of a path
    /// to the repeat and the number of a row. Numbers below 1 mean the first row; a row that is not there has no value.
    pub(super) fn indexed_repeat(
        &self,
        target: ExprId,
        pairs: &[ExprId],
        scope: Scope<'_>,
    ) -> Result<Value, EvalError> {
        let Some(path) = self.absolute(target, scope)? else { return Ok(Value::empty()) };
        let mut rows = Vec::new();
        for pair in pairs.chunks_exact(2) {
            let &[repeat, row] = pair else { continue };
            let row = self.eval(row, scope)?.to_number(self.world) as usize; // NaN and negative numbers become 0
            let repeat = self.absolute(repeat, scope)?.filter(|repeat| repeat.leads_to(&path));
            // Where the form's loader could not know it: a repeat that is not on the way has no such row.
            let Some(repeat) = repeat else { return Ok(Value::empty()) };
            rows.push((repeat.steps.len(), row.max(1)));
        }
        let first_repeat = rows.iter().map(|(length, _)| *length).min().unwrap_or_default();
        let (mut nodes, walked) = self.start(&path, first_repeat.saturating_sub(1), scope)?;
        for (index, step) in path.steps.iter().enumerate().skip(walked) {
            nodes = self.step(step, &nodes)?;
            if let Some((_, row)) = rows.iter().find(|(length, _)| *length == index + 1) {
                nodes = nodes.get(row - 1).map_or_else(Nodes::new, |&node| smallvec![node]);
            }
        }
        Ok(Value::Nodes(nodes).into_scalar(self.world))
    }

    /// The path `id` from the document; `None` if it is no path, or leads out of the document or on from a row of a list.
    fn absolute(&self, id: ExprId, scope: Scope<'_>) -> Result<Option<Path>, EvalError> {
        let Node::Path(path) = self.expr.node(id) else { return Ok(None) };
        let node = match path.start {
            Start::Context => scope.node,
            Start::Current => self.current,
            Start::Root | Start::Instance(_) => return Ok(path.absolute(None, None)),
        };
        if node.tree != 0 {
            return Ok(None);
        }
        let is_attribute = self.world.is_attribute(node);
        let mut around = self.elements_around(node)?;
        around.extend(is_attribute.then_some(node));
        let here = Path::to_node(around.iter().filter_map(|&node| self.world.name(node)), is_attribute);
        Ok(path.absolute(Some(&here), Some(&here)))
    }

    /// `pulldata()`: the text in one column of the first row whose other column has exactly the text of `key`. Both
    /// columns are paths `instance('list')/root/item/column`.
    pub(super) fn pull_data(
        &self,
        cells: ExprId,
        keys: ExprId,
        key: ExprId,
        scope: Scope<'_>,
    ) -> Result<Value, EvalError> {
        let (Node::Path(cells), Node::Path(keys)) = (self.expr.node(cells), self.expr.node(keys)) else {
            return Ok(Value::empty());
        };
        let ([root, item, cell], Some(column)) =
            (cells.steps.as_slice(), keys.steps.last().and_then(Step::plain_child))
        else {
            return Ok(Value::empty());
        };
        let key = self.eval(key, scope)?.to_text(self.world);
        if key.is_empty() {
            return Ok(Value::empty());
        }
        let (documents, _) = self.start(cells, 0, scope)?;
        let roots = self.step(root, &documents)?;
        for &list in &roots {
            let row = match item.plain_child().and_then(|row| self.world.find(list, row, column, &key)) {
                Some(rows) => rows.first().copied(),
                None => {
                    let mut found = None;
                    for row in self.reach(list, item)? {
                        if self.column_text(row, column)? == key {
                            found = Some(row);
                            break;
                        }
                    }
                    found
                }
            };
            if let Some(row) = row {
                return Ok(Value::Nodes(self.step(cell, &[row])?).into_scalar(self.world));
            }
        }
        Ok(Value::empty())
    }

    fn column_text(&self, row: NodeRef, column: NameId) -> Result<String, EvalError> {
        let cells = self.reach(row, &Step::new(Axis::Child, NameTest::Name(column)))?;
        Ok(cells.first().map_or_else(String::new, |&cell| self.world.text(cell).into_owned()))
    }

    /// The nodes a path starts from, and how many of its steps they have already taken.
    ///
    /// An absolute path shares its first steps with the context node, if that is in the primary instance, else with the current
    /// one ([`Path::n_shared`]); of these, no more than `most` are taken.
    fn start(&self, path: &Path, most: usize, scope: Scope<'_>) -> Result<(Nodes, usize), EvalError> {
        let node = match &path.start {
            Start::Context => scope.node,
            Start::Current => self.current,
            Start::Instance(id) => {
                let tree = self.world.instance(id).ok_or_else(|| EvalError::UnknownInstance(id.clone()))?;
                self.world.document(tree)
            }
            Start::Root => {
                let context = [scope.node, self.current].into_iter().find(|node| node.tree == 0);
                let around = context.map_or(Ok(Nodes::new()), |node| self.elements_around(node))?;
                let n_shared = path.n_shared(around.iter().filter_map(|&node| self.world.name(node))).min(most);
                let bound = n_shared.checked_sub(1).and_then(|last| around.get(last).copied());
                return Ok((smallvec![bound.unwrap_or(self.world.document(0))], n_shared));
            }
        };
        Ok((smallvec![node], 0))
    }

    /// The elements from the root down to a node, itself among them if it is one.
    fn elements_around(&self, node: NodeRef) -> Result<Nodes, EvalError> {
        let mut around = Nodes::new();
        let mut next = Some(node);
        while let Some(node) = next {
            self.spend(1)?;
            around.push(node);
            next = self.world.parent(node);
        }
        around.pop(); // the document
        around.reverse();
        if self.world.is_attribute(node) {
            around.pop();
        }
        Ok(around)
    }

    fn step(&self, step: &Step, from: &[NodeRef]) -> Result<Nodes, EvalError> {
        let mut reached = Nodes::new();
        for &node in from {
            let kept = self.keep(step, node)?;
            // All nodes of a set are equally deep, so those with one parent stand side by side.
            let repeated = kept.first().is_some_and(|first| step.axis == Axis::Parent && reached.last() == Some(first));
            if !repeated {
                reached.extend(kept);
            }
        }
        Ok(reached)
    }

    /// The nodes that `step` leads to from `node`, its predicates applied.
    fn keep(&self, step: &Step, node: NodeRef) -> Result<Nodes, EvalError> {
        let mut predicates = step.predicates.as_slice();
        let mut candidates = None;
        if let Some((first, others)) = predicates.split_first()
            && let Some(found) = self.look_up(step, *first, node)?
        {
            candidates = Some(found);
            predicates = others;
        }
        let mut candidates = match candidates {
            Some(found) => found,
            None => self.reach(node, step)?,
        };
        for &predicate in predicates {
            candidates = self.filter(&candidates, predicate)?;
        }
        Ok(candidates)
    }

    /// The nodes that `step` leads to from `node`, predicates aside.
    fn reach(&self, node: NodeRef, step: &Step) -> Result<Nodes, EvalError> {
        let mut reached = Nodes::new();
        match step.axis {
            Axis::Child | Axis::Attribute => self.world.children(node, step.axis, step.test, &mut reached),
            Axis::Parent => reached.extend(self.world.parent(node).filter(|&parent| self.passes(parent, step.test))),
            Axis::Itself => reached.extend(self.passes(node, step.test).then_some(node)),
        }
        self.spend(1 + reached.len() as u64)?;
        Ok(reached)
    }

    fn passes(&self, node: NodeRef, test: NameTest) -> bool {
        match test {
            NameTest::Any => true,
            NameTest::Name(name) => self.world.name(node) == Some(name),
        }
    }

    /// The candidates that `predicate` keeps: those for which it is true or, if it is a number, the one at that
    /// position.
    fn filter(&self, candidates: &[NodeRef], predicate: ExprId) -> Result<Nodes, EvalError> {
        self.scan(candidates, |scope| match self.eval(predicate, scope)? {
            #[expect(clippy::float_cmp, reason = "a position is exact")]
            Value::Number(number) => Ok(number == scope.position as f64),
            value => Ok(value.to_bool(self.world)),
        })
    }

    /// The candidates for which every one of `conditions` is true.
    fn all_true(&self, candidates: &[NodeRef], conditions: &[ExprId]) -> Result<Nodes, EvalError> {
        self.scan(candidates, |scope| {
            for &condition in conditions {
                if !self.eval(condition, scope)?.to_bool(self.world) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn scan(
        &self,
        candidates: &[NodeRef],
        keeps: impl Fn(Scope<'_>) -> Result<bool, EvalError>,
    ) -> Result<Nodes, EvalError> {
        let memo = Memo::new(candidates.first().map_or(0, |node| node.tree));
        let mut kept = Nodes::new();
        for (index, &node) in candidates.iter().enumerate() {
            if keeps(Scope { node, position: index + 1, memo: Some(&memo) })? {
                kept.push(node);
            }
        }
        Ok(kept)
    }

    /// The answer to a predicate from the world's index: the children of `parent` for which it holds. `None` if the
    /// predicate is of another form, its key is no text, or there is no index.
    fn look_up(&self, step: &Step, predicate: ExprId, parent: NodeRef) -> Result<Option<Nodes>, EvalError> {
        let (Axis::Child, NameTest::Name(row)) = (step.axis, step.test) else { return Ok(None) };
        let Some(lookup) = self.lookup(predicate, parent.tree) else { return Ok(None) };
        let scope = Scope { node: parent, position: 1, memo: None };
        let key = match self.scalar(lookup.key, scope)? {
            Value::Text(key) => key,
            // A day equals a text that says the same (xforms.md §11).
            day @ (Value::Date(_) | Value::DateTime(_)) => day.to_text(self.world),
            Value::Bool(_) | Value::Number(_) | Value::Time(_) | Value::Nodes(_) => return Ok(None),
        };
        // A row without the column equals the empty text too, but no index lists it.
        if key.is_empty() {
            return Ok(None);
        }
        match self.world.find(parent, row, lookup.column, &key) {
            Some(rows) => {
                self.spend(1 + rows.len() as u64)?;
                self.all_true(&rows, &lookup.rest).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Reads `predicate` as a look-up among candidates of `tree`: the first of its conditions that says `column = key`,
    /// the key being the same for all candidates.
    fn lookup(&self, predicate: ExprId, tree: u16) -> Option<Lookup> {
        let mut conditions = Vec::new();
        let mut rest = predicate;
        while let Node::Binary { operator: Operator::And, left, right } = self.expr.node(rest) {
            conditions.push(*right);
            rest = *left;
        }
        conditions.push(rest);
        conditions.reverse();
        // Positions among the rows that an index returns are not those among all rows.
        if conditions.iter().any(|&condition| self.expr.needs(condition).position) {
            return None;
        }
        let (index, (column, key)) = conditions
            .iter()
            .enumerate()
            .find_map(|(index, &condition)| Some((index, self.column_and_key(condition, tree)?)))?;
        conditions.remove(index);
        Some(Lookup { column, key, rest: conditions })
    }

    fn column_and_key(&self, condition: ExprId, tree: u16) -> Option<(NameId, ExprId)> {
        let Node::Binary { operator: Operator::Equal, left, right } = self.expr.node(condition) else { return None };
        [(*left, *right), (*right, *left)].into_iter().find_map(|(column, key)| match self.expr.node(column) {
            Node::Path(Path { start: Start::Context, steps }) if steps.len() == 1 => {
                let name = steps.first()?.plain_child()?;
                self.expr.needs(key).nothing_of(tree).then_some((name, key))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::xpath::small_world::SmallWorld;
    use crate::xpath::{Context, EvalError, Value};

    /// Each row: where, an expression there, the texts of its nodes or its value.
    fn check(world: &SmallWorld, rows: &[(&str, &str, &str)]) {
        for (node, source, expected) in rows {
            assert_eq!(world.text_at(node, source), *expected, "{source} at {node}");
        }
    }

    #[test]
    fn steps_lead_along_four_axes() {
        check(
            &SmallWorld::new(),
            &[
                ("/d/r[2]/w", ".", "y"),
                ("/d/r[2]/w", "./.", "y"),
                ("/d/r[2]/w", "self::w", "y"),
                ("/d/r[2]/w", "self::v", ""),
                ("/d/r[2]/w", "../v", "2"),
                ("/d/r[2]/w", "parent::r/child::v", "2"),
                ("/d/r[2]/w", "parent::d/v", ""),
                ("/d/r[2]/w", "../*", "2 y"),
                ("/d/r[2]/w", "../node()", "2 y"),
                ("/d/r[2]/w", "count(../../r)", "2"),
                ("/d/r[2]/w", "count(../../*/..)", "1"),
                ("/d", "o/i/../../r/v", "1 2"),
                ("/d", "/d/@version", "7"),
                ("/d/meta", "entity/@*", "e1 1"),
                ("/d/meta/entity/@id", "../@create", "1"),
                ("/d/meta/entity", "attribute::id", "e1"),
                ("/d/meta/entity", "@none", ""),
                ("/d", "/*/a", "x"),
                ("/d", "odk:a", "x"),
                ("/d", "count(/)", "1"),
                ("/d", "/..", ""),
                ("/d", "none/none/@none", ""),
                ("/d", "instance('sites')/root/item/code", "u1 u2 z1 05 it's"),
            ],
        );
    }

    #[test]
    fn what_is_not_relevant_is_not_there() {
        check(
            &SmallWorld::new(),
            &[
                ("/d", "off", ""),
                ("/d", "count(off)", "0"),
                ("/d", "r/v", "1 2"),
                ("/d", "r[3]/v", ""),
                ("/d/off", "string(.)", ""),
            ],
        );
    }

    #[test]
    fn an_absolute_path_in_a_row_means_this_row() {
        check(
            &SmallWorld::new(),
            &[
                ("/d/r[2]/w", "/d/r/v", "2"),
                ("/d/r[2]", "/d/r/v", "2"),
                ("/d/r[2]/v", "/d/r/v", "2"),
                ("/d/r[2]/w", "count(/d/r)", "1"),
                ("/d/r[2]/w", "count(../../r)", "2"),
                ("/d/r[2]/w", "/d/r[true()]/v", "1 2"), // a predicate sets the step free
                ("/d/r[2]/w", "/d[true()]/r/v", "1 2"),
                ("/d/r[2]/w", "/d/*/v", "1 2"),
                ("/d/o[1]/i[2]/v", "/d/o/i/v", "1b"),
                ("/d/o[1]", "/d/o/i/v", "1a 1b"),
                ("/d/o[1]/i[2]/v", "/d/o/i[1]/v", "1a"),
                ("/d/o[2]/i/v", "indexed-repeat(/d/o/i/v, /d/o/i, 1)", "2a"),
                ("/d/o[1]/i[1]/v", "indexed-repeat(., .., 2)", "1b"),
                ("/d/o[1]/i[1]/v", "indexed-repeat(/d/o/i/v, ../../../o, 2, .., 1)", "2a"),
                ("/d/r[1]/w", "indexed-repeat(../v, /d/r, 2)", "2"),
                ("/d/a", "indexed-repeat(/d/r/v, ../r, 2)", "2"),
                ("/d/meta/entity/@id", "indexed-repeat(/d/r/v, ../../../r, 2)", "2"),
                ("/d/a", "/d/r[indexed-repeat(v, ., 2) > v]/v", "1"),
                ("/d/a", "indexed-repeat(/d/r/v, ../o, 2)", ""),
                ("/d/a", "/d/r/v", "1 2"),
                // Candidates of the record bind too; those of a list leave it to the question.
                ("/d/a", "/d/r[w = /d/r/w]/v", "1 2"),
                ("/d/r[2]/w", "count(instance('sites')/root/item[/d/r/v = 2])", "5"),
                ("/d/r[1]/w", "count(instance('sites')/root/item[/d/r/v = 2])", "0"),
            ],
        );
    }

    #[test]
    fn predicates_keep_by_truth_or_position() {
        check(
            &SmallWorld::new(),
            &[
                ("/d", "r[2]/v", "2"),
                ("/d", "r[position() = 2]/v", "2"),
                ("/d", "r[position() < 3][2]/v", "2"),
                ("/d", "r[v > 1][1]/v", "2"),
                ("/d", "r[1.5]/v", ""),
                ("/d", "r[w = 'y']/v", "2"),
                ("/d", "r['y' = w]/v", "2"),
                ("/d", "r[w = 'y' and 1]/v", "2"),
                ("/d", "r[./v = current()/n - 4]/v", "1"),
                ("/d", "r[string-length(w) = 1]/v", "2"),
                ("/d", "r[random() < 1]/v", "1 2"),
                ("/d", "o[i/v = '2a']/i/v", "2a"),
                ("/d", "o[i[v = '1b']]/i/v", ""), // a group is as false as its text is empty
                ("/d", "o[count(i[v = '1b']) > 0]/i/v", "1a 1b"),
                ("/d", "o/i[1]/v", "1a 2a"),
                ("/d", "a[. = 'x']", "x"),
                ("/d/a", ".[. = 'y']", ""),
                ("/d", "r/v[../w = 'y']", "2"),
            ],
        );
    }

    #[test]
    fn lists_are_looked_up_by_text() {
        let rows: &[(&str, &str, &str)] = &[
            ("/d", "instance('sites')/root/item[code = 'u2']/label", "Oog in Al"),
            ("/d", "instance('sites')/root/item['u2' = code]/label", "Oog in Al"),
            ("/d", "instance('sites')/root/item[town = 'u'][2]/label", "Oog in Al"),
            ("/d", "instance('sites')/root/item[town = 'u' and code != 'u1']/label", "Oog in Al"),
            ("/d", "instance('sites')/root/item[code != 'u1' and town = 'u']/label", "Oog in Al"),
            ("/d", "instance('sites')/root/item[town = 'u' and 7]/code", "u1 u2"),
            ("/d", "instance('sites')/root/item[code = concat(current()/../d/list, '')]/label", ""),
            ("/d/a", "instance('sites')/root/item[town = substr(concat(current()/../list, 'u'), -1)]/code", "u1 u2"),
            ("/d", "instance('sites')/root/item[town = instance('sites')/root/item[code = 'z1']/town]/code", "z1"),
            ("/d", "instance('sites')/root/item[code = \"it's\"]/label", "Quoted"),
        ];
        let mut world = SmallWorld::new();
        check(&world, rows);
        assert!(world.look_ups.get() >= rows.len());
        world.keeps_index = false;
        check(&world, rows);
    }

    #[test]
    fn what_no_index_can_answer_is_scanned() {
        let world = SmallWorld::new();
        check(
            &world,
            &[
                ("/d", "instance('sites')/root/item[code = 5]/label", "Five"), // as numbers
                ("/d", "instance('sites')/root/item[town = /d/n]/label", "Five"),
                ("/d", "instance('sites')/root/item[town = '']/label", "Quoted"), // it has no town
                ("/d", "instance('sites')/root/item[code = label]/code", ""),
                ("/d", "instance('sites')/root/item[town = 'u' and position() = 2]/code", "u2"),
                ("/d", "instance('sites')/root/item[position() = 3 and town = 'u']/code", ""),
                ("/d", "instance('sites')/root/item[town = 'u' or code = 'z1']/code", "u1 u2 z1"),
                ("/d", "instance('sites')/root/item[3]/code", "z1"),
            ],
        );
        assert_eq!(world.look_ups.get(), 0);
    }

    #[test]
    fn current_differs_from_the_context_where_a_choice_is_asked_on_behalf_of_a_question() {
        let world = SmallWorld::new();
        let item = world.node("instance('sites')/root/item[2]");
        let context = Context { node: item, current: world.node("/d/r[2]/w"), position: 2 };
        for (source, expected) in
            [("label", "Oog in Al"), ("current()", "y"), ("current()/../v", "2"), ("/d/r/v", "2"), ("position()", "2")]
        {
            let value = world.parse(source).unwrap().eval(&world, &context).unwrap();
            assert_eq!(value.to_text(&world), expected, "{source}");
        }
    }

    #[test]
    fn an_unknown_instance_is_an_error_even_behind_a_predicate() {
        let world = SmallWorld::new();
        let unknown = Err(EvalError::UnknownInstance("towns".into()));
        assert_eq!(world.eval_at("/d", "instance('towns')/root"), unknown);
        assert_eq!(world.eval_at("/d", "r[w = instance('towns')/root]"), unknown);
        assert_eq!(world.eval_at("/d", "none[instance('towns')/root]"), Ok(Value::Nodes([].into_iter().collect())));
    }
}
