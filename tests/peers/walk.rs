//! A walk: what a person might do with a form, drawn at random, as events of the neutral driver.

use std::sync::Arc;

use serde_json::{Value, json};
use veldwerk::clock::Step;
use veldwerk::engine::{Engine, Settings};
use veldwerk::form::{Control, ControlKind, DataType, FormDef};
use veldwerk::ids::{ControlId, DefId, NodeId};
use veldwerk::instance::Writer;
use veldwerk_tests::dice::Dice;

/// Every walk ends with finalising; before it come this many events.
const EVENTS: usize = 24;

/// The events of one walk. The engine comes along, so that most answers are possible ones.
///
/// Left out, because there our rule is another one: the answer that a question has already, and answers to calculated
/// questions. JavaRosa computes dependants again at an answer that changes nothing, at every new row and at finalising, and
/// overwrites what a person put in place of a calculated value; we keep it until something it depends on changes. A point at
/// 0 0 neither: JavaRosa takes it for none.
pub(crate) fn events(form: &Arc<FormDef>, settings: &Settings, now: i64, seed: u64) -> Vec<Value> {
    let step = |number| Step { at: now, seed: 0, number };
    let mut events = Vec::new();
    // A form whose record would be too large has no events.
    let Ok(engine) = Engine::begin(Arc::clone(form), settings.clone(), step(0), None) else { return events };
    let mut walk = Walk { engine, settings, dice: Dice::new(seed, 1), words: words(form) };
    for number in 1..=EVENTS as u64 {
        if let Some(event) = walk.event() {
            walk.apply(&event, step(number));
            events.push(event);
        }
    }
    events.push(json!({"op": "finalize"}));
    events
}

struct Walk<'f> {
    engine: Engine,
    settings: &'f Settings,
    dice: Dice,
    /// Texts that the form's expressions compare with: what makes things happen.
    words: Vec<String>,
}

