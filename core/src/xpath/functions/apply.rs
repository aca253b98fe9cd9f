use std::f64::consts;

use super::args::Args;
use super::date::format_civil;
use super::{Function, digest, geo, number, text};
use crate::xpath::date;
use crate::xpath::{EvalError, NodeRef, Value, World, seed_of, shuffle};

/// The value of a call whose arguments are values; the few that look at expressions are evaluated before.
pub(in crate::xpath) fn apply<W: World>(function: Function, args: &Args<'_, '_, W>) -> Result<Value, EvalError> {
    use Function as F;
    let world = args.world();
    let number = |value: f64| Value::Number(value);
    Ok(match function {
        // Nodesets and instances
        F::Count => number(args.nodes(0).len() as f64),
        F::CountNonEmpty => number(args.nodes(0).iter().filter(|&&node| !is_blank(node, world)).count() as f64),
        F::Sum => number(numbers(args, 0).sum()),
        F::Min => number(numbers(args, 0).reduce(f64::min).unwrap_or(f64::NAN)),
        F::Max => number(numbers(args, 0).reduce(f64::max).unwrap_or(f64::NAN)),
        F::Position if args.len() == 0 => number(args.position() as f64),
        F::Position => number(args.nodes(0).first().map_or(0.0, |&node| world.position(node) as f64)),
        F::Randomize => {
            let seed = if args.len() > 1 { seed_of(&args.scalar(1)) } else { (world.random_u64() >> 1).cast_signed() };
            Value::Nodes(shuffle(args.nodes(0), seed).into_iter().collect())
        }
        F::Once => {
            let kept = world.raw_text(args.node());
            if kept.is_empty() { args.value(0) } else { Value::Text(kept.into_owned()) }
        }
        F::Property => Value::Text(world.property(&args.text(0))),
        F::Version => Value::Text(world.form_version()),
        F::Itext => Value::Text(world.itext(&args.text(0))),
        F::ChoiceName => Value::Text(world.choice_label(args.node(), &args.text(0), &args.text(1))),
        // These look at their arguments as expressions: see Evaluator::call.
        F::IndexedRepeat | F::PullData | F::If | F::Coalesce | F::Depend | F::Regex => Value::empty(),
        // Selects
        F::Selected => {
            let (list, value) = (args.text(0), args.text(1));
            Value::Bool(format!(" {} ", list.trim()).contains(&format!(" {} ", value.trim())))
        }
        F::CountSelected => number(args.text(0).split_whitespace().count() as f64),
        F::SelectedAt => {
            let (list, index) = (args.text(0), args.number(1));
            let chosen = if index >= 0.0 { list.split_whitespace().nth(index as usize) } else { None };
            Value::Text(chosen.unwrap_or_default().to_owned())
        }
        // Logic
        F::True => Value::Bool(true),
        F::False => Value::Bool(false),
        F::Not => Value::Bool(!args.bool(0)),
        F::Boolean => Value::Bool(args.bool(0)),
        F::BooleanFromString => {
            let text = args.text(0);
            Value::Bool(text == "1" || text.eq_ignore_ascii_case("true"))
        }
        F::Checklist => {
            let checked = args.spread(2).iter().filter(|value| value.to_bool(world)).count() as f64;
            Value::Bool(within(checked, args.number(0), args.number(1)))
        }
        F::WeightedChecklist => {
            let items = args.spread(2);
            let weight: f64 = items
                .chunks_exact(2)
                .filter(|pair| pair.first().is_some_and(|item| item.to_bool(world)))
                .filter_map(|pair| pair.last().map(|weight| weight.to_number(world)))
                .sum();
            Value::Bool(weight >= args.number(0) && weight <= args.number(1))
        }
        // Texts
        F::Text => Value::Text(args.text(0)),
        F::Concat => Value::Text(args.spread_texts(0).concat()),
        F::Join => Value::Text(args.spread_texts(1).join(&args.text(0))),
        F::Substr => Value::Text(text::substr(&args.text(0), args.number(1), (args.len() > 2).then(|| args.number(2)))),
        F::SubstringBefore => {
            Value::Text(args.text(0).split_once(&args.text(1)).map_or("", |(before, _)| before).to_owned())
        }
        F::SubstringAfter => {
            Value::Text(args.text(0).split_once(&args.text(1)).map_or("", |(_, after)| after).to_owned())
        }
        F::Contains => Value::Bool(args.text(0).contains(&args.text(1))),
        F::StartsWith => Value::Bool(args.text(0).starts_with(&args.text(1))),
        F::EndsWith => Value::Bool(args.text(0).ends_with(&args.text(1))),
        F::Translate => Value::Text(text::translate(&args.text(0), &args.text(1), &args.text(2))),
        F::StringLength => number(own_text(args).encode_utf16().count() as f64),
        F::NormalizeSpace => Value::Text(own_text(args).split_whitespace().collect::<Vec<_>>().join(" ")),
        F::Uuid if args.len() == 0 => Value::Text(world.uuid()),
        F::Uuid => Value::Text(text::random_word(args.number(0), world)),
        F::Digest => {
            let encoding = if args.len() > 2 { args.text(2) } else { "base64".to_owned() };
            Value::Text(digest::digest(&args.text(0), &args.text(1), &encoding))
        }
        F::Base64Decode => Value::Text(digest::decode(&args.text(0))),
        // Numbers
        F::Number => number(args.number(0)),
        F::Int => number(args.number(0).trunc()),
        F::Round => number(number::round(args.number(0), if args.len() > 1 { args.number(1) } else { 0.0 })),
        F::Floor => number(args.number(0).floor()),
        F::Ceiling => number(args.number(0).ceil()),
        F::Abs => number(args.number(0).abs()),
        F::Pow => number(args.number(0).powf(args.number(1))),
        F::Exp => number(args.number(0).exp()),
        F::Exp10 => number(10_f64.powf(args.number(0))),
        F::Log => number(args.number(0).ln()),
        F::Log10 => number(args.number(0).log10()),
        F::Sqrt => number(args.number(0).sqrt()),
        F::Sin => number(args.number(0).sin()),
        F::Cos => number(args.number(0).cos()),
        F::Tan => number(args.number(0).tan()),
        F::Asin => number(args.number(0).asin()),
        F::Acos => number(args.number(0).acos()),
        F::Atan => number(args.number(0).atan()),
        F::Atan2 => number(args.number(0).atan2(args.number(1))),
        F::Pi => number(consts::PI),
        F::Random => number(world.random()),
        // Dates
        F::Today => Value::Date(date::local_day(world.now_ms(), world.time_zone())),
        F::Now => Value::DateTime(world.now_ms()),
        F::Date => match moment(&args.scalar(0), world) {
            Some(Moment::Day(day)) => Value::Date(day),
            Some(Moment::Civil(ms)) => Value::Date(ms.div_euclid(date::DAY_MS)),
            None => Value::empty(),
        },
        F::DateTime => match moment(&args.scalar(0), world) {
            Some(Moment::Day(day)) => Value::Date(day),
            Some(Moment::Civil(ms)) => Value::DateTime(date::moment_ms(ms, world.time_zone())),
            None => Value::empty(),
        },
        F::DecimalDateTime => number(match moment(&args.scalar(0), world) {
            Some(Moment::Day(day)) => date::midnight_ms(day, world.time_zone()) as f64 / date::DAY_MS as f64,
            Some(Moment::Civil(ms)) => date::moment_ms(ms, world.time_zone()) as f64 / date::DAY_MS as f64,
            None => f64::NAN,
        }),
        F::DecimalTime => {
            number(time_of_day(&args.scalar(0), world).map_or(f64::NAN, |ms| ms as f64 / date::DAY_MS as f64))
        }
        F::FormatDate => match moment(&args.scalar(0), world) {
            Some(Moment::Day(day)) => Value::Text(
                format_civil(day.saturating_mul(date::DAY_MS), &args.text(1), world).ok_or(EvalError::DateFormat)?,
            ),
            Some(Moment::Civil(ms)) => {
                Value::Text(format_civil(ms, &args.text(1), world).ok_or(EvalError::DateFormat)?)
            }
            None => Value::empty(),
        },
        // Geography
        F::Area => number(geo::area(&geo::points(&args.spread_texts(0)))),
        F::Distance => number(geo::distance(&geo::points(&args.spread_texts(0)))),
        F::Geofence => Value::Bool(geo::contains(&geo::points(&[args.text(0)]), &geo::points(&[args.text(1)]))),
        F::Intersects => Value::Bool(geo::intersects(&geo::points(&[args.text(0)]))),
    })
}

