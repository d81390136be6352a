//! The older text format of Prometheus (0.0.4), out of the newer: what most tools read that are not told
//! which. There a counter is described under the name that its samples have.

use std::collections::HashSet;

/// Turns `OpenMetrics` text into the older format.
pub(super) fn from_open_metrics(text: &str) -> String {
    let is_counter = |line: &&str| line.starts_with("# TYPE ") && line.ends_with(" counter");
    let counters: HashSet<&str> =
        text.lines().filter(is_counter).filter_map(|line| line.split(' ').nth(2)).collect();
    let mut classic = String::with_capacity(text.len() + 64);
    for line in text.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(name) => {
                classic.push_str(&format!("# {what} {name}_total {rest}\n"));
            }
            _ => {
                classic.push_str(line);
                classic.push('\n');
            }
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::from_open_metrics;

    #[test]
    fn counters_are_described_under_the_name_of_their_samples() {
        let open =
            "# HELP a A a.\n# TYPE a counter\na_total 1\n# HELP g G.\n# TYPE g gauge\ng 2\n# EOF\n";
        let classic = "# HELP a_total A a.\n# TYPE a_total counter\na_total 1\n# HELP g G.\n# TYPE g gauge\ng 2\n";
        assert_eq!(from_open_metrics(open), classic);
    }
}
