use std::ops::Range;

use super::ParseError;
use super::ast::{Axis, Expr, ExprId, NameTest, Node, Path, Start, Step};
use super::functions::{Algorithm, Function, check_date_format, compile_pattern};
use super::lexer::{Lexer, Token};
use crate::error::ErrorKind;
use crate::xml::Names;
use crate::xpath::MAX_DEPTH;

/// The longest expression that is read, in bytes.
const MAX_LENGTH: usize = 65_536;

/// How deep parentheses, arguments and predicates may nest while it is read. The deepest expression takes less than 512 KiB of
/// stack in optimised code, which is what the smallest worker thread of a phone has.
const MAX_NESTING: usize = 128;

const TOO_DEEP: &str = "the expression is nested too deeply";

/// Reads an expression; names become ids of `names`, their prefixes dropped.
///
/// # Errors `XpathSyntax` for what is no expression, `UnknownFunction`, `WrongArguments` for a wrong number or kind of
/// arguments, `Unsupported` for parts of XPath 1.0 that the dialect leaves out (see the module's documentation), `TooLarge` for
/// expressions beyond the limits.
pub fn parse(source: &str, names: &mut Names) -> Result<Expr, ParseError> {
    if source.len() > MAX_LENGTH {
        return Err(too_large(0..MAX_LENGTH as u32, "the expression is too long"));
    }
    let tokens = Lexer::tokens(source)?;
    let mut parser = Parser { source, tokens, at: 0, depth: 0, names, expr: Expr::empty() };
    parser.expression()?;
    match parser.peek() {
        None if parser.expr.depth(parser.expr.root()) > MAX_DEPTH => Err(too_large(0..source.len() as u32, TOO_DEEP)),
        None => Ok(parser.expr),
        Some(_) => Err(parser.unexpected("the end or an operator")),
    }
}

struct Parser<'s, 'n> {
    source: &'s str,
    tokens: Vec<(Token<'s>, Range<u32>)>,
    at: usize,
    depth: usize,
    names: &'n mut Names,
    expr: Expr,
}

type Parsed<T> = Result<T, ParseError>;

impl<'s> Parser<'s, '_> {
    fn expression(&mut self) -> Parsed<ExprId> {
        if self.depth == MAX_NESTING {
            return Err(too_large(self.here(), TOO_DEEP));
        }
        self.depth += 1;
        let expression = self.binary(0);
        self.depth -= 1;
        expression
    }

    /// An operand and the operators at least as strong as `weakest` behind it; equally strong ones group from the left.
    fn binary(&mut self, weakest: u8) -> Parsed<ExprId> {
        let start = self.here().start;
        let mut left = self.unary()?;
        while let Some(Token::Operator(operator)) = self.peek()
            && operator.precedence() >= weakest
        {
            self.at += 1;
            let right = self.binary(operator.precedence() + 1)?;
            left = self.push(Node::Binary { operator, left, right }, start);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<ExprId> {
        let start = self.here().start;
        let mut signs = 0_usize;
        while self.skip(&Token::Operator(super::ast::Operator::Subtract)) {
            signs += 1;
        }
        let mut operand = self.primary()?;
        // Two signs cancel, but what is left is a number.
        for _ in 0..if signs == 0 { 0 } else { 2 - signs % 2 } {
            operand = self.push(Node::Negate(operand), start);
        }
        Ok(operand)
    }

    fn primary(&mut self) -> Parsed<ExprId> {
        let start = self.here().start;
        match self.peek() {
            Some(Token::Number(number)) => {
                self.at += 1;
                Ok(self.push(Node::Number(number), start))
            }
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(self.push(Node::Text(text.into()), start))
            }
            Some(Token::Open) => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(&Token::Close, "a closing parenthesis")?;
                self.no_path_may_follow()?;
                Ok(inner)
            }
            Some(Token::Name(name)) if self.second() == Some(Token::Open) && name != "node" => self.call(name),
            _ => self.path(),
        }
    }

