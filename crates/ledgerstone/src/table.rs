//! Tables for people: no lines, columns as wide as the terminal allows.

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table as Grid};

/// Columns of a terminal that does not say how wide it is.
const WIDTH_DEFAULT: u16 = 100;

/// Columns of the terminal.
pub fn terminal_width() -> u16 {
    let size = console::Term::stdout().size_checked();
    size.map_or(WIDTH_DEFAULT, |(_, columns)| columns)
}

/// Rows under a heading.
#[derive(Debug)]
pub struct Table {
    grid: Grid,
}

impl Table {
    pub fn new(heading: &[&str]) -> Self {
        let mut grid = Grid::new();
        grid.load_style(comfy_table::presets::NOTHING);
        grid.set_content_arrangement(ContentArrangement::Dynamic);
        grid.set_width(terminal_width());
        grid.set_truncation_indicator("…");
        grid.set_header(heading.to_vec());
        Self { grid }
    }

    /// Adds a row, which takes one line; what has no room in a cell is cut. Control characters are
    /// shown and not obeyed: an event's text must not move the cursor of whoever reads it.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let mut row = Row::from(cells.into_iter().map(|cell| visible(cell.as_ref())));
        row.max_height(1);
        self.grid.add_row(row);
    }

    /// Never cuts columns that are useless when cut, such as ids.
    pub fn keep_whole(&mut self, columns: &[usize]) {
        for index in columns {
            if let Some(column) = self.grid.column_mut(*index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.grid.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}

fn visible(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Table, visible};

    #[test]
    fn a_table_has_its_rows_under_its_heading() {
        let mut table = Table::new(&["number", "type"]);
        table.row(["7", "user.login"]);
        assert_eq!(table.to_string(), " number  type\n 7       user.login\n");
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
