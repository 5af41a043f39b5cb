//! A catalogue in CSV: a row of names, then a row for each item. An empty cell says nothing.

use std::collections::BTreeMap;

use csv::{ByteRecord, ReaderBuilder};

use super::{
    BadFile, ImportedFile,
    row::{Column, Row, flag, unknown},
};
use crate::{
    facts::{BadField, FieldKey, FieldValue, Product},
    order::Currency,
};

/// What stands before the key of an own field's column.
const FIELD: &str = "field:";

/// What the cells of a column are.
#[derive(Debug, Clone, PartialEq)]
enum Head {
    Of(Column),
    /// An own field, and how its cells are read.
    Field(FieldKey, Kind),
}

/// How an own field's cells are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Decimal,
    Flag,
    Json,
}

impl Kind {
    const ALL: [(&'static str, Self); 5] = [
        ("text", Self::Text),
        ("integer", Self::Integer),
        ("decimal", Self::Decimal),
        ("flag", Self::Flag),
        ("json", Self::Json),
    ];
    const NAMES: [&'static str; 5] = ["text", "integer", "decimal", "flag", "json"];

    fn read(self, text: &str) -> Result<FieldValue, BadField> {
        match self {
            Self::Text => FieldValue::text(text),
            Self::Integer => text.parse().map(FieldValue::Integer).map_err(|_| BadField::NotInteger),
            Self::Decimal => FieldValue::decimal(text),
            Self::Flag => flag(text).map(FieldValue::Flag).ok_or(BadField::NotFlag),
            Self::Json => FieldValue::json(text),
        }
    }
}

/// Reads the file, which is UTF-8.
///
/// # Errors
/// Names the line and the column.
pub(super) fn read(bytes: &[u8], currency: Currency) -> Result<ImportedFile, BadFile> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut record = ByteRecord::new();
    let mut heads: Option<Vec<Head>> = None;
    let mut file = ImportedFile { products: BTreeMap::new(), shop_fields: None };
    loop {
        let is_there =
            reader.read_byte_record(&mut record).map_err(|error| of_line(line(bytes, &record), error.to_string()))?;
        match (&heads, is_there) {
            (None, false) => {
                return Err(of_line(
                    1,
                    "the file is empty; its first line has the columns' names, such as item,title,price",
                ));
            }
            (Some(_), false) => return Ok(file),
            (None, true) => heads = Some(heads_of(&record, line(bytes, &record))?),
            (Some(heads), true) => {
                let line = line(bytes, &record);
                file.add(product(heads, &record, line, currency)?, line)?;
            }
        }
    }
}

/// Returns what the columns are, by the row of their names.
fn heads_of(record: &ByteRecord, line: usize) -> Result<Vec<Head>, BadFile> {
    let mut heads: Vec<Head> = Vec::new();
    let names: Vec<&str> = record.iter().map(text).map(str::trim).collect();
    if let [only] = names.as_slice()
        && only.contains([';', '\t'])
    {
        return Err(of_line(line, "the columns have other separators; write commas between them"));
    }
    for name in names {
        let of_column = |what: String| BadFile { line, column: Some(format!("column {name:.80}")), what };
        let head = head(name).map_err(of_column)?;
        let is_same = |other: &Head| match (&head, other) {
            (Head::Field(key, _), Head::Field(other, _)) => key == other,
            (head, other) => *head == *other,
        };
        if heads.iter().any(is_same) {
            return Err(of_column("stands twice; leave one of them".to_owned()));
        }
        heads.push(head);
    }
    if !heads.contains(&Head::Of(Column::Item)) {
        return Err(of_line(
            line,
            "there is no column item; the first line has the columns' names, such as item,title,price",
        ));
    }
    Ok(heads)
}

fn head(name: &str) -> Result<Head, String> {
    if let Some(field) = name.strip_prefix(FIELD) {
        let (key, kind) = field.split_once(':').unwrap_or((field, "text"));
        let key = FieldKey::parse(key).map_err(|error| format!("{key:.80} {error}"))?;
        let found = Kind::ALL.into_iter().find(|(name, _)| *name == kind);
        let (_, kind) = found.ok_or_else(|| unknown("type of a field", kind, &Kind::NAMES))?;
        return Ok(Head::Field(key, kind));
    }
    let known = Column::ALL.map(Column::as_str);
    let refused = || unknown("column", name, &known) + ", and field:NAMESPACE.KEY for fields of your own";
    Column::of_name(name).map(Head::Of).ok_or_else(refused)
}

fn product(heads: &[Head], record: &ByteRecord, line: usize, currency: Currency) -> Result<Product, BadFile> {
    if record.len() != heads.len() {
        let what = format!(
            "has {} cells, and there are {} columns; put quotes around a cell that has a comma, such as \"Mug, blue\"",
            record.len(),
            heads.len()
        );
        return Err(of_line(line, what));
    }
    let mut row = Row::default();
    for (head, cell) in std::iter::zip(heads, record).filter(|(_, cell)| !cell.is_empty()) {
        let cell = text(cell);
        let (set, name) = match head {
            Head::Of(column) => (row.set(*column, cell, currency), column.as_str().to_owned()),
            Head::Field(key, kind) => {
                let value = kind.read(cell).map_err(|error| format!("the field {error}"));
                (value.and_then(|value| row.set_field(key.clone(), value)), format!("{FIELD}{key}"))
            }
        };
        set.map_err(|what| BadFile { line, column: Some(format!("column {name}")), what })?;
    }
    row.into_product().ok_or_else(|| BadFile {
        line,
        column: Some("column item".to_owned()),
        what: "is empty; each row names its item".to_owned(),
    })
}

/// Returns a cell's text. The whole file was checked to be UTF-8.
fn text(cell: &[u8]) -> &str {
    std::str::from_utf8(cell).unwrap_or_default()
}

/// Returns the line that a record begins on. Its position is that before empty lines, which are passed over.
fn line(bytes: &[u8], record: &ByteRecord) -> usize {
    let Some(position) = record.position() else { return 1 };
    let [line, byte] = [position.line(), position.byte()].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let rest = bytes.get(byte..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n').count();
    line.saturating_add(empty)
}

fn of_line(line: usize, what: impl Into<String>) -> BadFile {
    BadFile { line, column: None, what: what.into() }
}
