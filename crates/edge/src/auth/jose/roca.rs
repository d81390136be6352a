//! Knows RSA keys of the Infineon generator whose private half can be computed (CVE-2017-15361,
//! "The Return of Coppersmith's Attack", CCS 2017): modulo small primes their modulus is a power of
//! 65537.

/// Primes modulo which the powers of 65537 are few. All of them together pass a good key about once
/// in 2^28.
const PRIMES: [u32; 17] =
    [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// The generator's base.
const BASE: u32 = 65_537;

/// Whether a modulus, its most significant byte first, has the generator's fingerprint.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], divisor: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % divisor)
}

fn is_power(number: u32, prime: u32) -> bool {
    let mut power = 1;
    loop {
        if power == number {
            return true;
        }
        power = power * (BASE % prime) % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{has_fingerprint, is_power, remainder};

    #[test]
    fn remainders_and_powers_are_right() {
        assert_eq!(remainder(&[0x01, 0x00, 0x01], 11), 65_537 % 11);
        assert_eq!(remainder(&[0xff; 8], 157), u32::try_from(u64::MAX % 157).unwrap());
        // 65537 is 10 modulo 11, whose powers are 1 and 10.
        let powers: Vec<u32> = (0..11).filter(|number| is_power(*number, 11)).collect();
        assert_eq!(powers, [1, 10]);
        assert!(has_fingerprint(&[1]) && has_fingerprint(&[0x01, 0x00, 0x01]));
        assert!(!has_fingerprint(&[0x02]));
    }
}