impl Walk<'_> {
    fn event(&mut self) -> Option<Value> {
        match self.dice.below(100) {
            0..9 => self.add(),
            9..14 => self.remove(),
            14..17 => self.language(),
            17..20 => Some(json!({"op": "reload"})),
            _ => self.answer(),
        }
    }

    fn add(&mut self) -> Option<Value> {
        let form = Arc::clone(self.engine.form());
        let tree = self.engine.tree();
        let parents = tree.subtree(tree.root()).into_iter().filter(|&node| tree.node(node).relevant);
        let ranges = parents.flat_map(|parent| {
            let repeats = form.nodes[tree.node(parent).def].children.iter().copied();
            repeats.filter(|&def| self.engine.may_add(def)).map(move |def| (parent, def))
        });
        let ranges: Vec<(NodeId, DefId)> = ranges.collect();
        let &(parent, def) = self.dice.pick(&ranges)?;
        let range = format!("{}/{}", self.engine.path(parent), form.names.get(form.nodes[def].name));
        Some(json!({"op": "add-repeat", "ref": range}))
    }

    fn remove(&mut self) -> Option<Value> {
        let tree = self.engine.tree();
        let rows: Vec<NodeId> = tree.subtree(tree.root()).into_iter().filter(|&node| self.may_remove(node)).collect();
        let &row = self.dice.pick(&rows)?;
        Some(json!({"op": "remove-repeat", "ref": self.engine.path(row)}))
    }

    fn may_remove(&self, node: NodeId) -> bool {
        let node = self.engine.tree().node(node);
        node.relevant && self.engine.form().nodes[node.def].repeat.is_some() && self.engine.may_add(node.def)
    }

    fn language(&mut self) -> Option<Value> {
        let languages: Vec<String> = self.engine.languages().iter().map(|language| language.name.clone()).collect();
        self.dice.pick(&languages).map(|language| json!({"op": "language", "value": language}))
    }

    /// An answer to a question that can be asked; now and then to one that cannot, which must be refused alike.
    fn answer(&mut self) -> Option<Value> {
        let form = Arc::clone(self.engine.form());
        let refused = self.dice.chance(0.03);
        let tree = self.engine.tree();
        let nodes = tree.subtree(tree.root()).into_iter();
        let questions = nodes.filter_map(|node| {
            let def = &form.nodes[tree.node(node).def];
            let asked = def.control.filter(|_| def.calculate.is_none())?;
            let possible = tree.node(node).relevant && !self.engine.is_readonly(node);
            (form.controls[asked].kind.is_question() && possible != refused).then_some((asked, node))
        });
        let questions: Vec<(ControlId, NodeId)> = questions.collect();
        let &(control, node) = self.dice.pick(&questions)?;
        let value = self.value(&form.controls[control], control, node);
        let before = &self.engine.tree().node(node).value;
        let changes = value.as_deref().unwrap_or_default() != before.as_str();
        changes.then(|| json!({"op": "answer", "ref": self.engine.path(node), "value": value}))
    }

    /// `None` clears.
    fn value(&mut self, control: &Control, id: ControlId, node: NodeId) -> Option<String> {
        if self.dice.chance(0.1) {
            return None;
        }
        match control.kind {
            ControlKind::Select1 => {
                let offered = self.offered(id, node);
                self.dice.pick(&offered).cloned()
            }
            ControlKind::Select => {
                let offered = self.offered(id, node);
                let many = 1 + self.dice.below(3);
                let mut chosen: Vec<String> = Vec::new();
                for _ in 0..many {
                    chosen.extend(self.dice.pick(&offered).filter(|choice| !chosen.contains(choice)).cloned());
                }
                Some(chosen.join(" "))
            }
            ControlKind::Rank => {
                let mut order = self.offered(id, node);
                for place in (1..order.len()).rev() {
                    order.swap(place, self.dice.below(place as u64 + 1) as usize);
                }
                Some(order.join(" "))
            }
            ControlKind::Trigger => Some("OK".to_owned()),
            ControlKind::Upload => Some(format!("file-{}.jpg", self.dice.below(3))),
            ControlKind::Range => Some(self.on_scale(control)),
            ControlKind::Input | ControlKind::Secret | ControlKind::Group | ControlKind::Repeat => {
                let data_type = self.engine.form().nodes[self.engine.tree().node(node).def].data_type;
                Some(self.typed(data_type))
            }
        }
    }

    fn offered(&self, control: ControlId, node: NodeId) -> Vec<String> {
        self.engine.choices(control, node).into_iter().map(|choice| choice.value.to_string()).collect()
    }

    fn on_scale(&mut self, control: &Control) -> String {
        let number = |name: &str, default: f64| control.setting(name).and_then(|n| n.parse().ok()).unwrap_or(default);
        let (start, end, step): (f64, f64, f64) = (number("start", 0.0), number("end", 10.0), number("step", 1.0));
        let steps = ((end - start) / step).abs().min(1000.0) as u64;
        (start + step * self.dice.below(steps + 1) as f64).to_string()
    }

    fn typed(&mut self, data_type: DataType) -> String {
        let words: Vec<String> = self.words.iter().filter(|word| fits(word, data_type)).cloned().collect();
        if self.dice.chance(0.4)
            && let Some(word) = self.dice.pick(&words)
        {
            return word.clone();
        }
        let fixed: &[&str] = match data_type {
            DataType::String | DataType::Barcode | DataType::Binary => {
                &["Amina", "two words", "a", "5", "Ünï", "0612345678", "yes", "x, y", "12.50", "<&>\"'", "2026-02-28"]
            }
            DataType::Int | DataType::Long => &["0", "1", "2", "3", "5", "12", "17", "18", "45", "120", "-4", "2000"],
            DataType::Decimal => &["0", "0.5", "1.25", "3", "36.6", "-0.75", "120.125", "1000000"],
            DataType::Boolean => &["1", "0"],
            DataType::Date => &["2026-01-15", "2025-12-31", "2024-02-29", "2008-06-01", "1969-07-20", "2030-10-05"],
            DataType::Time => &["00:00:00.000Z", "09:30:00.000Z", "23:59:59.000Z"],
            DataType::DateTime => &["2026-01-15T12:00:00.000Z", "2024-02-29T00:00:00.000Z", "1969-12-31T23:30:00.000Z"],
            DataType::Geopoint => &["52.1 4.3 0.0 0.0", "-1.5 36.8 1600.0 4.5", "0.0 0.1 0.0 0.0"],
            DataType::Geotrace => {
                &["52.1 4.3 0.0 0.0; 52.2 4.3 0.0 0.0", "0.5 0.5 0.0 0.0; 0.5 1.0 0.0 0.0; 1.0 1.0 0.0 0.0"]
            }
            DataType::Geoshape => &["0.5 0.5 0.0 0.0; 0.5 1.0 0.0 0.0; 1.0 1.0 0.0 0.0; 0.5 0.5 0.0 0.0"],
        };
        self.dice.pick(fixed).copied().unwrap_or_default().to_owned()
    }

    fn apply(&mut self, event: &Value, step: Step) {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let reference = text("ref").unwrap_or_default();
        match text("op").unwrap_or_default() {
            "answer" => {
                if let Some(node) = self.engine.find(reference) {
                    // Refused or not, both drivers are asked the same.
                    let _ = self.engine.answer(node, text("value"), step);
                }
            }
            "add-repeat" => drop(self.engine.add_repeat(reference, step)),
            "remove-repeat" => drop(self.engine.remove_repeat(reference, step)),
            "language" => drop(self.engine.set_language(text("value").unwrap_or_default(), step)),
            "reload" => {
                let xml = self.engine.write(Writer::Submission);
                let form = Arc::clone(self.engine.form());
                if let Ok(engine) = Engine::reopen(form, self.settings.clone(), &xml, step, None) {
                    self.engine = engine;
                }
            }
            other => unreachable!("no walk has `{other}`"),
        }
    }
}

