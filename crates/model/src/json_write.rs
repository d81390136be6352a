//! Writes canonical objects member by member, for texts the server makes itself.

use ledgerstone_proof::{Hash, canonical_string_into};

/// Writes one object. The caller names the members in canonical order.
pub struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> ObjectWriter<'o> {
    /// Opens the object.
    pub fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push(b'}');
    }

    /// Writes a name that is escaped already, and hands out the place for its value.
    pub fn raw_key(&mut self, name: &[u8]) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Writes a name, and hands out the place for its value.
    pub fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        canonical_string_into(name, self.out);
        self.out.push(b':');
        self.out
    }

    /// Writes a member that holds a string.
    pub fn text(&mut self, name: &str, value: &str) {
        canonical_string_into(value, self.key(name));
    }

    /// Writes a member that holds a hash in hexadecimal digits.
    pub fn hash(&mut self, name: &str, hash: &Hash) {
        let out = self.key(name);
        out.push(b'"');
        hash.write_hex(out);
        out.push(b'"');
    }

    /// Writes a member that holds a string, if there is one.
    pub fn optional_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Writes a member that holds a whole number of at most 2^53 - 1.
    pub fn number(&mut self, name: &str, value: u64) {
        self.key(name).extend_from_slice(value.to_string().as_bytes());
    }

    /// The same, if there is one.
    pub fn optional_number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    /// Writes a member that is true or false.
    pub fn boolean(&mut self, name: &str, value: bool) {
        boolean_into(value, self.key(name));
    }

    /// Writes a member that holds an array, each of its elements by `write`.
    pub fn array<T>(
        &mut self,
        name: &str,
        elements: impl IntoIterator<Item = T>,
        write: impl FnMut(T, &mut Vec<u8>),
    ) {
        array_into(elements, self.key(name), write);
    }

    /// Writes a member that holds an array of strings.
    pub fn texts<T: AsRef<str>>(&mut self, name: &str, values: &[T]) {
        text_array_into(values, self.key(name));
    }
}

/// Writes an array of strings.
pub fn text_array_into<T: AsRef<str>>(values: &[T], out: &mut Vec<u8>) {
    array_into(values, out, |value, out| canonical_string_into(value.as_ref(), out));
}

/// Writes an array, each of its elements by `write`.
pub fn array_into<T>(
    elements: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(element, out);
    }
    out.push(b']');
}

/// Writes `true` or `false`.
pub fn boolean_into(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}
