//! `till orders`.
//!
//! Amounts stay the text that the host wrote: a float would turn 999.90 into 999.9.

mod sheet;

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{client::Admin, paint::of_state, print_json, print_table, table::Cell, text::clock, whole::write_whole};

/// The orders requested at once while exporting.
const PAGE: u32 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Orders {
    /// Lists orders, one a line.
    List {
        #[command(flatten)]
        filter: Filter,
        /// The most orders to list.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        admin: Admin,
    },
    /// Shows one order, by its number or reference.
    Show {
        order: String,
        #[command(flatten)]
        admin: Admin,
    },
    /// Exports all orders.
    Export {
        #[command(flatten)]
        filter: Filter,
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
        /// Writes to this file instead of stdout. The file appears only once it is complete.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        admin: Admin,
    },
}

#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only orders with this status.
    #[arg(long, value_parser = ["PENDING", "COMPLETED", "FAILED", "PENDING_RELEASE"])]
    status: Option<String>,
    /// Only orders that neither completed nor failed.
    #[arg(long)]
    unresolved: bool,
    /// Only orders after this number.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One order a row; lines, adjustments and attributes are JSON.
    Csv,
    /// One order a line, each a JSON object.
    Json,
}

#[derive(Deserialize, Serialize)]
struct Page {
    orders: Vec<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<u64>,
}

/// An order as `/orders` returns it. Its members, in this order, are the columns of a CSV export.
#[derive(Deserialize, Serialize)]
struct Order {
    order_id: u64,
    reference: String,
    status: String,
    placed_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<u64>,
    currency: String,
    subtotal: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_price: Option<Box<RawValue>>,
    lines: Box<RawValue>,
    adjustments: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    trace_id: String,
    plugins: String,
    placed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_attributes: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Line {
    item: String,
    quantity: u32,
}

impl Orders {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { filter, limit, admin } => {
                let page = filter.page(&admin, limit)?;
                if admin.json {
                    return print_json(&page);
                }
                let rows = page.orders.iter().map(Order::row).collect::<anyhow::Result<Vec<_>>>()?;
                print_table(["NUMBER", "REFERENCE", "STATUS", "PLACED", "TOTAL OR REASON", "LINES"], rows)
            }
            Self::Show { order, admin } => {
                let order = utf8_percent_encode(&order, NON_ALPHANUMERIC);
                let order: Order = admin.get(&format!("/orders/{order}"))?;
                if admin.json { print_json(&order) } else { sheet::show(&order, &admin) }
            }
            Self::Export { filter, format, output, admin } => {
                let export = |writer: &mut dyn Write| match if admin.json { Format::Json } else { format } {
                    Format::Csv => export_csv(&admin, &filter, writer),
                    Format::Json => export_json(&admin, &filter, writer),
                };
                match &output {
                    Some(file) => write_whole(file, export),
                    None => to_stdout(export),
                }
            }
        }
    }
}

impl Filter {
    fn path(&self, limit: u32, after: Option<u64>) -> String {
        let mut path = format!("/orders?limit={limit}");
        if let Some(status) = &self.status {
            path += &format!("&status={status}");
        }
        if self.unresolved {
            path += "&unresolved=true";
        }
        if let Some(after) = after {
            path += &format!("&after={after}");
        }
        path
    }

    /// Returns the first `limit` orders that match the filter. Asks again if the host returns fewer at once because
    /// they are large.
    fn page(&self, admin: &Admin, limit: u32) -> anyhow::Result<Page> {
        let mut page: Page = admin.get(&self.path(limit, self.after))?;
        while let Some(after) = page.next_after {
            let listed = u32::try_from(page.orders.len()).unwrap_or(u32::MAX);
            let Some(missing) = limit.checked_sub(listed).filter(|missing| *missing > 0) else { break };
            let next: Page = admin.get(&self.path(missing, Some(after)))?;
            page.orders.extend(next.orders);
            page.next_after = next.next_after;
        }
        Ok(page)
    }

    /// Passes every order that matches the filter to `write`, a page at a time.
    fn each(&self, admin: &Admin, mut write: impl FnMut(Order) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut after = self.after;
        loop {
            let page: Page = admin.get(&self.path(PAGE, after))?;
            page.orders.into_iter().try_for_each(&mut write)?;
            after = page.next_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// Calls `write` with stdout. A reader that went away (`till orders export | head`) isn't an error.
fn to_stdout(write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut out = Out { stdout: std::io::stdout().lock(), is_gone: false };
    let written = write(&mut out);
    if out.is_gone { Ok(()) } else { written }
}

/// Stdout, and whether its reader went away.
struct Out {
    stdout: std::io::StdoutLock<'static>,
    is_gone: bool,
}

impl Out {
    fn heed<T>(&mut self, done: std::io::Result<T>) -> std::io::Result<T> {
        self.is_gone |= matches!(&done, Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe);
        done
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let done = self.stdout.write(bytes);
        self.heed(done)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let done = self.stdout.flush();
        self.heed(done)
    }
}

fn export_csv(admin: &Admin, filter: &Filter, writer: impl Write) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record([
        "order_id",
        "reference",
        "status",
        "placed_at_ms",
        "ended_at_ms",
        "currency",
        "subtotal",
        "total_price",
        "lines",
        "adjustments",
        "reason",
        "trace_id",
        "plugins",
        "placed_at",
        "ended_at",
        "attributes",
        "receipt_attributes",
    ])?;
    filter.each(admin, |order| Ok(csv.write_record(order.cells())?))?;
    Ok(csv.flush()?)
}

fn export_json(admin: &Admin, filter: &Filter, mut writer: impl Write) -> anyhow::Result<()> {
    filter.each(admin, |order| Ok(writeln!(writer, "{}", serde_json::to_string(&order)?)?))?;
    Ok(writer.flush()?)
}

impl Order {
    fn cells(self) -> [String; 17] {
        let json = |value: Option<Box<RawValue>>| value.map(|value| value.get().to_owned()).unwrap_or_default();
        [
            self.order_id.to_string(),
            self.reference,
            self.status,
            self.placed_at_ms.to_string(),
            self.ended_at_ms.map(|ms| ms.to_string()).unwrap_or_default(),
            self.currency,
            self.subtotal.get().to_owned(),
            json(self.total_price),
            self.lines.get().to_owned(),
            self.adjustments.get().to_owned(),
            self.reason.unwrap_or_default(),
            self.trace_id,
            self.plugins,
            self.placed_at,
            self.ended_at.unwrap_or_default(),
            json(self.attributes),
            json(self.receipt_attributes),
        ]
    }

    fn row(&self) -> anyhow::Result<[Cell; 6]> {
        let lines: Vec<Line> = serde_json::from_str(self.lines.get())?;
        let lines: Vec<String> = lines.iter().map(|line| format!("{} x {}", line.quantity, line.item)).collect();
        let end = match (&self.total_price, &self.reason) {
            (Some(total), _) => format!("{} {}", total.get(), self.currency),
            (None, reason) => reason.clone().unwrap_or_default(),
        };
        let Self { order_id, reference, status, placed_at_ms, .. } = self;
        Ok([
            order_id.to_string().into(),
            reference.as_str().into(),
            Cell::from(status.as_str()).painted(of_state(status)),
            clock(placed_at_ms * 1000).into(),
            end.into(),
            lines.join(", ").into(),
        ])
    }
}
