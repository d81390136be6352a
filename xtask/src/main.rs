//! The project's own tasks, run as `cargo xtask <task>`: whatever a person or CI does to the tree
//! is one line of [`TASKS`].

mod arguments;
mod check;
mod fuzz;
mod generate;
mod project;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::arguments::Arguments;
use crate::project::Project;

/// One task: its name, its options and what it is for.
struct Task {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: fn(&Project, Arguments) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        usage: "[--long]",
        about: "build and run all tests; --long adds the hours-long suites, in release",
        run: test::run,
    },
    Task {
        name: "check",
        usage: "[--without-deny] [--advisories]",
        about: "formatting, tidy, generated files, dependency policy, clippy, rustdoc",
        run: check::run,
    },
    Task {
        name: "tidy",
        usage: "",
        about: "the house rules that no compiler knows: crate edges, file sizes, words",
        run: tidy::run,
    },
    Task {
        name: "gen",
        usage: "[--check]",
        about: "write the files that are generated from code; --check fails where one is stale",
        run: generate::run,
    },
    Task {
        name: "fuzz",
        usage: "[--minutes N] [TARGET]",
        about: "the fuzz tests of every parser for longer, in release",
        run: fuzz::run,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    if matches!(name.as_str(), "" | "help" | "--help" | "-h") {
        print!("{}", usage());
        return ExitCode::from(u8::from(name.is_empty()) * 2);
    }
    match dispatch(&name, Arguments::new(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(name: &str, arguments: Arguments) -> Result<()> {
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        bail!("no such task; `cargo xtask help` lists them");
    };
    (task.run)(&Project::find()?, arguments)
}

fn usage() -> String {
    let line = |task: &Task| {
        let call = format!("{} {}", task.name, task.usage);
        format!("  {call:<40}{}\n", task.about)
    };
    let tasks: Vec<String> = TASKS.iter().map(line).collect();
    format!("cargo xtask <task>\n\n{}", tasks.concat())
}

#[cfg(test)]
mod tests {
    use super::{TASKS, dispatch, usage};
    use crate::arguments::Arguments;

    #[test]
    fn every_task_is_named_once_and_told_in_the_usage() {
        for (position, task) in TASKS.iter().enumerate() {
            assert!(!task.about.is_empty(), "{} says nothing", task.name);
            assert!(usage().contains(task.about));
            let first = TASKS.iter().position(|other| other.name == task.name);
            assert_eq!(first, Some(position), "{} stands twice", task.name);
        }
    }

    #[test]
    fn an_unknown_task_or_option_is_refused() {
        let none = Arguments::new(std::iter::empty());
        assert!(dispatch("tset", none).is_err());
        let option = Arguments::new(["--verbose".to_owned()].into_iter());
        assert!(dispatch("tidy", option).is_err());
    }
}
