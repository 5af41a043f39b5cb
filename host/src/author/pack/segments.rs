//! Joins a module's data segments that lie close together.
//!
//! Go's linker writes a segment for every run of bytes between zeros: 30,000 for an empty program, while a plugin may
//! have 10,000 (`limits.component_data_segments`). The gap between two joined segments is filled with zeros, which the
//! memory holds there anyway.

use wasm_encoder::{ConstExpr, DataCountSection, DataSection, Module, RawSection};
use wasmparser::{Data, DataKind, DataSectionReader, Operator, Parser, Payload};

/// The longest gap between segments that are joined: most of Go's gaps have 18 bytes.
const GAP_BYTES_MAX: usize = 32;

/// Returns the module with fewer segments; unchanged if one of them has no fixed place in the first memory, or overlaps
/// with another.
///
/// # Errors
/// When the module can't be read.
pub(super) fn join(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let Some(segments) = joined(module)? else { return Ok(module.to_vec()) };
    let mut rewritten = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::DataCountSection { .. } => {
                let count = u32::try_from(segments.len())?;
                rewritten.section(&DataCountSection { count });
            }
            Payload::DataSection(_) => {
                rewritten.section(&encoded(&segments)?);
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = module.get(range).unwrap_or_default();
                    rewritten.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(rewritten.finish())
}

struct Segment {
    offset: usize,
    bytes: Vec<u8>,
}

impl Segment {
    const fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }

    fn append(&mut self, next: &Self) {
        self.bytes.resize(next.offset - self.offset, 0);
        self.bytes.extend_from_slice(&next.bytes);
    }
}

fn joined(module: &[u8]) -> anyhow::Result<Option<Vec<Segment>>> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::DataSection(section) = payload? {
            return join_all(section);
        }
    }
    Ok(None)
}

fn join_all(section: DataSectionReader<'_>) -> anyhow::Result<Option<Vec<Segment>>> {
    let mut segments = Vec::new();
    for data in section {
        let data = data?;
        let Some(offset) = fixed_offset(&data)? else { return Ok(None) };
        segments.push(Segment { offset, bytes: data.data.to_vec() });
    }
    segments.sort_by_key(|segment| segment.offset);
    let mut joined: Vec<Segment> = Vec::new();
    for segment in segments {
        match joined.last_mut() {
            Some(last) if segment.offset < last.end() => return Ok(None),
            Some(last) if segment.offset - last.end() <= GAP_BYTES_MAX => last.append(&segment),
            _ => joined.push(segment),
        }
    }
    Ok(Some(joined))
}

/// Returns a segment's offset, `None` if that isn't a number in the first memory.
fn fixed_offset(data: &Data<'_>) -> anyhow::Result<Option<usize>> {
    let DataKind::Active { memory_index: 0, offset_expr } = &data.kind else { return Ok(None) };
    let mut operators = offset_expr.get_operators_reader();
    match (operators.read()?, operators.read()?) {
        (Operator::I32Const { value }, Operator::End) => Ok(Some(usize::try_from(value.cast_unsigned())?)),
        _ => Ok(None),
    }
}

fn encoded(segments: &[Segment]) -> anyhow::Result<DataSection> {
    let mut section = DataSection::new();
    for Segment { offset, bytes } in segments {
        let offset = u32::try_from(*offset)?.cast_signed();
        section.active(0, &ConstExpr::i32_const(offset), bytes.iter().copied());
    }
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_lie_close_together_are_joined() {
        let check = |data: &str, wanted: &str| {
            let module = |data: &str| wat::parse_str(format!("(module (memory 1) {data} (func))")).expect("sound WAT");
            assert_eq!(join(&module(data)).expect("a module"), module(wanted), "{data}");
        };
        check("", "");
        check(
            r#"(data (i32.const 8) "ab") (data (i32.const 12) "cd") (data (i32.const 99) "e")"#,
            r#"(data (i32.const 8) "ab\00\00cd") (data (i32.const 99) "e")"#,
        );
        check(
            r#"(data (i32.const 99) "e") (data (i32.const 8) "ab")"#,
            r#"(data (i32.const 8) "ab") (data (i32.const 99) "e")"#,
        );
        // Where the order or the place matters nothing is changed.
        let overlapping = r#"(data (i32.const 8) "ab") (data (i32.const 9) "cd")"#;
        check(overlapping, overlapping);
        let passive = r#"(data "ab") (data (i32.const 9) "cd")"#;
        check(passive, passive);
    }
}
