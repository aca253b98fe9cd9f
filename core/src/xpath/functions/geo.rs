/// Radius of the Earth in metres, the equator's, as JavaRosa counts.
const RADIUS: f64 = 6_378_100.0;

/// Latitude and longitude in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    latitude: f64,
    longitude: f64,
}

/// The points in texts of geopoints, geotraces and geoshapes; none at all if one of them is malformed.
pub(super) fn points(texts: &[String]) -> Vec<Point> {
    let each = texts.iter().flat_map(|text| text.split(';')).map(str::trim).filter(|text| !text.is_empty());
    each.map(point).collect::<Option<_>>().unwrap_or_default()
}

fn point(text: &str) -> Option<Point> {
    let mut parts =
        text.split_ascii_whitespace().map(|part| part.parse::<f64>().ok().filter(|number| number.is_finite()));
    Some(Point { latitude: parts.next()??, longitude: parts.next()?? })
}

/// The area within a line in square metres, on a plane whose metres are true along each point's own parallel.
pub(super) fn area(points: &[Point]) -> f64 {
    let Some(origin) = points.first().filter(|_| points.len() > 2) else { return 0.0 };
    let metres: Vec<_> = points
        .iter()
        .map(|point| {
            let east = (point.longitude - origin.longitude).to_radians() * point.latitude.to_radians().cos();
            (RADIUS * east, RADIUS * (point.latitude - origin.latitude).to_radians())
        })
        .collect();
    let twice: f64 = metres.windows(2).map(|pair| if let [a, b] = pair { a.1 * b.0 - a.0 * b.1 } else { 0.0 }).sum();
    twice.abs() / 2.0
}

/// The length of a line in metres.
pub(super) fn distance(points: &[Point]) -> f64 {
    if points.len() < 2 {
        return if points.is_empty() { f64::NAN } else { 0.0 };
    }
    points.windows(2).map(|pair| if let [a, b] = pair { between(*a, *b) } else { 0.0 }).sum()
}

/// The spherical law of cosines.
fn between(a: Point, b: Point) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let width = (b.longitude - a.longitude).to_radians();
    let cosine = lat_a.sin() * lat_b.sin() + lat_a.cos() * lat_b.cos() * width.cos();
    RADIUS * cosine.clamp(-1.0, 1.0).acos()
}

/// Whether a point lies within a shape: even-odd rule in the plane of latitude and longitude.
pub(super) fn contains(point: &[Point], shape: &[Point]) -> bool {
    let (Some(point), true) = (point.first(), shape.len() > 2) else { return false };
    let next = shape.iter().cycle().skip(1);
    let crossings = shape.iter().zip(next).filter(|(a, b)| {
        (a.latitude > point.latitude) != (b.latitude > point.latitude) && {
            let slope = (b.longitude - a.longitude) / (b.latitude - a.latitude);
            point.longitude < a.longitude + slope * (point.latitude - a.latitude)
        }
    });
    crossings.count() % 2 == 1
}

/// Whether two segments that are not neighbours cross; a closed shape may meet itself where it closes.
pub(super) fn intersects(points: &[Point]) -> bool {
    let segments: Vec<_> =
        points.windows(2).filter_map(|pair| if let [a, b] = pair { Some((*a, *b)) } else { None }).collect();
    let closed = points.first() == points.last();
    for (i, first) in segments.iter().enumerate() {
        for (j, second) in segments.iter().enumerate().skip(i + 2) {
            let neighbours_by_closing = closed && i == 0 && j == segments.len() - 1;
            if !neighbours_by_closing && cross(*first, *second) {
                return true;
            }
        }
    }
    false
}

fn cross((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    let side = |p: Point, q: Point, r: Point| {
        (q.longitude - p.longitude) * (r.latitude - p.latitude)
            - (q.latitude - p.latitude) * (r.longitude - p.longitude)
    };
    let apart = |one: f64, other: f64| (one > 0.0) == (other > 0.0) && one != 0.0 && other != 0.0;
    let on = |p: Point, q: Point, r: Point| {
        side(p, q, r) == 0.0
            && (p.latitude.min(q.latitude)..=p.latitude.max(q.latitude)).contains(&r.latitude)
            && (p.longitude.min(q.longitude)..=p.longitude.max(q.longitude)).contains(&r.longitude)
    };
    let touches = on(a, b, c) || on(a, b, d) || on(c, d, a) || on(c, d, b);
    let splits = |p, q, r, s| side(p, q, r) != 0.0 && side(p, q, s) != 0.0 && !apart(side(p, q, r), side(p, q, s));
    touches || (splits(a, b, c, d) && splits(c, d, a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<Point> {
        points(&[text.to_owned()])
    }

    #[test]
    fn a_cell_at_the_equator() {
        let cell = line("0 0 0 0; 0 1 0 0; 1 1 0 0; 1 0 0 0; 0 0 0 0");
        assert!((distance(&line("0 0; 0 1")) - 111_318.845_021_439_22).abs() < 1e-6);
        assert!((distance(&cell) - 445_258.425_256_117_95).abs() < 1e-6);
        assert!((area(&cell) / 1.239_094_158_483_664_3e10 - 1.0).abs() < 1e-9, "{}", area(&cell));
        assert!((area(&line("0 0; 0 1"))).abs() < 1e-9);
        assert!(contains(&line("0.5 0.5"), &cell) && !contains(&line("2 0.5"), &cell));
        assert!(!intersects(&cell) && intersects(&line("0 0; 1 1; 0 1; 1 0")));
        assert!(line("1 x").is_empty());
    }
}
