//! The rule that a function can be read without scrolling.
//!
//! Counted as clippy counts: lines of code in the body, comments and blank lines left out. An
//! `#[expect(clippy::too_many_lines, reason = "…")]` on the function is respected.

use super::Fault;
use super::rust_text::{code_only, is_word};
use crate::project::SourceFile;

const LINES_MAX: usize = 70;

/// A function with a body.
struct Function<'a> {
    name: &'a str,
    /// Line of the word `fn`, counted from 1.
    line: usize,
    lines_of_code: usize,
    excused: bool,
}

pub fn length(file: &SourceFile) -> Vec<Fault> {
    if !file.is_rust() {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let long = functions(&code)
        .into_iter()
        .filter(|function| function.lines_of_code > LINES_MAX && !function.excused);
    let faults = long.map(|function| {
        let told = format!(
            "function `{}` has {} lines of code, the limit is {LINES_MAX}; name its steps",
            function.name, function.lines_of_code
        );
        Fault::in_line(file, function.line, told)
    });
    faults.collect()
}

fn functions(code: &str) -> Vec<Function<'_>> {
    let starts = code.match_indices("fn ").map(|(start, _)| start);
    starts.filter_map(|start| function_at(code, start)).collect()
}

/// The function whose `fn` stands at `start`; none for pointer types, declarations and names that
/// merely end in those letters.
fn function_at(code: &str, start: usize) -> Option<Function<'_>> {
    let before = &code[..start];
    if before.bytes().next_back().is_some_and(is_word) {
        return None;
    }
    let after = &code[start + 3..];
    let name_length = after.bytes().take_while(|&byte| is_word(byte)).count();
    let name = &after[..name_length];
    let body_start = body_start(after)?;
    let body = balanced(&after[body_start..])?;
    let item_start = before.rfind(['{', '}', ';']).unwrap_or(0);
    Some(Function {
        name,
        line: before.matches('\n').count() + 1,
        lines_of_code: lines_of_code(body),
        excused: before[item_start..].contains("too_many_lines"),
    })
    .filter(|function| !function.name.is_empty())
}

/// Where the body's brace is. A `;` outside of brackets ends a declaration first.
fn body_start(signature: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in signature.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// What stands between the brace that `text` begins with and the one that closes it.
fn balanced(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return text.get(1..at);
                }
            }
            _ => {}
        }
    }
    None
}

fn lines_of_code(body: &str) -> usize {
    let lines = body.lines();
    lines.filter(|line| !line.trim().is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::{functions, length};
    use crate::project::SourceFile;

    fn faults(source: &str) -> Vec<String> {
        let faults = length(&SourceFile::new("crates/a/src/b.rs", source));
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_limit_counts_code_only() {
        let full = format!("//! B.\nfn full() {{\n{}}}\n", "    a();\n".repeat(70));
        assert!(faults(&full).is_empty());
        let airy = full.replace("a();\n", "a();\n\n    // why\n");
        assert!(faults(&airy).is_empty());
        let over = full.replacen("a();\n", "a();\n    b();\n", 1);
        let told = faults(&over);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("crates/a/src/b.rs:2: function `full` has 71"));
        let excused = over.replace(
            "fn full",
            "#[expect(clippy::too_many_lines, reason = \"one table\")]\nfn full",
        );
        assert!(faults(&excused).is_empty());
    }

    #[test]
    fn functions_are_found_and_nothing_else() {
        let source = "
            trait T { fn declared(&self) -> [u8; 2]; fn given(&self) { a(); } }
            type P = fn (u8) -> u8;
            fn outer<'a>(x: &'a str) -> [u8; 4] { fn inner() {} b() }
            const C: &str = \"xxxx\";
        ";
        let names: Vec<&str> = functions(source).iter().map(|f| f.name).collect();
        assert_eq!(names, ["given", "outer", "inner"]);
    }
}
