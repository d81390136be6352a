//! `cargo xtask check`: everything that can be said against the tree without running it.
//! The quick answers come first.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::arguments::Arguments;
use crate::project::Project;
use crate::steps::Step;
use crate::{generate, tidy};

const FORMAT: Step = Step {
    about: "formatting",
    program: "cargo",
    arguments: &["fmt", "--all", "--check"],
    environment: &[],
};

/// `cargo deny` reads the manifests of every platform's crates; a build fetches only this one's.
const FETCH: Step = Step {
    about: "the sources of all dependencies",
    program: "cargo",
    arguments: &["fetch", "--quiet", "--locked"],
    environment: &[],
};

const DENY: Step = Step {
    about: "what may enter the dependency tree",
    program: "cargo",
    arguments: &["deny", "--offline", "check", "bans", "licenses", "sources"],
    environment: &[],
};

const ADVISORIES: Step = Step {
    about: "known vulnerabilities (fetches the advisory database)",
    program: "cargo",
    arguments: &["deny", "check", "advisories"],
    environment: &[],
};

const SLOW: &[Step] = &[
    Step {
        about: "lints",
        program: "cargo",
        arguments: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        environment: &[],
    },
    Step {
        about: "lints of `proof` without RSA, as an auditor may build it",
        program: "cargo",
        arguments: &["clippy", "-p", "ledgerstone-proof", "--locked", "--", "-D", "warnings"],
        environment: &[],
    },
    Step {
        about: "documentation",
        program: "cargo",
        arguments: &["doc", "--workspace", "--no-deps", "--locked"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
];

pub fn run(project: &Project, mut arguments: Arguments) -> Result<()> {
    let without_deny = arguments.switch("--without-deny");
    let advisories = arguments.switch("--advisories");
    arguments.finish()?;
    if without_deny && advisories {
        bail!("--advisories is a check of cargo-deny; leave --without-deny out");
    }
    // Asked first: minutes of clippy must not pass before a missing tool is told.
    if !without_deny {
        require_deny()?;
    }
    FORMAT.run(project)?;
    tidy::check(project)?;
    generate::check(project)?;
    if without_deny {
        println!("== dependency policy left out, as asked by --without-deny");
    } else {
        FETCH.run(project)?;
        DENY.run(project)?;
    }
    if advisories {
        ADVISORIES.run(project)?;
    }
    for step in SLOW {
        step.run(project)?;
    }
    println!("== nothing to say against the tree");
    Ok(())
}

fn require_deny() -> Result<()> {
    let answer = Command::new("cargo")
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if answer.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    bail!(
        "cargo-deny is not installed; `cargo install --locked cargo-deny` gets it, \
         or leave the dependency policy out with --without-deny"
    )
}
