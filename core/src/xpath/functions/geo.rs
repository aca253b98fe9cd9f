use std::f64::consts::PI;

/// The radius of the sphere that measures are taken on, in metres: that of the equator.
const RADIUS: f64 = 6_378_100.0;

/// A place in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    latitude: f64,
    longitude: f64,
}

/// The points of a geopoint, geotrace or geoshape: `latitude longitude …` each, separated by `;`. None for empty text;
/// `None` if one is malformed.
pub(super) fn points(text: &str) -> Option<Vec<Point>> {
    text.split(';')
        .map(str::trim)
        .filter(|point| !point.is_empty())
        .map(|point| {
            let mut numbers = point.split_whitespace().map(str::parse::<f64>);
            let mut next = || numbers.next()?.ok().filter(|number| number.is_finite());
            Some(Point { latitude: next()?, longitude: next()? })
        })
        .collect()
}

/// The area inside the line through `points`, in square metres. The sphere is unrolled around the first point, each
/// point's longitude shrunk by its own latitude; the shoelace formula does the rest.
pub(super) fn area(points: &[Point]) -> f64 {
    let [origin, others @ ..] = points else { return 0.0 };
    let metres_per_degree = 2.0 * PI * RADIUS / 360.0;
    let flat: Vec<(f64, f64)> = others
        .iter()
        .map(|point| {
            let shrink = libm::cos(point.latitude.to_radians());
            let east = (point.longitude - origin.longitude) * metres_per_degree * shrink;
            let north = (point.latitude - origin.latitude) * metres_per_degree;
            (east, north)
        })
        .collect();
    let triangles = flat.iter().zip(flat.iter().skip(1)).map(|(a, b)| (a.1 * b.0 - a.0 * b.1) / 2.0);
    triangles.sum::<f64>().abs()
}

/// The length of the line through `points`, in metres.
pub(super) fn length(points: &[Point]) -> f64 {
    points.iter().zip(points.iter().skip(1)).map(|(a, b)| distance(*a, *b)).sum()
}

/// By the spherical law of cosines.
fn distance(from: Point, to: Point) -> f64 {
    if from == to {
        return 0.0;
    }
    let (phi, other_phi) = (from.latitude.to_radians(), to.latitude.to_radians());
    let turn = (to.longitude - from.longitude).to_radians();
    let cosine = libm::sin(phi) * libm::sin(other_phi) + libm::cos(phi) * libm::cos(other_phi) * libm::cos(turn);
    libm::acos(cosine.clamp(-1.0, 1.0)) * RADIUS
}

/// Whether `point` lies inside `shape`, in the plane of latitude and longitude: a ray from it to the east crosses the
/// border an odd number of times.
pub(super) fn contains(shape: &[Point], point: Point) -> bool {
    let borders = shape.iter().zip(shape.iter().cycle().skip(1));
    let crossings = borders.filter(|(a, b)| {
        let spans = (a.latitude > point.latitude) != (b.latitude > point.latitude);
        let along = (point.latitude - a.latitude) / (b.latitude - a.latitude);
        spans && point.longitude < a.longitude + along * (b.longitude - a.longitude)
    });
    crossings.count() % 2 == 1
}

/// Whether two segments of the line through `points` meet that do not follow one another; the last point of a closed
/// line may be the first.
pub(super) fn crosses_itself(points: &[Point]) -> bool {
    let segments: Vec<(Point, Point)> =
        points.iter().copied().zip(points.iter().copied().skip(1)).filter(|(a, b)| a != b).collect();
    let closed = points.len() > 2 && points.first() == points.last();
    let last = segments.len().saturating_sub(1);
    segments.iter().enumerate().any(|(index, first)| {
        segments
            .iter()
            .enumerate()
            .skip(index + 2)
            .any(|(other, second)| !(closed && index == 0 && other == last) && meet(*first, *second))
    })
}

fn meet((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    let (side_c, side_d) = (side(a, b, c), side(a, b, d));
    let (side_a, side_b) = (side(c, d, a), side(c, d, b));
    (side_c * side_d < 0.0 && side_a * side_b < 0.0)
        || (side_c == 0.0 && within(a, b, c))
        || (side_d == 0.0 && within(a, b, d))
        || (side_a == 0.0 && within(c, d, a))
        || (side_b == 0.0 && within(c, d, b))
}

/// On which side of the line from `a` to `b` the point lies; 0 on the line.
fn side(a: Point, b: Point, point: Point) -> f64 {
    (b.longitude - a.longitude) * (point.latitude - a.latitude)
        - (b.latitude - a.latitude) * (point.longitude - a.longitude)
}

/// Whether a point of the line through `a` and `b` lies between them.
fn within(a: Point, b: Point, point: Point) -> bool {
    let between = |from: f64, to: f64, value: f64| (from.min(to)..=from.max(to)).contains(&value);
    between(a.latitude, b.latitude, point.latitude) && between(a.longitude, b.longitude, point.longitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<Point> {
        points(text).unwrap()
    }

    fn close(measured: f64, expected: f64) -> bool {
        (measured / expected - 1.0).abs() < 1e-12
    }

    const CELL: &str = "0 0 0 0; 0 1 0 0;1 1; 1 0 0 0; 0 0 0 0";

    #[test]
    fn a_cell_at_the_equator_is_as_large_as_in_javarosa() {
        assert!(close(length(&line("0 0; 0 1")), 111_318.845_021_439_22));
        assert!(close(length(&line(CELL)), 445_258.425_256_117_95));
        assert!(close(area(&line(CELL)), 1.239_094_158_483_664_3e10), "{}", area(&line(CELL)));
        for short in ["", "0 0", "0 0; 0 1"] {
            assert_eq!(area(&line(short)), 0.0);
        }
        assert_eq!((length(&line("")), length(&line("5 5; 5 5"))), (0.0, 0.0));
    }

    #[test]
    fn points_are_inside_or_outside() {
        for (point, inside) in [("0.5 0.5", true), ("2 0.5", false), ("0.5 -1", false), ("0.5 1.5", false)] {
            assert_eq!(contains(&line(CELL), line(point)[0]), inside, "{point}");
        }
        assert!(!contains(&[], line("0 0")[0]));
    }

    #[test]
    fn lines_cross_themselves_or_not() {
        for (text, crosses) in [
            (CELL, false),
            ("0 0; 1 1; 0 1; 1 0", true),
            ("0 0; 1 1; 0 1; 1 0; 0 0", true),
            ("0 0; 1 0; 1 1", false),
            ("0 0; 0 2; 1 2; 1 1; 0 1", true),
            ("0 0; 0 2; 0 2; 1 2", false),
            ("0 0; 0 1; 0 2", false),
            ("", false),
        ] {
            assert_eq!(crosses_itself(&line(text)), crosses, "{text}");
        }
    }

    #[test]
    fn malformed_points_are_refused() {
        for text in ["x", "1", "1 x", "1 nan", "1 1e999", "0 0; 1"] {
            assert_eq!(points(text), None, "{text}");
        }
    }
}