    fn call(&mut self, name: &'s str) -> Parsed<ExprId> {
        let (start, name_span) = (self.here().start, self.here());
        self.at += 2;
        match name {
            "instance" => {
                let Some(Token::Text(id)) = self.peek() else {
                    let reason = "instance() takes the id as a text in quotes";
                    return Err(ParseError {
                        kind: ErrorKind::WrongArguments,
                        span: self.here(),
                        reason: reason.to_owned(),
                    });
                };
                self.at += 1;
                self.expect(&Token::Close, "a closing parenthesis")?;
                return self.steps_behind(Start::Instance(id.into()), start);
            }
            "current" => {
                self.expect(&Token::Close, "a closing parenthesis")?;
                return self.steps_behind(Start::Current, start);
            }
            "text" | "comment" | "processing-instruction" => {
                return Err(unsupported(name_span, "this kind of node cannot be asked for"));
            }
            _ => {}
        }
        let Some(function) = Function::named(name) else {
            let reason = format!("there is no function {name}()");
            return Err(ParseError { kind: ErrorKind::UnknownFunction, span: name_span, reason });
        };
        let args = self.arguments()?;
        let span = start..self.end_of_last();
        let args = self.checked(function, args, &span)?;
        self.no_path_may_follow()?;
        Ok(self.push(Node::Call { function, args }, start))
    }

    fn arguments(&mut self) -> Parsed<Vec<ExprId>> {
        let mut args = Vec::new();
        if self.skip(&Token::Close) {
            return Ok(args);
        }
        loop {
            args.push(self.expression()?);
            if self.skip(&Token::Close) {
                return Ok(args);
            }
            self.expect(&Token::Comma, "a comma or a closing parenthesis")?;
        }
    }

    /// The arguments of a call, if `function` can be called with them.
    fn checked(&mut self, function: Function, args: Vec<ExprId>, span: &Range<u32>) -> Parsed<Vec<ExprId>> {
        let name = function.names().first().copied().unwrap_or_default();
        let wrong = |span: Range<u32>, reason: String| ParseError { kind: ErrorKind::WrongArguments, span, reason };
        if !function.accepts(args.len()) {
            return Err(wrong(span.clone(), format!("{name}() cannot take {} arguments", args.len())));
        }
        for (index, &arg) in args.iter().enumerate() {
            if function.takes_nodeset(index) && !self.is_nodeset(arg) {
                let reason = format!("argument {} of {name}() must be a path", index + 1);
                return Err(wrong(self.expr.span(arg), reason));
            }
        }
        match (function, args.as_slice()) {
            (Function::Regex, &[_, pattern]) => {
                if let Node::Text(text) = self.expr.node(pattern) {
                    let compiled = compile_pattern(text)
                        .ok_or_else(|| unsupported(self.expr.span(pattern), "the regular expression cannot be read"))?;
                    self.expr.push_pattern(pattern, compiled);
                }
                Ok(args)
            }
            (Function::FormatDate, &[_, format]) => match self.expr.node(format) {
                Node::Text(text) if !check_date_format(text) => {
                    Err(unsupported(self.expr.span(format), "the date format holds an unknown escape"))
                }
                _ => Ok(args),
            },
            (Function::Digest, &[_, algorithm, ..]) => match self.expr.node(algorithm) {
                Node::Text(name) if Algorithm::named(name).is_none() => {
                    Err(unsupported(self.expr.span(algorithm), "there is no such digest algorithm"))
                }
                _ => Ok(args),
            },
            (Function::PullData, &[instance, column, key_column, key]) => {
                self.pull_data_paths(instance, column, key_column, span).map(|[cells, keys]| vec![cells, keys, key])
            }
            _ => Ok(args),
        }
    }

