//! Reads the two numbers of an RSA public key out of its DER (RFC 8017 appendix A.1.1), which
//! `aws-lc-rs` gives but does not take apart.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Modulus and exponent of an `RSAPublicKey`, without leading zero bytes.
pub(super) fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (numbers, after) = value(der, SEQUENCE)?;
    let (modulus, rest) = value(numbers, INTEGER)?;
    let (exponent, end) = value(rest, INTEGER)?;
    (after.is_empty() && end.is_empty()).then(|| (without_zeros(modulus), without_zeros(exponent)))
}

/// The value of the first element, which must have this tag, and what comes after it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (length, rest) = match *rest {
        [length @ 0..=0x7f, ref rest @ ..] | [0x81, length, ref rest @ ..] => {
            (usize::from(length), rest)
        }
        [0x82, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::rsa_numbers;

    #[test]
    fn two_numbers_and_nothing_else() {
        let good = [0x30, 0x07, 0x02, 0x02, 0x00, 0xff, 0x02, 0x01, 0x03];
        assert_eq!(rsa_numbers(&good), Some((&[0xff][..], &[0x03][..])));
        let long = [0x30, 0x81, 0x08, 0x02, 0x82, 0x00, 0x01, 0xff, 0x02, 0x01, 0x03];
        assert_eq!(rsa_numbers(&long), Some((&[0xff][..], &[0x03][..])));
        for end in 0..good.len() {
            assert_eq!(rsa_numbers(&good[..end]), None);
        }
        let mut more = good.to_vec();
        more.push(0);
        assert_eq!(rsa_numbers(&more), None);
    }
}