/// A day of the calendar, or what a wall clock shows in milliseconds since 1970-01-01T00:00 local.
enum Moment {
    Day(i64),
    Civil(i64),
}

fn moment<W: World>(value: &Value, world: &W) -> Option<Moment> {
    let zone = world.time_zone();
    match value {
        Value::Date(day) => Some(Moment::Day(*day)),
        Value::DateTime(ms) => Some(Moment::Civil(date::local_ms(*ms, zone))),
        Value::Text(text) if text.is_empty() => None,
        Value::Text(text) => match date::parse_date(text) {
            Some(day) => Some(Moment::Day(day)),
            None => match date::parse_date_time(text, zone) {
                Some(ms) => Some(Moment::Civil(date::local_ms(ms, zone))),
                None => from_days(crate::xpath::parse_number(text)),
            },
        },
        other => from_days(other.to_number(world)),
    }
}

fn from_days(days: f64) -> Option<Moment> {
    const MOST: f64 = 1e8; // beyond any calendar
    if days.is_nan() || days.abs() > MOST {
        None
    } else if days.fract() == 0.0 {
        Some(Moment::Day(days as i64))
    } else {
        Some(Moment::Civil((days * date::DAY_MS as f64).round() as i64))
    }
}

fn time_of_day<W: World>(value: &Value, world: &W) -> Option<i64> {
    match value {
        Value::Time(ms) => Some(*ms),
        Value::Text(text) if date::parse_date(text).is_none() => date::parse_time(text).or_else(|| {
            date::parse_date_time(text, world.time_zone())
                .map(|ms| date::local_ms(ms, world.time_zone()).rem_euclid(date::DAY_MS))
        }),
        other => match moment(other, world)? {
            Moment::Day(_) => Some(0),
            Moment::Civil(ms) => Some(ms.rem_euclid(date::DAY_MS)),
        },
    }
}

/// The numbers among the arguments; what is none is left out.
fn numbers<W: World>(args: &Args<'_, '_, W>, first: usize) -> impl Iterator<Item = f64> {
    let world = args.world();
    args.spread(first).into_iter().map(move |value| value.to_number(world)).filter(|number| !number.is_nan())
}

fn is_blank<W: World>(node: NodeRef, world: &W) -> bool {
    world.text(node).is_empty() && !world.has_children(node)
}

/// The argument, or without one the context node, as text.
fn own_text<W: World>(args: &Args<'_, '_, W>) -> String {
    if args.len() == 0 { args.world().text(args.node()).into_owned() } else { args.text(0) }
}

/// Whether a count lies between two bounds, of which -1 is none.
#[expect(clippy::float_cmp, reason = "-1 is written, not computed")]
fn within(count: f64, min: f64, max: f64) -> bool {
    (min == -1.0 || count >= min) && (max == -1.0 || count <= max)
}
