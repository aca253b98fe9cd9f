//! A form in a few words, for tests: the notation of [`crate::form`] and of `tests/cases/*.md`, made into an XForm.
//!
//! ```text
//! int age label "Age" required constraint ". < 120";
//! select1 town from "instance('towns')/root/item[p = /d/p]" value n label l;
//! select likes { a, b "Label" }
//! calc total = "sum(/d/r/v)";
//! group g relevant "/d/age > 3" { text x; }
//! repeat r count "/d/n" { decimal v; on odk-new-repeat ../v = "1"; }
//! list towns { n p l; "1" "a" "Een"; "2" "b" "Twee"; }      csv towns;
//! on odk-instance-first-load /d/x = "today()";
//! words "English (en)" { q "Question" }                      // itext; a label "=q" names one
//! bind "/d/r/@id" calculate "position(..)";
//! ```
//! Questions are named by the type of their bind, or by their control: `select1 select rank trigger range upload`; `node` and
//! `calc` have none. The root is `d`. A repeat has a template and one row, as pyxform writes it; `empty` leaves out the row,
//! `plain` the template. An attribute of its own is `attribute NAME "text"`; one of its bind or of its control is
//! `on-bind NAME "text"` or `on-control NAME "text"`.

use std::fmt::Write as _;

/// The XForm of a text in this notation.
///
/// # Panics
/// On a text that is none.
#[must_use]
pub fn xform(text: &str) -> String {
    let tokens = tokens(text);
    let mut form = Form { tokens: &tokens, at: 0, ..Form::default() };
    let mut root = Inside { path: "/d".to_owned(), ..Inside::default() };
    while form.at < tokens.len() {
        form.item(&mut root);
    }
    let Form { lists, binds, itext, actions, .. } = form;
    let Inside { nodes, body, .. } = root;
    let itext = if itext.is_empty() { itext } else { format!("<itext>{itext}</itext>") };
    format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa" xmlns:odk="http://www.opendatakit.org/xforms" xmlns:orx="http://openrosa.org/xforms" xmlns:entities="http://www.opendatakit.org/xforms/entities"><h:head><h:title>Case</h:title><model>{itext}<instance><d id="case" version="1">{nodes}<meta><instanceID/></meta></d></instance>{lists}{binds}<bind nodeset="/d/meta/instanceID" type="string" jr:preload="uid"/>{actions}</model></h:head><h:body>{body}</h:body></h:html>"#
    )
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            _ if c.is_whitespace() => {}
            '"' => {
                let mut quoted = String::new();
                while let Some(c) = rest.next().filter(|&c| c != '"') {
                    quoted.push(if c == '\\' { rest.next().unwrap_or(c) } else { c });
                }
                tokens.push(Token::Text(quoted));
            }
            '{' | '}' | ';' | ',' | '=' => tokens.push(Token::Mark(c)),
            _ => {
                let mut word = String::from(c);
                while let Some(&c) = rest.peek()
                    && !c.is_whitespace()
                    && !"{};,=\"".contains(c)
                {
                    word.push(c);
                    rest.next();
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

/// What is written so far of one level of the record.
#[derive(Default)]
struct Inside {
    path: String,
    nodes: String,
    body: String,
}

#[derive(Default)]
struct Form<'t> {
    tokens: &'t [Token],
    at: usize,
    lists: String,
    binds: String,
    itext: String,
    actions: String,
}

/// What is said of one node, after its name.
#[derive(Default)]
struct Said {
    bind: String,
    control: String,
    inside_control: String,
    label: String,
    default: String,
    attributes: String,
    count: String,
    rows: Rows,
}

#[derive(Default, PartialEq, Eq)]
enum Rows {
    #[default]
    TemplateAndOne,
    Template,
    One,
}

impl Form<'_> {
    fn item(&mut self, inside: &mut Inside) {
        let kind = self.word();
        match kind.as_str() {
            "list" => self.list(),
            "csv" => {
                let name = self.word();
                let _ = write!(self.lists, r#"<instance id="{name}" src="jr://file-csv/{name}.csv"/>"#);
                self.end();
            }
            "words" => self.words(),
            "on" => {
                let action = self.action();
                self.end();
                if inside.path == "/d" { self.actions.push_str(&action) } else { inside.body.push_str(&action) }
            }
            "bind" => {
                let path = self.word_or_text();
                let said = self.said();
                self.end();
                let _ = write!(self.binds, r#"<bind nodeset="{path}"{}/>"#, said.bind);
            }
            "group" | "repeat" => self.container(&kind, inside),
            _ => self.leaf(&kind, inside),
        }
    }

    fn leaf(&mut self, kind: &str, inside: &mut Inside) {
        let name = self.word();
        let path = format!("{}/{name}", inside.path);
        let mut calculate = String::new();
        if kind == "calc" {
            self.mark('=');
            calculate = format!(r#" calculate="{}""#, escape(&self.text()));
        }
        let said = self.said();
        let (control, typed) = match kind {
            "calc" | "node" => ("", ""),
            "select1" | "select" | "trigger" | "upload" => (kind, if kind == "upload" { "binary" } else { "" }),
            "range" => (kind, "int"),
            "rank" => ("odk:rank", "odk:rank"),
            "secret" => (kind, ""),
            "text" => ("input", "string"),
            other => ("input", other),
        };
        let data_type = if typed.is_empty() || said.bind.contains(" type=") {
            String::new()
        } else {
            format!(r#" type="{typed}""#)
        };
        if !format!("{data_type}{calculate}{}", said.bind).is_empty() {
            let _ = write!(self.binds, r#"<bind nodeset="{path}"{data_type}{calculate}{}/>"#, said.bind);
        }
        let _ = write!(inside.nodes, "<{name}{}>{}</{name}>", said.attributes, escape(&said.default));
        if control.is_empty() {
            self.end();
            return;
        }
        let choices = self.choices();
        let media = if kind == "upload" { r#" mediatype="image/*""# } else { "" };
        let _ = write!(
            inside.body,
            r#"<{control} ref="{path}"{media}{}>{}{choices}{}</{control}>"#,
            said.control, said.label, said.inside_control
        );
    }

    fn container(&mut self, kind: &str, inside: &mut Inside) {
        let name = self.word();
        let mut within = Inside { path: format!("{}/{name}", inside.path), ..Inside::default() };
        let said = self.said();
        self.mark('{');
        while !self.takes('}') {
            self.item(&mut within);
        }
        self.takes(';');
        let Inside { path, nodes, body } = within;
        if !said.bind.is_empty() {
            let _ = write!(self.binds, r#"<bind nodeset="{path}"{}/>"#, said.bind);
        }
        let row = |template: &str| format!("<{name}{template}{}>{nodes}</{name}>", said.attributes);
        let template = r#" jr:template="""#;
        let rows = match (kind, said.rows) {
            ("group", _) | (_, Rows::One) => row(""),
            (_, Rows::Template) => row(template),
            (_, Rows::TemplateAndOne) => row(template) + &row(""),
        };
        inside.nodes.push_str(&rows);
        if kind == "group" {
            let _ = write!(inside.body, r#"<group ref="{path}"{}>{}{body}</group>"#, said.control, said.label);
        } else {
            let (count, control) = (said.count, said.control);
            let repeat = format!(r#"<repeat nodeset="{path}"{count}{control}>{}{body}</repeat>"#, said.inside_control);
            let _ = write!(inside.body, r#"<group ref="{path}">{}{repeat}</group>"#, said.label);
        }
    }

    /// Everything between a name and the choices or the end.
    fn said(&mut self) -> Said {
        let mut said = Said::default();
        while let Some(Token::Word(word)) =
            self.tokens.get(self.at).cloned().filter(|token| *token != Token::Word("from".into()))
        {
            self.at += 1;
            match word.as_str() {
                "relevant" | "constraint" | "calculate" | "type" => {
                    let _ = write!(said.bind, r#" {word}="{}""#, escape(&self.word_or_text()));
                }
                "required" | "readonly" => {
                    let condition = self.text_if_any().unwrap_or_else(|| "true()".to_owned());
                    let _ = write!(said.bind, r#" {word}="{}""#, escape(&condition));
                }
                "message" => {
                    let _ = write!(said.bind, r#" jr:constraintMsg="{0}" jr:requiredMsg="{0}""#, escape(&self.text()));
                }
                "preload" => {
                    let _ = write!(said.bind, r#" jr:preload="{}""#, self.word());
                    if let Some(parameter) = self.text_if_any() {
                        let _ = write!(said.bind, r#" jr:preloadParams="{parameter}""#);
                    }
                }
                "label" | "hint" => {
                    let text = self.text();
                    let element = match text.strip_prefix('=') {
                        Some(id) => format!(r#"<{word} ref="jr:itext('{id}')"/>"#),
                        // Written as it is: it may hold outputs.
                        None => format!("<{word}>{text}</{word}>"),
                    };
                    said.label.push_str(&element);
                }
                "default" => said.default = self.text(),
                "on-bind" => {
                    let _ = write!(said.bind, r#" {}="{}""#, self.word(), escape(&self.text()));
                }
                "on-control" => {
                    let _ = write!(said.control, r#" {}="{}""#, self.word(), escape(&self.text()));
                }
                "attribute" => {
                    let _ = write!(said.attributes, r#" {}="{}""#, self.word(), self.text());
                }
                "appearance" | "start" | "end" | "step" => {
                    let _ = write!(said.control, r#" {word}="{}""#, self.text());
                }
                "count" => said.count = format!(r#" jr:count="{}""#, escape(&self.text())),
                "fixed" => said.control.push_str(r#" jr:noAddRemove="true()""#),
                "empty" => said.rows = Rows::Template,
                "plain" => said.rows = Rows::One,
                "on" => {
                    let action = self.action();
                    said.inside_control.push_str(&action);
                }
                other => panic!("nothing is said of a node by `{other}`"),
            }
        }
        said
    }

    /// `EVENT PATH = "expression"`; several events stand in quotes.
    fn action(&mut self) -> String {
        let (event, target) = (self.word_or_text(), self.word_or_text());
        self.mark('=');
        format!(r#"<setvalue event="{event}" ref="{}" value="{}"/>"#, escape(&target), escape(&self.text()))
    }

    /// `{ a, b "Label" }` or `from "nodeset" value v label l`, or none.
    fn choices(&mut self) -> String {
        if self.takes('{') {
            let mut items = String::new();
            while !self.takes('}') {
                let value = self.word_or_text();
                let label = self.text_if_any().unwrap_or_else(|| value.clone());
                let _ =
                    write!(items, "<item><label>{}</label><value>{}</value></item>", escape(&label), escape(&value));
                self.takes(',');
            }
            self.takes(';');
            return items;
        }
        let Some(Token::Word(_)) = self.tokens.get(self.at) else {
            self.end();
            return String::new();
        };
        self.word();
        let nodeset = escape(&self.text());
        let (mut value, mut label) = ("name".to_owned(), "name".to_owned());
        while let Some(Token::Word(word)) = self.tokens.get(self.at) {
            let place = if word == "value" { &mut value } else { &mut label };
            self.at += 1;
            let said = match &self.tokens[self.at] {
                Token::Word(said) | Token::Text(said) => said.clone(),
                Token::Mark(mark) => panic!("`{mark}` is no path"),
            };
            *place = said;
            self.at += 1;
        }
        self.end();
        format!(r#"<itemset nodeset="{nodeset}"><value ref="{value}"/><label ref="{label}"/></itemset>"#)
    }

    /// `NAME { columns; "cells" …; }`
    fn list(&mut self) {
        let name = self.word();
        self.mark('{');
        let mut columns = Vec::new();
        while !self.takes(';') {
            columns.push(self.word());
        }
        let mut items = String::new();
        while !self.takes('}') {
            items.push_str("<item>");
            for column in &columns {
                let _ = write!(items, "<{column}>{}</{column}>", escape(&self.word_or_text()));
            }
            items.push_str("</item>");
            self.end();
        }
        let _ = write!(self.lists, r#"<instance id="{name}"><root>{items}</root></instance>"#);
    }

    /// `"Language" { id "text" … }`
    fn words(&mut self) {
        let language = self.text();
        self.mark('{');
        let mut texts = String::new();
        while !self.takes('}') {
            let _ = write!(texts, r#"<text id="{}"><value>{}</value></text>"#, self.word(), self.text());
            self.takes(',');
        }
        let _ = write!(self.itext, r#"<translation lang="{language}">{texts}</translation>"#);
    }

    fn next(&mut self) -> Token {
        let token = self.tokens.get(self.at).cloned().expect("the form goes on");
        self.at += 1;
        token
    }

    fn word(&mut self) -> String {
        match self.next() {
            Token::Word(word) => word,
            other => panic!("{other:?} stands where a word is wanted"),
        }
    }

    fn text(&mut self) -> String {
        match self.next() {
            Token::Text(text) => text,
            other => panic!("{other:?} stands where a text in quotes is wanted"),
        }
    }

    fn word_or_text(&mut self) -> String {
        match self.next() {
            Token::Word(text) | Token::Text(text) => text,
            other @ Token::Mark(_) => panic!("{other:?} stands where a word is wanted"),
        }
    }

    fn text_if_any(&mut self) -> Option<String> {
        let Some(Token::Text(text)) = self.tokens.get(self.at) else { return None };
        self.at += 1;
        Some(text.clone())
    }

    fn takes(&mut self, mark: char) -> bool {
        let is_there = self.tokens.get(self.at) == Some(&Token::Mark(mark));
        self.at += usize::from(is_there);
        is_there
    }

    fn mark(&mut self, mark: char) {
        assert!(self.takes(mark), "`{mark}` is wanted, not {:?}", self.tokens.get(self.at));
    }

    fn end(&mut self) {
        self.mark(';');
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
