//! What an import tells while it runs, and at its end.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ledgerstone_model::json_write::ObjectWriter;

use crate::failure::Failure;
use crate::ingest::{NO_ANSWER, Recorded, Sink};
use crate::output::{Console, counted};

/// How often the bar is drawn again.
const TICK: Duration = Duration::from_millis(100);

/// Counts what became of the items, and names those that were refused.
pub struct Summary<'c> {
    console: &'c mut Console,
    bar: ProgressBar,
    drawn: Instant,
    files: usize,
    recorded: u64,
    duplicates: u64,
    refused: BTreeMap<&'static str, u64>,
    /// Inputs of which something was refused.
    faulty_inputs: HashSet<String>,
}

impl<'c> Summary<'c> {
    /// The bar shows itself on a terminal only.
    pub fn begin(console: &'c mut Console, files: usize) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self {
            console,
            bar,
            drawn: Instant::now(),
            files,
            recorded: 0,
            duplicates: 0,
            refused: BTreeMap::new(),
            faulty_inputs: HashSet::new(),
        }
    }

    pub fn has_refusals(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Prints the sums. Where the import is not complete, something ended it that was no fault of an item.
    pub fn finish(&mut self, as_json: bool, is_complete: bool) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let text = if as_json { self.to_json(is_complete) } else { self.to_text() };
        self.console.line(text)?;
        if !is_complete {
            self.console.note("the import ended early: what is not counted here was not taken");
        }
        Ok(())
    }

    fn draw(&mut self) {
        if self.drawn.elapsed() < TICK {
            return;
        }
        self.drawn = Instant::now();
        self.bar.set_message(format!(
            "{} recorded, {} duplicates, {} refused",
            self.recorded,
            self.duplicates,
            self.refused_count()
        ));
    }

    fn refused_count(&self) -> u64 {
        self.refused.values().sum()
    }

    fn to_text(&self) -> String {
        let mut lines = vec![format!(
            "{} recorded, {} duplicates, {} refused, from {}",
            self.recorded,
            self.duplicates,
            self.refused_count(),
            counted(self.files as u64, "input")
        )];
        let by_code = self.refused.iter();
        lines.extend(by_code.map(|(code, count)| format!("  {count} × {code}")));
        if !self.faulty_inputs.is_empty() {
            let faulty = counted(self.faulty_inputs.len() as u64, "input");
            lines.push(format!("  in {faulty}, named above"));
        }
        lines.join("\n")
    }

    fn to_json(&self, is_complete: bool) -> String {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        object.number("recorded", self.recorded);
        object.number("duplicates", self.duplicates);
        object.number("refused", self.refused_count());
        object.boolean("complete", is_complete);
        object.number("inputs", self.files as u64);
        object.number("inputs_with_refusals", self.faulty_inputs.len() as u64);
        let mut codes = ObjectWriter::open(object.key("refused_by_code"));
        for (code, count) in &self.refused {
            codes.number(code, *count);
        }
        codes.close();
        object.close();
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Sink for Summary<'_> {
    fn recorded(&mut self, receipt: Recorded<'_>) -> Result<(), Failure> {
        if receipt.is_duplicate() {
            self.duplicates += 1;
        } else {
            self.recorded += 1;
        }
        self.draw();
        Ok(())
    }

    fn refused(&mut self, failure: Failure) -> Result<(), Failure> {
        *self.refused.entry(failure.code().as_str()).or_default() += 1;
        self.faulty_inputs.extend(failure.input().map(str::to_owned));
        let console = &mut *self.console;
        self.bar.suspend(|| console.failure(&failure));
        self.draw();
        Ok(())
    }

    fn pause(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn waits(&mut self) {
        let console = &mut *self.console;
        self.bar.suspend(|| console.note(NO_ANSWER));
    }
}