    /// The two columns of `pulldata()` as paths, which is what the call reads: that of the result and that of the key.
    fn pull_data_paths(
        &mut self,
        instance: ExprId,
        column: ExprId,
        key_column: ExprId,
        span: &Range<u32>,
    ) -> Parsed<[ExprId; 2]> {
        let (Node::Text(instance), Node::Text(column), Node::Text(key_column)) =
            (self.expr.node(instance), self.expr.node(column), self.expr.node(key_column))
        else {
            return Err(unsupported(span.clone(), "pulldata() needs its list and its columns as texts in quotes"));
        };
        let (instance, columns) = (instance.clone(), [column.clone(), key_column.clone()]);
        Ok(columns.map(|column| {
            let steps = ["root", "item", column.trim()]
                .map(|name| Step::new(Axis::Child, NameTest::Name(self.names.intern(name))))
                .into();
            self.push(Node::Path(Path { start: Start::Instance(instance.clone()), steps }), span.start)
        }))
    }

    fn is_nodeset(&self, id: ExprId) -> bool {
        matches!(self.expr.node(id), Node::Path(_) | Node::Call { function: Function::Randomize, .. })
    }

    fn path(&mut self) -> Parsed<ExprId> {
        let start = self.here().start;
        match self.peek() {
            Some(Token::DoubleSlash) => Err(unsupported(self.here(), "`//` is not supported")),
            Some(Token::Dollar) => Err(unsupported(self.here(), "variables are not supported")),
            Some(Token::Slash) => {
                self.at += 1;
                let steps = if self.at_step() { self.steps()? } else { Vec::new() };
                self.finish_path(Start::Root, steps, start)
            }
            _ if self.at_step() => {
                let steps = self.steps()?;
                self.finish_path(Start::Context, steps, start)
            }
            _ => Err(self.unexpected("a value, a function or a path")),
        }
    }

    /// The rest of a path that begins with a call.
    fn steps_behind(&mut self, from: Start, start: u32) -> Parsed<ExprId> {
        let steps = match self.peek() {
            Some(Token::Slash) => {
                self.at += 1;
                self.steps()?
            }
            Some(Token::OpenBracket) => {
                return Err(unsupported(self.here(), "a predicate cannot follow a call; put it behind a step"));
            }
            _ => Vec::new(),
        };
        self.finish_path(from, steps, start)
    }

    fn finish_path(&mut self, from: Start, steps: Vec<Step>, start: u32) -> Parsed<ExprId> {
        match self.peek() {
            Some(Token::DoubleSlash) => Err(unsupported(self.here(), "`//` is not supported")),
            Some(Token::Pipe) => Err(unsupported(self.here(), "`|` is not supported")),
            _ => Ok(self.push(Node::Path(Path { start: from, steps }), start)),
        }
    }

    fn at_step(&self) -> bool {
        matches!(
            self.peek(),
            Some(Token::Name(_) | Token::AnyName | Token::Dot | Token::DotDot | Token::At | Token::Axis(_))
        )
    }