/// Whether a word of the form is a value of this type as it would be stored.
fn fits(word: &str, data_type: DataType) -> bool {
    match data_type {
        DataType::String => true,
        DataType::Int => word.parse::<i32>().is_ok_and(|number| number.to_string() == word),
        DataType::Decimal => word.parse::<f64>().is_ok_and(|number| number.to_string() == word),
        DataType::Date => word.len() == 10 && word.parse::<jiff::civil::Date>().is_ok(),
        _ => false,
    }
}

/// The literals in the form's binds and body: quoted texts and whole numbers, with the number after each.
fn words(form: &FormDef) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for attribute in attributes(form) {
        let (mut quoted, mut bare) = (Vec::new(), String::new());
        for (index, part) in attribute.split(['\'', '"']).enumerate() {
            if index % 2 == 1 { quoted.push(part.to_owned()) } else { bare.push_str(part) }
        }
        let numbers = bare.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<i32>().ok());
        words.extend(numbers.flat_map(|number| [number.to_string(), number.saturating_add(1).to_string()]));
        words.extend(quoted);
    }
    words.retain(|word| !word.is_empty() && word.len() < 40 && word.trim() == word);
    words.sort();
    words.dedup();
    words
}

/// The values of the attributes that hold expressions.
fn attributes(form: &FormDef) -> impl Iterator<Item = String> + '_ {
    let document = &form.document;
    document.elements().flat_map(|(id, _)| document.attributes(id)).filter_map(|attribute| {
        let name = document.attribute_name(attribute);
        let name = name.rsplit(':').next().unwrap_or(name);
        let expressions = ["relevant", "constraint", "required", "readonly", "calculate", "nodeset"];
        expressions.contains(&name).then(|| document.attribute_value(attribute).into_owned())
    })
}
