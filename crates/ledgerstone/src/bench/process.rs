//! What the kernel says about a process: its memory, its processor time, what it wrote.

use std::path::PathBuf;

/// A process of this machine.
#[derive(Clone, Debug)]
pub(super) struct Process {
    directory: PathBuf,
}

impl Process {
    /// This one.
    pub(super) fn own() -> Self {
        Self { directory: PathBuf::from("/proc/self") }
    }

    /// The one with this id.
    pub(super) fn of(id: u32) -> Self {
        Self { directory: PathBuf::from(format!("/proc/{id}")) }
    }

    /// Memory it holds now, in MB.
    pub(super) fn resident_mb(&self) -> f64 {
        self.status_kb("VmRSS:") / 1024.0
    }

    /// The most memory it has held so far, in MB.
    pub(super) fn resident_peak_mb(&self) -> f64 {
        self.status_kb("VmHWM:") / 1024.0
    }

    /// Bytes it has sent to storage so far.
    pub(super) fn bytes_written(&self) -> u64 {
        self.field("io", "write_bytes:").unwrap_or_default() as u64
    }

    /// Processor time it has used so far, in seconds, all threads together.
    pub(super) fn processor_seconds(&self) -> f64 {
        /// The kernel counts in hundredths of a second, whatever the machine (`USER_HZ`).
        const TICKS: f64 = 100.0;
        let stat = self.read("stat");
        // The second field is the name in brackets, which may itself hold spaces.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<f64>().ok());
        ticks.sum::<f64>() / TICKS
    }

    fn status_kb(&self, name: &str) -> f64 {
        self.field("status", name).unwrap_or_default()
    }

    fn field(&self, file: &str, name: &str) -> Option<f64> {
        let text = self.read(file);
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Empty where the system has no such file.
    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.directory.join(file)).unwrap_or_default()
    }
}
