//! The signature algorithms that an issuer may be configured with.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaParameters, VerificationAlgorithm,
};

/// A signature algorithm of RFC 7518 section 3.1 and RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519; `Ed25519` (RFC 9864) or `EdDSA` in a token.
    EdDsa,
    Es256,
    Es384,
    Ps256,
    Rs256,
    /// For development alone: who can verify can also sign.
    Hs256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] =
        &[Self::EdDsa, Self::Es256, Self::Es384, Self::Ps256, Self::Rs256, Self::Hs256];

    /// The name in tokens, keys and settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of this name, case and all.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.iter().copied().find(|one| one.as_str() == text)
    }

    /// How a public key of this algorithm verifies; `None` for a secret key's.
    pub(super) fn public(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::EdDsa => Some(&ED25519),
            Self::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
            Self::Ps256 | Self::Rs256 => self.rsa().map(|rsa| rsa as _),
            Self::Hs256 => None,
        }
    }

    /// The same for RSA alone.
    pub(super) fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
