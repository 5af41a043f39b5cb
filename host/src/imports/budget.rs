//! Limits how often a guest may call the host, and how many bytes it may pass.

use crate::{config::Limits, order::BadText};

/// The guest broke a rule for which the interface has no error; its call ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    #[error("more than {max} host calls (limits.host_calls)")]
    HostCalls { max: u32 },
    #[error("{bytes} bytes in one host call or result, at most {max} are allowed (limits.hostcall_bytes)")]
    Bytes { bytes: usize, max: usize },
    #[error("{bytes} bytes over the call, at most {max} are allowed (limits.hostcall_bytes_total)")]
    BytesTotal { bytes: usize, max: usize },
    #[error("inventory.deduct was called a second time; a checkout asks for all its lines at once")]
    SecondDeduct,
    #[error("stock.take was called a second time; a deduct takes all its lines at once")]
    SecondTake,
    #[error("line {line} can't be taken: {reason}")]
    StockLine { line: usize, reason: &'static str },
    #[error("{lines} lines; 1 to {max} are allowed")]
    Lines { lines: usize, max: usize },
    #[error("{asked} asked for in one call of facts, at most {max} are allowed")]
    Asked { asked: usize, max: usize },
    #[error("{what} {bad}")]
    Text { what: &'static str, bad: BadText },
    #[error("{count} {what} in its receipt, at most {max} are allowed (limits.receipt_{what})")]
    Receipt { what: &'static str, count: usize, max: usize },
}

#[derive(Debug)]
pub(super) struct Budget {
    host_calls: u32,
    host_calls_max: u32,
    bytes_max: usize,
    bytes_total: usize,
    bytes_total_max: usize,
    text_bytes_max: usize,
    adjustments_max: usize,
    receipt_attributes_max: usize,
}

impl Budget {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            host_calls: 0,
            host_calls_max: limits.host_calls,
            bytes_max: limits.hostcall_bytes,
            bytes_total: 0,
            bytes_total_max: limits.hostcall_bytes_total,
            text_bytes_max: limits.answer_text_bytes,
            adjustments_max: limits.receipt_adjustments,
            receipt_attributes_max: limits.receipt_attributes,
        }
    }

    pub(super) const fn host_calls(&self) -> u32 {
        self.host_calls
    }

    pub(super) const fn text_bytes_max(&self) -> usize {
        self.text_bytes_max
    }

    /// Checks the number of adjustments and attributes of a receipt.
    pub(super) fn receipt(&self, adjustments: usize, attributes: usize) -> Result<(), Misuse> {
        let counts = [
            ("adjustments", adjustments, self.adjustments_max),
            ("attributes", attributes, self.receipt_attributes_max),
        ];
        let over = counts.into_iter().find(|(_, count, max)| count > max);
        over.map_or(Ok(()), |(what, count, max)| Err(Misuse::Receipt { what, count, max }))
    }

    /// Counts one host call that passes `bytes` of text and lists.
    pub(super) fn host_call(&mut self, bytes: usize) -> Result<(), Misuse> {
        if self.host_calls >= self.host_calls_max {
            return Err(Misuse::HostCalls { max: self.host_calls_max });
        }
        self.host_calls += 1;
        self.bytes(bytes)
    }

    pub(super) fn bytes(&mut self, bytes: usize) -> Result<(), Misuse> {
        if bytes > self.bytes_max {
            return Err(Misuse::Bytes { bytes, max: self.bytes_max });
        }
        self.bytes_total = self.bytes_total.saturating_add(bytes);
        if self.bytes_total > self.bytes_total_max {
            return Err(Misuse::BytesTotal { bytes: self.bytes_total, max: self.bytes_total_max });
        }
        Ok(())
    }
}
