//! `cargo xtask test`: the one command that README names and CI runs.

use anyhow::Result;

use crate::arguments::Arguments;
use crate::project::Project;
use crate::steps::Step;

/// What every run does, in order. A suite that needs a call of its own is one more line.
const STEPS: &[Step] = &[Step {
    about: "every test of every crate",
    program: "cargo",
    arguments: &["test", "--workspace", "--locked"],
    environment: &[],
}];

/// What `--long` adds: hundreds of kills, a flip of every byte, a proof of every record, ten minutes
/// of clients of all kinds. In release, because there is so much of it.
const LONG_STEPS: &[Step] = &[Step {
    about: "every test again with its long table, in release",
    program: "cargo",
    arguments: &["test", "--workspace", "--locked", "--release"],
    environment: &[("LEDGERSTONE_LONG", "1")],
}];

pub fn run(project: &Project, mut arguments: Arguments) -> Result<()> {
    let long = arguments.switch("--long");
    arguments.finish()?;
    for step in STEPS {
        step.run(project)?;
    }
    if long {
        for step in LONG_STEPS {
            step.run(project)?;
        }
    }
    println!("== all tests hold");
    Ok(())
}