    fn steps(&mut self) -> Parsed<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            let step = self.step()?;
            // `.` goes nowhere and keeps everything: without a predicate it is no step at all.
            if step != Step::new(Axis::Itself, NameTest::Any) {
                steps.push(step);
            }
            if !self.skip(&Token::Slash) {
                return Ok(steps);
            }
        }
    }

    fn step(&mut self) -> Parsed<Step> {
        let span = self.here();
        let token = self.peek();
        let (axis, test) = match token {
            Some(Token::Dot) => (Axis::Itself, NameTest::Any),
            Some(Token::DotDot) => (Axis::Parent, NameTest::Any),
            _ => {
                let axis = match token {
                    Some(Token::At) => Some(Axis::Attribute),
                    Some(Token::Axis("attribute")) => Some(Axis::Attribute),
                    Some(Token::Axis("child")) => Some(Axis::Child),
                    Some(Token::Axis("parent")) => Some(Axis::Parent),
                    Some(Token::Axis("self")) => Some(Axis::Itself),
                    Some(Token::Axis(name)) => {
                        return Err(unsupported(span, &format!("the axis {name}:: is not supported")));
                    }
                    _ => None,
                };
                if axis.is_some() {
                    self.at += 1;
                }
                (axis.unwrap_or(Axis::Child), self.name_test()?)
            }
        };
        if matches!(token, Some(Token::Dot | Token::DotDot)) {
            self.at += 1;
        }
        let mut step = Step::new(axis, test);
        while self.skip(&Token::OpenBracket) {
            step.predicates.push(self.expression()?);
            self.expect(&Token::CloseBracket, "a closing bracket")?;
        }
        Ok(step)
    }

    fn name_test(&mut self) -> Parsed<NameTest> {
        match self.peek() {
            Some(Token::AnyName) => {
                self.at += 1;
                Ok(NameTest::Any)
            }
            Some(Token::Name(name)) if self.second() == Some(Token::Open) => {
                if name != "node" {
                    return Err(unsupported(self.here(), "only the first step of a path can be a call"));
                }
                self.at += 2;
                self.expect(&Token::Close, "a closing parenthesis")?;
                Ok(NameTest::Any)
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                let local = name.rsplit(':').next().unwrap_or(name);
                Ok(NameTest::Name(self.names.intern(local)))
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    fn no_path_may_follow(&self) -> Parsed<()> {
        match self.peek() {
            Some(Token::Slash | Token::DoubleSlash | Token::OpenBracket) => {
                Err(unsupported(self.here(), "only instance() and current() can begin a path"))
            }
            Some(Token::Pipe) => Err(unsupported(self.here(), "`|` is not supported")),
            _ => Ok(()),
        }
    }

    fn push(&mut self, node: Node, start: u32) -> ExprId {
        let span = start..self.end_of_last();
        self.expr.push(node, span)
    }

    fn peek(&self) -> Option<Token<'s>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    fn second(&self) -> Option<Token<'s>> {
        self.tokens.get(self.at + 1).map(|(token, _)| *token)
    }

    fn skip(&mut self, token: &Token<'_>) -> bool {
        let found = self.peek().is_some_and(|next| next == *token);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &Token<'_>, words: &str) -> Parsed<()> {
        if self.skip(token) { Ok(()) } else { Err(self.unexpected(words)) }
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        ParseError { kind: ErrorKind::XpathSyntax, span: self.here(), reason: format!("{wanted} is expected") }
    }

    /// The place of the next token, or the end of the source.
    fn here(&self) -> Range<u32> {
        let end = self.source.len() as u32;
        self.tokens.get(self.at).map_or(end..end, |(_, span)| span.clone())
    }

    fn end_of_last(&self) -> u32 {
        self.at.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |(_, span)| span.end)
    }
}

fn too_large(span: Range<u32>, reason: &str) -> ParseError {
    ParseError { kind: ErrorKind::TooLarge, span, reason: reason.to_owned() }
}

fn unsupported(span: Range<u32>, reason: &str) -> ParseError {
    ParseError { kind: ErrorKind::Unsupported, span, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xpath::PathUse;

    /// The expression in brackets, so that the grouping shows.
    fn shape(source: &str) -> String {
        let mut names = Names::default();
        let expr = parse(source, &mut names).unwrap_or_else(|error| panic!("{source}: {error}"));
        fn write(expr: &Expr, id: ExprId, names: &Names) -> String {
            let test = |step: &Step| match step.test {
                NameTest::Any => "*".to_owned(),
                NameTest::Name(name) => names.get(name).to_owned(),
            };
            match expr.node(id) {
                Node::Number(number) => number.to_string(),
                Node::Text(text) => format!("'{text}'"),
                Node::Negate(operand) => format!("(- {})", write(expr, *operand, names)),
                Node::Binary { operator, left, right } => {
                    format!("({operator:?} {} {})", write(expr, *left, names), write(expr, *right, names))
                }
                Node::Call { function, args } => {
                    let args: Vec<_> = args.iter().map(|&arg| write(expr, arg, names)).collect();
                    format!("{function:?}({})", args.join(" "))
                }
                Node::Path(path) => {
                    let mut written = format!("{:?}", path.start);
                    for step in &path.steps {
                        written += &format!(" {:?}:{}", step.axis, test(step));
                        for &predicate in &step.predicates {
                            written += &format!("[{}]", write(expr, predicate, names));
                        }
                    }
                    written
                }
            }
        }
        write(&expr, expr.root(), &names)
    }

    #[test]
    fn expressions_group_as_they_bind() {
        for (source, expected) in [
            ("1 or 2 and 3 = 4 < 5 + 6 * -7", "(Or 1 (And 2 (Equal 3 (Less 4 (Add 5 (Multiply 6 (- 7)))))))"),
            ("1 - 2 - 3", "(Subtract (Subtract 1 2) 3)"),
            ("(1)", "1"),
            ("-1 * 2", "(Multiply (- 1) 2)"),
            ("a-1", "Context Child:a-1"),
            ("a -1", "(Subtract Context Child:a 1)"),
            ("a - 1", "(Subtract Context Child:a 1)"),
            ("3-1", "(Subtract 3 1)"),
            ("a.b", "Context Child:a.b"),
            ("* * *", "(Multiply Context Child:* Context Child:*)"),
            ("div div mod", "(Divide Context Child:div Context Child:mod)"),
            ("and and or", "(And Context Child:and Context Child:or)"),
            ("@mod mod 2", "(Modulo Context Attribute:mod 2)"),
            ("5.", "5"),
            (".5", "0.5"),
            (".", "Context"),
            ("./a/.", "Context Child:a"),
            ("../..", "Context Parent:* Parent:*"),
            ("/", "Root"),
            ("/ = 1", "(Equal Root 1)"),
            ("/d/orx:meta/@entities:id", "Root Child:d Child:meta Attribute:id"),
            ("orx:*", "Context Child:*"),
            ("self::node()", "Context"),
            ("a[1][b = 'c']/d", "Context Child:a[1][(Equal Context Child:b 'c')] Child:d"),
            (
                "instance('x')/root/item[k = current()/../q]",
                "Instance(\"x\") Child:root Child:item[(Equal Context Child:k Current Parent:* Child:q)]",
            ),
            ("current()", "Current"),
            ("count(a)", "Count(Context Child:a)"),
            ("count (a)", "Count(Context Child:a)"),
            ("format-date-time(a, '%Y')", "FormatDate(Context Child:a '%Y')"),
            ("jr:itext('x')", "Itext('x')"),
            (
                "pulldata('i', 'c', 'k', a)",
                "PullData(Instance(\"i\") Child:root Child:item Child:c Instance(\"i\") Child:root Child:item Child:k Context Child:a)",
            ),
            ("\"it's\"", "'it's'"),
            (" \t\r\n1 ", "1"),
            ("größe", "Context Child:größe"),
        ] {
            assert_eq!(shape(source), expected, "{source}");
        }
    }

    #[test]
    fn errors_name_their_kind_and_place() {
        use ErrorKind::{UnknownFunction, Unsupported, WrongArguments, XpathSyntax};
        for (source, kind, place) in [
            ("", XpathSyntax, ""),
            ("1 +", XpathSyntax, ""),
            ("1 + )", XpathSyntax, ")"),
            ("(1", XpathSyntax, ""),
            ("a b", XpathSyntax, "b"),
            ("1e3", XpathSyntax, "e3"),
            ("1 2", XpathSyntax, "2"),
            ("'open", XpathSyntax, "'open"),
            ("a[1", XpathSyntax, ""),
            ("a[]", XpathSyntax, "]"),
            ("a/", XpathSyntax, ""),
            ("count(a,)", XpathSyntax, ")"),
            ("a # b", XpathSyntax, "#"),
            ("a ! b", XpathSyntax, "!"),
            ("a:", XpathSyntax, "a:"),
            ("é = ÷", XpathSyntax, "÷"),
            ("1 = nothing(2)", UnknownFunction, "nothing"),
            ("last()", UnknownFunction, "last"),
            ("lower-case('A')", UnknownFunction, "lower-case"),
            ("true(1)", WrongArguments, "true(1)"),
            ("1 + if(1, 2)", WrongArguments, "if(1, 2)"),
            ("coalesce(1, 2, 3)", WrongArguments, "coalesce(1, 2, 3)"),
            ("count('a')", WrongArguments, "'a'"),
            ("sum(1)", WrongArguments, "1"),
            ("instance(a)", WrongArguments, "a"),
            ("indexed-repeat(/d/r/v, /d/r)", WrongArguments, "indexed-repeat(/d/r/v, /d/r)"),
            ("indexed-repeat(/d/r/v, /d/r, 1, /d/r/v)", WrongArguments, "indexed-repeat(/d/r/v, /d/r, 1, /d/r/v)"),
            ("weighted-checklist(1, 2, a)", WrongArguments, "weighted-checklist(1, 2, a)"),
            ("//a", Unsupported, "//"),
            ("a//b", Unsupported, "//"),
            ("a | b", Unsupported, "|"),
            ("$a", Unsupported, "$"),
            ("a/text()", Unsupported, "text"),
            ("ancestor::a", Unsupported, "ancestor::"),
            ("(a)[1]", Unsupported, "["),
            ("(a)/b", Unsupported, "/"),
            ("randomize(a)/b", Unsupported, "/"),
            ("instance('x')[1]", Unsupported, "["),
            ("a/count(b)", Unsupported, "count"),
            ("regex(a, '[')", Unsupported, "'['"),
            ("format-date(a, '%A')", Unsupported, "'%A'"),
            ("digest(a, 'CRC')", Unsupported, "'CRC'"),
            ("pulldata(a, 'b', 'c', 'd')", Unsupported, "pulldata(a, 'b', 'c', 'd')"),
        ] {
            let error = parse(source, &mut Names::default()).expect_err(source);
            let found = source.get(error.span.start as usize..error.span.end as usize);
            assert_eq!((error.kind, found), (kind, Some(place)), "{source}: {error}");
        }
    }

    #[test]
    fn size_has_limits() {
        let nested = |depth| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(MAX_NESTING - 1), &mut Names::default()).is_ok());
        for source in [nested(MAX_NESTING), "(".repeat(60_000), "a[".repeat(30_000), "1+".repeat(MAX_LENGTH)] {
            let error = parse(&source, &mut Names::default()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::TooLarge);
        }
        assert!(parse(&format!("{}1", "-".repeat(60_000)), &mut Names::default()).is_ok());
    }

    #[test]
    fn paths_know_the_predicate_they_stand_in() {
        let mut names = Names::default();
        let expr = parse("/d/a + count(/d/r[v = ../w[x]][y]/z)", &mut names).unwrap();
        let seen: Vec<_> = expr
            .paths()
            .into_iter()
            .map(|PathUse { path, within, argument_of, .. }| {
                let last = path.steps.last().map(|step| step.test);
                let Some(NameTest::Name(name)) = last else { panic!("{path:?}") };
                (names.get(name).to_owned(), within.map(|(id, step)| (expr.span(id), step)), argument_of)
            })
            .collect();
        let (outer, inner) = (13..35, 22..29);
        assert_eq!(
            seen,
            [
                ("a".to_owned(), None, None),
                ("z".to_owned(), None, Some(Function::Count)),
                ("v".to_owned(), Some((outer.clone(), 1)), None),
                ("w".to_owned(), Some((outer.clone(), 1)), None),
                ("x".to_owned(), Some((inner, 1)), None),
                ("y".to_owned(), Some((outer, 1)), None),
            ]
        );
    }

    #[test]
    fn expressions_know_what_they_depend_on() {
        for (source, constant, volatile) in [
            ("true()", true, false),
            ("1 + 2 = '3'", true, false),
            ("concat('a', round(1.5))", true, false),
            ("a", false, false),
            ("today()", false, true),
            ("once(a)", false, true),
            ("string-length()", false, false),
            ("position()", false, false),
            ("randomize(a)", false, true),
            ("randomize(a, 1)", false, false),
            ("jr:itext('x')", false, false),
            ("a[b = now()]", false, true),
        ] {
            let expr = parse(source, &mut Names::default()).unwrap();
            assert_eq!((expr.is_constant(), expr.is_volatile()), (constant, volatile), "{source}");
        }
    }
}
