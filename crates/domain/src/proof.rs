//! One-time objects. Each kind has its own tag in the stored hash, so that one can never pass as another (R10), and
//! a fixed shape that is checked before any look-up (R40).

use crate::id::TenantId;
use standards::{b64, crypto};
use uuid::Uuid;

/// What a one-time object proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProofKind {
    /// OAuth authorization code (RFC 6749 §4.1.2).
    AuthorizationCode,
    /// Secret of the browser that began a sign-in; a cookie.
    Browser,
    /// What a device shows for its tokens (RFC 8628 §3.2).
    DeviceCode,
    /// What a home tenant hands its user for a partner's tenant: redeemed server to server.
    PartnerCode,
    /// OAuth refresh token (RFC 6749 §1.5). Used many times, see R14's reading.
    RefreshToken,
    /// One-time link that makes the first administrator.
    SetupLink,
    /// State of a visit at the home tenant (R15).
    HomeVisit,
    /// Redemption ticket of an invitation (R03).
    Ticket,
}

impl ProofKind {
    /// The tag in the text and in the hash. Never reuse one.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "0.A",
            Self::Browser => "0.B",
            Self::DeviceCode => "0.D",
            Self::HomeVisit => "0.H",
            Self::PartnerCode => "0.P",
            Self::RefreshToken => "0.R",
            Self::SetupLink => "0.S",
            Self::Ticket => "0.T",
        }
    }
}

/// A one-time object as it travels: tag, tenant, 256 secret bits. Only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofToken {
    pub kind: ProofKind,
    pub tenant: TenantId,
    secret: [u8; 32],
}

/// What the store keeps of a one-time object.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProofHash(pub [u8; 32]);

impl std::fmt::Debug for ProofToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProofToken({:?}, {}, ..)", self.kind, self.tenant)
    }
}

impl std::fmt::Debug for ProofHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofHash(..)")
    }
}

impl ProofToken {
    pub const fn new(kind: ProofKind, tenant: TenantId, secret: [u8; 32]) -> Self {
        Self { kind, tenant, secret }
    }

    /// Reads a token of exactly this kind: tag, 22 characters of tenant, 43 of secret, nothing more (R40).
    pub fn parse(kind: ProofKind, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(kind.tag())?.strip_prefix('.')?.split('.');
        let (tenant, secret, rest) = (parts.next()?, parts.next()?, parts.next());
        if rest.is_some() {
            return None;
        }
        Some(Self {
            kind,
            tenant: TenantId::new(Uuid::from_bytes(b64::decode(tenant)?.try_into().ok()?)),
            secret: b64::decode(secret)?.try_into().ok()?,
        })
    }

    pub fn text(&self) -> String {
        format!(
            "{}.{}.{}",
            self.kind.tag(),
            b64::encode(self.tenant.uuid().as_bytes()),
            b64::encode(&self.secret)
        )
    }

    /// Kind and tenant are part of the hash: a row found by it has the right kind and tenant (R10).
    pub fn hash(&self) -> ProofHash {
        ProofHash(crypto::sha256(&[self.kind.tag().as_bytes(), self.tenant.uuid().as_bytes(), &self.secret]))
    }
}

/// The short code that a device shows and a person types (RFC 8628 §6.1). It only leads to the question whether to let
/// the device in; the tokens need the device's own code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserCode([u8; Self::LENGTH]);

impl UserCode {
    /// Consonants alone make no words, and none of them is read as another or as a digit.
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    // DEFAULT: nine letters, 38 bits: with a thousand codes alive and twenty tries in fifteen minutes, an address finds one
    // in several thousand years.
    const LENGTH: usize = 9;

    /// Makes a code of random bits.
    pub fn draw(bits: &[u8; 32]) -> Self {
        let mut code = [0; Self::LENGTH];
        for (letter, pair) in code.iter_mut().zip(bits.chunks_exact(2)) {
            let number = pair.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
            *letter = Self::LETTERS.iter().copied().cycle().nth(number % Self::LETTERS.len()).unwrap_or(b'B');
        }
        Self(code)
    }

    /// Reads what a person typed: in any case, with spaces and hyphens where they like.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > 64 {
            return None;
        }
        let letters: Vec<u8> = typed
            .bytes()
            .filter(|byte| !matches!(byte, b' ' | b'-'))
            .map(|byte| byte.to_ascii_uppercase())
            .collect();
        let is_known = letters.iter().all(|letter| Self::LETTERS.contains(letter));
        letters.try_into().ok().filter(|_| is_known).map(Self)
    }

    pub fn text(&self) -> String {
        self.0.iter().map(|letter| char::from(*letter)).collect()
    }

    pub fn hash(&self) -> ProofHash {
        ProofHash(crypto::sha256(&[b"0.U", &self.0]))
    }
}

impl std::fmt::Debug for UserCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_reads_back_however_it_is_typed() {
        let code = UserCode::draw(&crypto::sha256(&[b"some bits"]));
        let text = code.text();
        assert!(text.len() == 9 && text.bytes().all(|letter| UserCode::LETTERS.contains(&letter)));
        let (first, rest) = text.split_at(3);
        for typed in [text.clone(), text.to_lowercase(), format!(" {first}-{rest} ")] {
            assert_eq!(UserCode::parse(&typed), Some(code), "{typed}");
        }
        for wrong in ["", first, &format!("{text}B"), &text.replace(first, "AEI"), &"B".repeat(100), "ÄÖÜ"]
        {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
    }

    fn token() -> ProofToken {
        ProofToken::new(ProofKind::Ticket, TenantId::new(Uuid::from_u128(5)), [9; 32])
    }

    #[test]
    fn r40_every_truncation_and_extension_is_refused() {
        let text = token().text();
        assert_eq!(ProofToken::parse(ProofKind::Ticket, &text), Some(token()));
        for end in 0..text.len() {
            assert_eq!(ProofToken::parse(ProofKind::Ticket, text.get(..end).unwrap()), None);
        }
        for extra in ["A", ".", "=", " ", "AAAA"] {
            assert_eq!(ProofToken::parse(ProofKind::Ticket, &format!("{text}{extra}")), None);
        }
    }

    #[test]
    fn r10_a_token_is_read_only_as_its_own_kind() {
        let text = token().text();
        for kind in [
            ProofKind::AuthorizationCode,
            ProofKind::RefreshToken,
            ProofKind::PartnerCode,
            ProofKind::Browser,
            ProofKind::DeviceCode,
        ] {
            assert_eq!(ProofToken::parse(kind, &text), None);
            let same_secret = ProofToken::new(kind, token().tenant, [9; 32]);
            assert_ne!(same_secret.hash(), token().hash());
        }
    }

    #[test]
    fn r03_any_changed_bit_is_another_ticket() {
        let text = token().text();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let parsed = ProofToken::parse(ProofKind::Ticket, &changed);
            assert!(parsed.is_none_or(|other| other.hash() != token().hash()));
        }
    }
}
