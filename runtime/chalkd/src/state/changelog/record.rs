//! A record of the changelog as bytes (the form is told in `changelog`).
//!
//! This file must not know files.

use chalk_connectors::Position;
use chalk_types::varint;

use super::super::pending::Pending;

/// CRC and size before each payload.
const FRAME_BYTES: usize = 8;

/// A record as it was read.
#[derive(Debug)]
pub struct Record<'a> {
    /// Its number.
    pub seq: u64,
    /// The number of the record before it in the same log; 0 = none.
    pub previous: u64,
    /// Source, partition, position.
    pub positions: Vec<(u32, i32, Position)>,
    /// Keys and rows.
    pub rows: Vec<(&'a [u8], &'a [u8])>,
    /// What the engine logged: events, dedup keys, closed windows.
    pub events: &'a [u8],
}

/// What a framed record takes at most.
pub(super) fn size_bytes(pending: &Pending) -> usize {
    // Each row's two sizes are counted by `Pending`.
    FRAME_BYTES + 64 + pending.positions.len() * 24 + pending.size_bytes()
}

/// Appends the framed record; `None` where it would be larger than a frame can say.
pub(super) fn encode_record(out: &mut Vec<u8>, seq: u64, previous: u64, pending: &Pending) -> Option<()> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_BYTES]);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&previous.to_le_bytes());
    out.extend_from_slice(&(pending.positions.len() as u32).to_le_bytes());
    for ((source, partition), position) in &pending.positions {
        out.extend_from_slice(&source.to_le_bytes());
        out.extend_from_slice(&partition.to_le_bytes());
        out.extend_from_slice(&position.offset.to_le_bytes());
        out.extend_from_slice(&position.byte_offset.to_le_bytes());
    }
    out.extend_from_slice(&u32::try_from(pending.rows.len()).ok()?.to_le_bytes());
    for (key, row) in &pending.rows {
        varint::put(out, key.len() as u64);
        out.extend_from_slice(key);
        varint::put(out, row.len() as u64);
        out.extend_from_slice(row);
    }
    out.extend_from_slice(&u32::try_from(pending.events.len()).ok()?.to_le_bytes());
    out.extend_from_slice(&pending.events);
    let size = u32::try_from(out.len() - start - FRAME_BYTES).ok()?;
    out[start + 4..start + 8].copy_from_slice(&size.to_le_bytes());
    let crc = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    Some(())
}

pub(super) fn read_record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let mut input = *rest;
    let crc = u32::from_le_bytes(varint::take_array(&mut input)?);
    let summed = input;
    let size = u32::from_le_bytes(varint::take_array(&mut input)?) as usize;
    let payload = varint::take_bytes(&mut input, size)?;
    if crc32fast::hash(&summed[..4 + size]) != crc {
        return None;
    }
    *rest = input;
    decode_payload(payload)
}

fn decode_payload(mut input: &[u8]) -> Option<Record<'_>> {
    let input = &mut input;
    let seq = u64::from_le_bytes(varint::take_array(input)?);
    let previous = u64::from_le_bytes(varint::take_array(input)?);
    let positions = (0..u32::from_le_bytes(varint::take_array(input)?))
        .map(|_| {
            let source = u32::from_le_bytes(varint::take_array(input)?);
            let partition = i32::from_le_bytes(varint::take_array(input)?);
            let offset = i64::from_le_bytes(varint::take_array(input)?);
            let byte_offset = u64::from_le_bytes(varint::take_array(input)?);
            Some((source, partition, Position { offset, byte_offset }))
        })
        .collect::<Option<_>>()?;
    let rows = (0..u32::from_le_bytes(varint::take_array(input)?))
        .map(|_| Some((varint::take_sized(input)?, varint::take_sized(input)?)))
        .collect::<Option<_>>()?;
    let size = u32::from_le_bytes(varint::take_array(input)?) as usize;
    let events = varint::take_bytes(input, size)?;
    Some(Record { seq, previous, positions, rows, events })
}
