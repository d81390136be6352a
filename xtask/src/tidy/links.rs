//! The rule that a link from one document of the tree to another leads somewhere.

use std::collections::BTreeSet;

use super::Fault;
use crate::project::SourceFile;

/// Faults of one Markdown file; `paths` are all files of the tree.
pub fn check(file: &SourceFile, paths: &BTreeSet<&str>) -> Vec<Fault> {
    if file.extension() != "md" {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for target in targets(line) {
            if !leads_somewhere(&file.path, target, paths) {
                let told = format!("the link `{target}` leads nowhere");
                faults.push(Fault::in_line(file, number + 1, told));
            }
        }
    }
    faults
}

/// What stands in the round brackets of `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let openings = line.split("](").skip(1);
    openings.filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

fn leads_somewhere(from: &str, target: &str, paths: &BTreeSet<&str>) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let Some(resolved) = resolve(from, path) else {
        return false;
    };
    let folder = format!("{resolved}/");
    paths.contains(resolved.as_str()) || paths.iter().any(|path| path.starts_with(&folder))
}

/// `target` as seen from the file `from`, relative to the root; none where it leaves the tree.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::project::SourceFile;
    use std::collections::BTreeSet;

    #[test]
    fn links_are_followed_inside_the_tree() {
        let paths = BTreeSet::from(["README.md", "docs/a.md", "docs/decisions/0001-b.md"]);
        for (link, faults) in [
            ("[a](a.md)", 0),
            ("[a](a.md#part)", 0),
            ("[a](#part)", 0),
            ("[a](../README.md) and [b](decisions/0001-b.md)", 0),
            ("[a](decisions)", 0),
            ("[a](https://www.rfc-editor.org/rfc/rfc6962)", 0),
            ("[a](b.md)", 1),
            ("[a](../a.md) [b](b.md)", 2),
            ("[a](../../README.md)", 1),
        ] {
            let file = SourceFile::new("docs/c.md", link);
            assert_eq!(check(&file, &paths).len(), faults, "{link}");
        }
        let code = SourceFile::new("docs/c.rs", "a[b](c)");
        assert!(check(&code, &paths).is_empty());
    }
}
