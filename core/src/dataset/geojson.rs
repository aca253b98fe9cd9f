use std::collections::HashSet;

use serde_json::Value;

use super::rows::{MAX_COLUMNS, Rows};
use crate::xml::Names;

/// The most bytes of a file: read, a number takes sixteen times as many.
const MAX_BYTES: usize = 32 << 20;

/// Reads a GeoJSON feature collection as a dataset (xforms.md §3): a column `geometry`, `id`, and one per property.
///
/// # Errors
/// What is wrong with the file, in words.
pub fn read_geojson(bytes: &[u8], names: &mut Names) -> Result<Rows, String> {
    if bytes.len() > MAX_BYTES {
        return Err("it is too large".into());
    }
    let document: Value = serde_json::from_slice(bytes).map_err(|error| format!("not JSON, line {}", error.line()))?;
    if document.get("type").and_then(Value::as_str) != Some("FeatureCollection") {
        return Err("not a FeatureCollection".into());
    }
    let features = document.get("features").and_then(Value::as_array).ok_or("there are no features")?;
    let mut columns = vec!["geometry".to_owned(), "id".to_owned()];
    let mut known: HashSet<&str> = ["geometry", "id"].into();
    for (name, _) in features.iter().flat_map(properties) {
        if known.insert(name) {
            columns.push(name.clone());
        }
    }
    if columns.len() > MAX_COLUMNS {
        return Err("it has too many columns".into());
    }
    let mut rows = Rows::new(columns.iter().map(|column| names.intern(column)).collect());
    for feature in features {
        if feature.get("type").and_then(Value::as_str) != Some("Feature") {
            return Err("an entry is not a Feature".into());
        }
        let geometry = geometry(feature.get("geometry").unwrap_or(&Value::Null))?;
        // The id of the feature itself beats a property of that name.
        let id = feature.get("id").or_else(|| feature.get("properties")?.get("id")).map(scalar).unwrap_or_default();
        let mut cells = vec![geometry, id];
        for column in columns.iter().skip(2) {
            cells.push(feature.get("properties").and_then(|all| all.get(column)).map(scalar).unwrap_or_default());
        }
        if rows.is_full() {
            return Err("it is too large".into());
        }
        rows.push(cells.iter().map(String::as_str));
    }
    Ok(rows)
}

fn properties(feature: &Value) -> impl Iterator<Item = (&String, &Value)> {
    feature.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A geometry in the lexical form of geopoint, geotrace and geoshape; empty for a feature that is nowhere (RFC 7946, 3.2).
fn geometry(value: &Value) -> Result<String, String> {
    if value.is_null() {
        return Ok(String::new());
    }
    let coordinates = value.get("coordinates").unwrap_or(&Value::Null);
    match value.get("type").and_then(Value::as_str) {
        Some("Point") => point(coordinates).ok_or_else(|| "a point is broken".into()),
        Some("LineString") => line(coordinates).ok_or_else(|| "a line is broken".into()),
        Some("Polygon") => coordinates.get(0).and_then(line).ok_or_else(|| "a polygon is broken".into()),
        _ => Err("a geometry is neither a point, a line nor a polygon".into()),
    }
}

fn point(coordinates: &Value) -> Option<String> {
    Some(format!("{} {} 0 0", coordinates.get(1)?.as_f64()?, coordinates.get(0)?.as_f64()?))
}

fn line(coordinates: &Value) -> Option<String> {
    let points: Option<Vec<_>> = coordinates.as_array()?.iter().map(point).collect();
    Some(points?.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;

    #[test]
    fn features_become_rows() {
        let source = br#"{"type":"FeatureCollection","features":[
            {"type":"Feature","id":"top","geometry":{"type":"Point","coordinates":[5.5,52]},"properties":{"id":"in","n":1,"x":null}},
            {"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,1],[2,3],[0,1]]]},"properties":{"id":7}},
            {"type":"Feature","geometry":null,"properties":{"id":8}},{"type":"Feature","properties":null}]}"#;
        let mut names = Names::default();
        let rows = read_geojson(source, &mut names).unwrap();
        let row = |row| (0..4).map(|column| rows.cell(row, column).into_owned()).collect::<Vec<_>>();
        assert_eq!(row(0), ["52 5.5 0 0", "top", "1", ""]);
        assert_eq!(row(1), ["1 0 0 0; 3 2 0 0; 1 0 0 0", "7", "", ""]);
        assert_eq!((row(2), row(3)), (["", "8", "", ""].map(str::to_owned).to_vec(), vec![String::new(); 4]));
    }

    #[test]
    fn broken_files_say_what_is_wrong() {
        let mut names = Names::default();
        for broken in [
            "",
            "[]",
            r#"{"type":"X"}"#,
            r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"MultiPoint"}}]}"#,
        ] {
            assert!(read_geojson(broken.as_bytes(), &mut names).is_err(), "{broken}");
        }
    }
}
