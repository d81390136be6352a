//! `cargo xtask gen`: the documents that are written from code, so that they cannot disagree with
//! it. They are committed; `--check` fails where a committed one is not what the code says.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::roles_page;
use ledgerstone_model::schema_table::field_table;

use crate::arguments::Arguments;
use crate::project::Project;

/// One generated file.
struct Artefact {
    /// Relative to the root.
    path: &'static str,
    place: Place,
    source: Source,
}

/// Where the text comes from.
enum Source {
    /// This program's own libraries.
    Code(fn() -> String),
    /// What `ledgerstone` prints with these arguments: what stands in its help is known to it alone.
    Ledgerstone(&'static [&'static str]),
}

/// How much of a file is generated.
enum Place {
    WholeFile,
    /// The table that begins with the same line; the rest is written by hand.
    OneTable,
}

const ARTEFACTS: &[Artefact] = &[
    Artefact { path: "docs/errors.md", place: Place::WholeFile, source: Source::Code(errors) },
    Artefact { path: "docs/events.md", place: Place::OneTable, source: Source::Code(field_table) },
    Artefact { path: "docs/roles.md", place: Place::WholeFile, source: Source::Code(roles_page) },
    Artefact {
        path: "docs/cli.md",
        place: Place::WholeFile,
        source: Source::Ledgerstone(&["commands-page"]),
    },
    Artefact {
        path: "docs/configuration.md",
        place: Place::WholeFile,
        source: Source::Ledgerstone(&["configuration-page"]),
    },
    Artefact {
        path: "docs/openapi.json",
        place: Place::WholeFile,
        source: Source::Ledgerstone(&["openapi"]),
    },
];

pub fn run(project: &Project, mut arguments: Arguments) -> Result<()> {
    let only_check = arguments.switch("--check");
    arguments.finish()?;
    if only_check {
        return check(project);
    }
    for artefact in ARTEFACTS {
        let path = project.root().join(artefact.path);
        let text = artefact.text(project, &committed(project, artefact))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("   wrote {}", artefact.path);
    }
    Ok(())
}

/// Fails where a committed file is not what the code says, naming the first line that differs.
pub fn check(project: &Project) -> Result<()> {
    println!("== generated files");
    for artefact in ARTEFACTS {
        let committed = committed(project, artefact);
        if let Some(line) = first_difference(&committed, &artefact.text(project, &committed)?) {
            bail!(
                "{}:{line} is not what the code says; run `cargo xtask gen` and commit the result",
                artefact.path
            );
        }
    }
    println!("   ok, {} files", ARTEFACTS.len());
    Ok(())
}

impl Artefact {
    /// What the file has to say, given what it says now.
    fn text(&self, project: &Project, committed: &str) -> Result<String> {
        let made = match &self.source {
            Source::Code(make) => make(),
            Source::Ledgerstone(arguments) => printed(project, arguments)
                .with_context(|| format!("cannot generate {}", self.path))?,
        };
        match self.place {
            Place::WholeFile => Ok(made),
            Place::OneTable => with_table(committed, &made)
                .with_context(|| format!("cannot generate the table of {}", self.path)),
        }
    }
}

/// What the program prints.
fn printed(project: &Project, arguments: &[&str]) -> Result<String> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--locked", "--package", "ledgerstone", "--"])
        .args(arguments)
        .current_dir(project.root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`ledgerstone {}` failed ({})", arguments.join(" "), output.status);
    }
    String::from_utf8(output.stdout).context("its output is not text")
}

/// The text as it is committed; an absent file is an empty one.
fn committed(project: &Project, artefact: &Artefact) -> String {
    fs::read_to_string(project.root().join(artefact.path)).unwrap_or_default()
}

/// The first line, counted from 1, in which two texts differ.
fn first_difference(left: &str, right: &str) -> Option<usize> {
    if left == right {
        return None;
    }
    let pairs = left.lines().zip(right.lines());
    let same = pairs.take_while(|(left, right)| left == right).count();
    Some(same + 1)
}

fn errors() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         Every failure, on the command line, in a receipt or over a protocol, has one of these codes. \
         Codes are added,\nnever renamed and never reused. \
         The message beside a code says where and with which value; this page says what\n\
         the code means.\n\n\
         This page is written by `cargo xtask gen` from `crates/model/src/error_code.rs`.\n\n\
         | code | what happened | what to do |\n|---|---|---|\n",
    );
    let row = |code: &ErrorCode| {
        let (meaning, remedy) = (cell(code.meaning()), cell(code.remedy()));
        format!("| `{}` | {meaning} | {remedy} |\n", code.as_str())
    };
    text.extend(ErrorCode::ALL.iter().map(row));
    text
}

/// `document` with the one table that begins with the same line as `table` replaced by it.
fn with_table(document: &str, table: &str) -> Result<String> {
    let head = table.lines().next().unwrap_or_default();
    let Some(start) = document.lines().position(|line| line == head) else {
        bail!("no line reads `{head}`, so there is no place for the table");
    };
    let lines: Vec<&str> = document.lines().collect();
    let (before, from) = lines.split_at(start);
    let rows = from.iter().take_while(|line| line.starts_with('|')).count();
    let mut text = String::with_capacity(document.len());
    let ours = table.lines();
    for line in before.iter().copied().chain(ours).chain(from[rows..].iter().copied()) {
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

/// Text as it may stand in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::{ARTEFACTS, cell, errors, first_difference, with_table};
    use ledgerstone_model::ErrorCode;

    #[test]
    fn every_code_has_a_row() {
        let page = errors();
        for code in ErrorCode::ALL {
            assert!(page.contains(&format!("\n| `{}` | ", code.as_str())));
        }
    }

    #[test]
    fn artefacts_stand_once() {
        for (position, artefact) in ARTEFACTS.iter().enumerate() {
            let first = ARTEFACTS.iter().position(|a| a.path == artefact.path);
            assert_eq!(first, Some(position), "{}", artefact.path);
        }
    }

    #[test]
    fn a_table_is_replaced_inside_of_its_document() {
        let document = "# A\n\n| x | y |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nend\n| z |\n";
        let table = "| x | y |\n|---|---|\n| 5 | 6 |\n";
        let expected = "# A\n\n| x | y |\n|---|---|\n| 5 | 6 |\n\nend\n| z |\n";
        assert_eq!(with_table(document, table).unwrap(), expected);
        assert_eq!(with_table(expected, table).unwrap(), expected);
        assert!(with_table("# A\n", table).is_err());
    }

    #[test]
    fn a_difference_is_named_by_its_line() {
        for (left, right, line) in [
            ("a\nb\n", "a\nb\n", None),
            ("a\nb\n", "a\nc\n", Some(2)),
            ("", "a\n", Some(1)),
            ("a\n", "a\nb\n", Some(2)),
            ("a", "a\n", Some(2)),
        ] {
            assert_eq!(first_difference(left, right), line, "{left:?} {right:?}");
        }
        assert_eq!(cell("a|b"), "a\\|b");
    }
}
