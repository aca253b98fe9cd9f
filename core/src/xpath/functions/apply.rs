use std::f64::consts::PI;

use super::args::Args;
use super::{Algorithm, Function, date, digest, geo, number, select, text};
use crate::xpath::date::{DAY_MS, local_day};
use crate::xpath::value::node_text;
use crate::xpath::{EvalError, NodeRef, Nodes, Value, World, seed_of, shuffle};

/// What `checklist()` takes for a bound that is left open.
const NO_BOUND: f64 = -1.0;

/// The value of a call whose arguments have been evaluated. `If`, `Coalesce`, `Depend`, `IndexedRepeat`, `PullData` and
/// `Regex` look at expressions, so the evaluator answers them itself.
pub(in crate::xpath) fn apply<W: World>(function: Function, args: &Args<'_, '_, W>) -> Result<Value, EvalError> {
    use Function as F;
    let world = args.world();
    let zone = world.time_zone();
    let refused = |reason| EvalError::Argument { function, reason };
    Ok(match function {
        F::Count => (args.nodes(0).len() as f64).into(),
        F::CountNonEmpty => {
            let filled = |node: NodeRef| world.has_children(node) || !world.text(node).is_empty();
            (args.nodes(0).iter().filter(|&&node| filled(node)).count() as f64).into()
        }
        F::Sum => numbers(args).fold(0.0, |sum, number| sum + number).into(),
        F::Min => numbers(args).reduce(f64::min).unwrap_or(f64::NAN).into(),
        F::Max => numbers(args).reduce(f64::max).unwrap_or(f64::NAN).into(),
        F::Position if args.len() == 0 => (args.position() as f64).into(),
        F::Position => (args.nodes(0).first().map_or(0, |&node| world.position(node)) as f64).into(),
        F::Randomize => {
            let seed = if args.len() == 1 { (world.random_u64() >> 1).cast_signed() } else { seed_of(&args.scalar(1)) };
            Value::Nodes(Nodes::from_vec(shuffle(args.nodes(0), seed)))
        }
        F::Once => match world.raw_text(args.node()) {
            text if text.is_empty() => args.scalar(0),
            text => text.into_owned().into(),
        },
        F::Property => world.property(&args.text(0)).into(),
        F::Version => world.form_version().into(),
        F::Itext => world.itext(&args.text(0)).into(),
        F::ChoiceName => world.choice_label(args.node(), &args.text(0), &args.text(1)).into(),

        F::Selected => select::selected(&args.text(0), &args.text(1)).into(),
        F::CountSelected => (select::count(&args.text(0)) as f64).into(),
        F::SelectedAt => select::at(&args.text(0), args.number(1)).into(),

        F::True => true.into(),
        F::False => false.into(),
        F::Not => (!args.bool(0)).into(),
        F::Boolean => args.bool(0).into(),
        F::BooleanFromString => {
            let text = args.text(0);
            (text == "1" || text.eq_ignore_ascii_case("true")).into()
        }
        F::Checklist => {
            let count = args.spread(2).iter().filter(|value| value.to_bool(world)).count() as f64;
            let (least, most) = (args.number(0), args.number(1));
            ((least == NO_BOUND || count >= least) && (most == NO_BOUND || count <= most)).into()
        }
        F::WeightedChecklist => (args.number(0)..=args.number(1)).contains(&weight_of_true(args)).into(),

        F::Text => args.text(0).into(),
        F::Concat => args.spread_texts(0).concat().into(),
        F::Join => args.spread_texts(1).join(&args.text(0)).into(),
        F::Substr => {
            let end = if args.len() > 2 { args.number(2) } else { f64::INFINITY };
            text::substr(&args.text(0), args.number(1), end).into()
        }
        F::SubstringBefore => args.text(0).split_once(args.text(1).as_str()).map_or("", |(before, _)| before).into(),
        F::SubstringAfter => args.text(0).split_once(args.text(1).as_str()).map_or("", |(_, after)| after).into(),
        F::Contains => args.text(0).contains(&args.text(1)).into(),
        F::StartsWith => args.text(0).starts_with(&args.text(1)).into(),
        F::EndsWith => args.text(0).ends_with(&args.text(1)).into(),
        F::Translate => text::translate(&args.text(0), &args.text(1), &args.text(2)).into(),
        F::StringLength => (own_text(args).encode_utf16().count() as f64).into(),
        F::NormalizeSpace => text::normalize_space(&own_text(args)).into(),
        F::Uuid if args.len() == 0 => world.uuid().into(),
        F::Uuid => text::random_word(args.number(0), world).into(),
        F::Digest => {
            let algorithm =
                Algorithm::named(&args.text(1)).ok_or_else(|| refused("there is no such digest algorithm"))?;
            let encoding = if args.len() > 2 { args.text(2) } else { "base64".to_owned() };
            digest::digest(&args.text(0), algorithm, &encoding)
                .ok_or_else(|| refused("the encoding is neither base64 nor hex"))?
                .into()
        }
        F::Base64Decode => digest::base64_decode(&args.text(0)).unwrap_or_default().into(),

        F::Number => args.number(0).into(),
        F::Int => args.number(0).trunc().into(),
        F::Round => number::round(args.number(0), if args.len() > 1 { args.number(1) } else { 0.0 }).into(),
        F::Floor => args.number(0).floor().into(),
        F::Ceiling => args.number(0).ceil().into(),
        F::Abs => args.number(0).abs().into(),
        F::Pow => args.number(0).powf(args.number(1)).into(),
        F::Exp => args.number(0).exp().into(),
        F::Exp10 => 10_f64.powf(args.number(0)).into(),
        F::Log => args.number(0).ln().into(),
        F::Log10 => args.number(0).log10().into(),
        F::Sqrt => args.number(0).sqrt().into(),
        F::Sin => args.number(0).sin().into(),
        F::Cos => args.number(0).cos().into(),
        F::Tan => args.number(0).tan().into(),
        F::Asin => args.number(0).asin().into(),
        F::Acos => args.number(0).acos().into(),
        F::Atan => args.number(0).atan().into(),
        F::Atan2 => args.number(0).atan2(args.number(1)).into(),
        F::Pi => PI.into(),
        F::Random => world.random().into(),

        F::Today => Value::Date(local_day(world.now_ms(), zone)),
        F::Now => Value::DateTime(world.now_ms()),
        F::Date => date::to_day(&args.scalar(0), zone).map_or_else(Value::empty, Value::Date),
        F::DateTime => date::to_moment(&args.scalar(0), zone).map_or_else(Value::empty, Value::DateTime),
        F::DecimalDateTime => {
            date::to_moment(&args.scalar(0), zone).map_or(f64::NAN, |ms| ms as f64 / DAY_MS as f64).into()
        }
        F::DecimalTime => date::to_time(&args.scalar(0), zone).map_or(f64::NAN, |ms| ms as f64 / DAY_MS as f64).into(),
        F::FormatDate => match date::to_civil(&args.scalar(0), zone) {
            Some(civil_ms) => date::format_civil(civil_ms, &args.text(1), world)
                .ok_or_else(|| refused("the date format holds an unknown escape"))?
                .into(),
            None => Value::empty(),
        },

        F::Area => points(args).map_or(f64::NAN, |points| geo::area(&points)).into(),
        F::Distance => points(args).map_or(f64::NAN, |points| geo::length(&points)).into(),
        F::Geofence => {
            let point = geo::points(&args.text(0)).and_then(|points| points.first().copied());
            let shape = geo::points(&args.text(1));
            point.zip(shape).is_some_and(|(point, shape)| geo::contains(&shape, point)).into()
        }
        F::Intersects => points(args).is_some_and(|points| geo::crosses_itself(&points)).into(),

        F::If | F::Coalesce | F::Depend | F::IndexedRepeat | F::PullData | F::Regex => Value::empty(),
    })
}

/// The numbers among the arguments and their nodes; what is empty or no number is left out.
fn numbers<W: World>(args: &Args<'_, '_, W>) -> impl Iterator<Item = f64> {
    let world = args.world();
    args.spread(0).into_iter().map(move |value| value.to_number(world)).filter(|number| !number.is_nan())
}

/// The sum of the weights of what is true, among the pairs from argument 2 on.
fn weight_of_true<W: World>(args: &Args<'_, '_, W>) -> f64 {
    (2..args.len()).step_by(2).filter(|&index| args.bool(index)).map(|index| args.number(index + 1)).sum()
}

/// The points of all arguments and their nodes in one line; `None` if one is malformed.
fn points<W: World>(args: &Args<'_, '_, W>) -> Option<Vec<geo::Point>> {
    let lines = args.spread_texts(0).iter().map(|text| geo::points(text)).collect::<Option<Vec<_>>>()?;
    Some(lines.concat())
}

/// The argument's text, or without one that of the context node.
fn own_text<W: World>(args: &Args<'_, '_, W>) -> String {
    if args.len() == 0 { node_text(args.node(), args.world()) } else { args.text(0) }
}
