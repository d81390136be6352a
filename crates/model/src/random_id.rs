//! Names that are nothing but random.

/// Declares a name of 128 random bits, which records and answers hold as 32 lower-case hexadecimal digits.
macro_rules! random_id {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads 32 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                if text.len() != 32 || !text.bytes().all(is_digit) {
                    return None;
                }
                u128::from_str_radix(text, 16).ok().map(|value| Self(value.to_be_bytes()))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }
    };
}

pub(crate) use random_id;

#[cfg(test)]
mod tests {
    random_id!(Name);

    #[test]
    fn only_lower_case_digits_of_the_right_number_are_read() {
        let name = Name::from_bytes([0xab; 16]);
        assert_eq!(name.as_bytes(), &[0xab; 16]);
        assert_eq!(Name::parse(&name.to_string()), Some(name));
        assert_eq!(Name::parse(&name.to_string().to_uppercase()), None);
        assert_eq!(Name::parse("ab"), None);
        assert_eq!(Name::parse(&format!("+{}", "0".repeat(31))), None);
    }
}
