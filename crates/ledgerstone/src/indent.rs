//! JSON for people: the same text with line breaks. Values stay as they are spelt, because a
//! record's text is evidence.

/// Spreads compact JSON over lines. Text that is not JSON comes out as something unreadable, but
/// never as an error.
pub fn indent(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                if let Some(close) = bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    break_line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                break_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            other => {
                in_string = other == b'"';
                out.push(other);
            }
        }
    }
    out
}

fn break_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.extend(std::iter::repeat_n(b' ', 2 * depth));
}

#[cfg(test)]
mod tests {
    use super::indent;

    #[test]
    fn values_stay_as_they_are_spelt() {
        let compact = br#"{"a":[1e+21,"x:,{\"\\"],"b":{},"c":[],"d":{"e":null}}"#;
        let expected = "{\n  \"a\": [\n    1e+21,\n    \"x:,{\\\"\\\\\"\n  ],\n  \"b\": {},\n  \
                        \"c\": [],\n  \"d\": {\n    \"e\": null\n  }\n}";
        assert_eq!(String::from_utf8(indent(compact)).unwrap(), expected);
    }

    #[test]
    fn anything_else_comes_out_somehow() {
        assert_eq!(indent(b"]}\"a"), b"\n]\n}\"a");
    }
}
