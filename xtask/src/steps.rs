//! Running other programs one after another, each announced by the line a person would type.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::project::Project;

/// One call of a program from the project's root.
pub struct Step {
    /// What it is for, printed before it runs.
    pub about: &'static str,
    pub program: &'static str,
    pub arguments: &'static [&'static str],
    pub environment: &'static [(&'static str, &'static str)],
}

impl Step {
    /// The line a person would type to do the same.
    pub fn line(&self) -> String {
        let environment = self.environment.iter().map(|(name, value)| {
            let quote = if value.contains(' ') { "'" } else { "" };
            format!("{name}={quote}{value}{quote} ")
        });
        let mut line: String = environment.collect();
        line.push_str(self.program);
        for argument in self.arguments {
            line.push(' ');
            line.push_str(argument);
        }
        line
    }

    /// Runs the step and fails where it fails, naming its line.
    pub fn run(&self, project: &Project) -> Result<()> {
        let mut command = Command::new(self.program);
        command.args(self.arguments).envs(self.environment.iter().copied());
        run_command(project, self.about, &self.line(), &mut command)
    }
}

/// Announces `line`, runs `command` at the project's root, says how long it took.
pub fn run_command(
    project: &Project,
    about: &str,
    line: &str,
    command: &mut Command,
) -> Result<()> {
    println!("== {about}\n   $ {line}");
    let begun = Instant::now();
    let status = command
        .current_dir(project.root())
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    println!("   ok, {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn the_printed_line_can_be_typed() {
        let step = Step {
            about: "a step",
            program: "cargo",
            arguments: &["doc", "--no-deps"],
            environment: &[("RUSTDOCFLAGS", "-D warnings"), ("LONG", "1")],
        };
        let line = "RUSTDOCFLAGS='-D warnings' LONG=1 cargo doc --no-deps";
        assert_eq!(step.line(), line);
    }
}
