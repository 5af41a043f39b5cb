//! Tables on stdout: a header, and below it rows whose columns are as wide as their widest cell.

use anstyle::Style;
use console::{Term, measure_text_width, truncate_str};

use super::{
    paint::{HEADER, PLAIN, painted},
    print_painted,
    text::visible,
};

const BETWEEN: &str = "  ";

/// A cell, whose text is others' and is made visible.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
    is_number: bool,
}

impl Cell {
    /// Returns a cell that ends where its column ends.
    pub(super) fn number(text: impl AsRef<str>) -> Self {
        Self { is_number: true, ..Self::from(text.as_ref()) }
    }

    pub(super) const fn painted(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Returns the text with its spaces, as wide as its column.
    fn within(&self, width: usize) -> String {
        let spaces = " ".repeat(width.saturating_sub(measure_text_width(&self.text)));
        let text = if self.style == PLAIN { self.text.clone() } else { painted(self.style, &self.text) };
        if self.is_number { spaces + &text } else { text + &spaces }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: visible(text), style: PLAIN, is_number: false }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// A table whose rows may come one by one: a column grows with them, and what was printed stays as it is.
pub(super) struct Table<'a, const COLUMNS: usize> {
    header: [&'a str; COLUMNS],
    /// Which columns are of numbers; their headers end where they end.
    numbers: [bool; COLUMNS],
    widths: [usize; COLUMNS],
    /// The width at which lines are cut; `None` leaves them whole.
    cut_at: Option<usize>,
}

impl<'a, const COLUMNS: usize> Table<'a, COLUMNS> {
    pub(super) fn new(header: [&'a str; COLUMNS]) -> Self {
        Self { header, numbers: [false; COLUMNS], widths: header.map(measure_text_width), cut_at: None }
    }

    /// Cuts lines at the terminal's width, if stdout is one: for tables whose last columns say least.
    pub(super) fn cut_to_terminal(self) -> Self {
        let cut_at = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        Self { cut_at, ..self }
    }

    /// Makes the columns at least this wide.
    pub(super) fn at_least(mut self, widths: [usize; COLUMNS]) -> Self {
        for (own, least) in self.widths.iter_mut().zip(widths) {
            *own = least.max(*own);
        }
        self
    }

    /// Says which columns are of numbers, before there is a row.
    pub(super) fn of_numbers(self, numbers: [bool; COLUMNS]) -> Self {
        Self { numbers, ..self }
    }

    /// Makes room for the row.
    pub(super) fn fit(&mut self, row: &[Cell; COLUMNS]) {
        let columns = self.widths.iter_mut().zip(&mut self.numbers);
        for ((width, number), cell) in columns.zip(row) {
            *width = measure_text_width(&cell.text).max(*width);
            *number |= cell.is_number;
        }
    }

    pub(super) fn header(&self) -> String {
        let cells = self.header.iter().zip(self.numbers);
        let cells = cells.map(|(name, is_number)| Cell { is_number, ..Cell::from(*name).painted(HEADER) });
        self.line(cells)
    }

    pub(super) fn row(&self, row: &[Cell; COLUMNS]) -> String {
        self.line(row.iter().cloned())
    }

    fn line(&self, cells: impl Iterator<Item = Cell>) -> String {
        let cells: Vec<_> = cells.zip(self.widths).map(|(cell, width)| cell.within(width)).collect();
        let line = cells.join(BETWEEN);
        let line = line.trim_end();
        self.cut_at.map_or_else(|| line.to_owned(), |width| truncate_str(line, width, "…").into_owned())
    }

    /// Returns the header and the rows, a line each.
    pub(super) fn lines(mut self, rows: &[[Cell; COLUMNS]]) -> Vec<String> {
        rows.iter().for_each(|row| self.fit(row));
        std::iter::once(self.header()).chain(rows.iter().map(|row| self.row(row))).collect()
    }
}

/// Writes rows under a header.
pub(super) fn print_table<const COLUMNS: usize, C: Into<Cell>>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [C; COLUMNS]>,
) -> anyhow::Result<()> {
    let rows: Vec<_> = rows.into_iter().map(|row| row.map(Into::into)).collect();
    Table::new(header).lines(&rows).iter().try_for_each(|line| print_painted(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::FAILED;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            [Cell::from("漢字"), Cell::number("7"), Cell::from("end")],
            [Cell::from("a\tb").painted(FAILED), Cell::number("1,234"), Cell::from("")],
        ];
        let lines = Table::new(["ITEM", "ON HAND", "NOTE"]).lines(&rows);
        let bare: Vec<_> = lines.iter().map(|line| console::strip_ansi_codes(line)).collect();
        assert_eq!(bare, ["ITEM  ON HAND  NOTE", "漢字        7  end", "a\\tb    1,234"]);
        assert_eq!(lines[2], format!("{FAILED}a\\tb{FAILED:#}    1,234"));
    }

    #[test]
    fn a_column_grows_with_rows_that_come_later() {
        let mut table = Table::new(["A", "B"]).at_least([3, 0]);
        let (short, long) = (["x", "y"].map(Cell::from), ["xxxxx", "y"].map(Cell::from));
        table.fit(&short);
        assert_eq!(table.row(&short), "x    y");
        table.fit(&long);
        assert_eq!(table.row(&short), "x      y");
        let header = Table::new(["LONG", "B"]).at_least([6, 0]).of_numbers([true, false]).header();
        assert_eq!(console::strip_ansi_codes(&header), "  LONG  B");
    }
}
