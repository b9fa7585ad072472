//! DNS names and the addresses below them, compared without regard to case.

use std::fmt;

/// A DNS name in lower case, as a tenant verifies it: at least two labels, no trailing dot, ASCII (IDNs in their
/// `xn--` form).
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct DomainName(String);

impl DomainName {
    /// At most 253 characters of letters, digits, hyphens and dots (RFC 1123 §2.1).
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        let label_is_right = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let is_right = name.len() <= 253 && name.contains('.') && name.split('.').all(label_is_right);
        is_right.then_some(Self(name))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address or sign-in name `local@domain`, as typed; compare with [`Address::folded`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    text: String,
    domain: DomainName,
}

impl Address {
    /// One `@`, a local part of 1 to 64 printable ASCII characters without spaces, a domain name; 254 in all.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let local_is_right = (1..=64).contains(&local.len())
            && !local.contains('@')
            && local.bytes().all(|b| b.is_ascii_graphic() && b != b'@');
        let domain = DomainName::parse(domain)?;
        (local_is_right && text.len() <= 254).then(|| Self { text: text.to_owned(), domain })
    }

    /// An address that can be invited: the characters that Graph refuses are refused (Graph: invitation,
    /// invitedUserEmailAddress).
    pub fn parse_invitable(text: &str) -> Option<Self> {
        let address = Self::parse(text)?;
        let local = address.local();
        let is_right = !local.starts_with(['.', '-'])
            && !local.ends_with(['.', '-'])
            && !local.contains("..")
            && !local.chars().any(|c| r##"~!#$%^&*()+=[]{}\/|;:"<>?,`"##.contains(c));
        is_right.then_some(address)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
    pub fn local(&self) -> &str {
        self.text.rsplit_once('@').map_or("", |(local, _)| local)
    }
    /// The form that is compared and kept unique.
    pub fn folded(&self) -> String {
        self.text.to_ascii_lowercase()
    }
    pub fn is_same(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_mistaken_are_refused() {
        for bad in
            ["", "test", "a..b", "-a.test", "a.test.", "a b.test", "a_b.test", "ä.test", &"a.".repeat(200)]
        {
            assert_eq!(DomainName::parse(bad), None, "{bad}");
        }
        assert_eq!(DomainName::parse("Contoso.TEST").unwrap().as_str(), "contoso.test");
    }

    #[test]
    fn invitations_refuse_the_characters_that_graph_refuses() {
        for bad in [
            "a+b@x.test",
            ".a@x.test",
            "a.@x.test",
            "a@x",
            "a@@x.test",
            "a b@x.test",
            "<a>@x.test",
            "@x.test",
        ] {
            assert_eq!(Address::parse_invitable(bad), None, "{bad}");
        }
        assert!(Address::parse_invitable("_james.o_neil-x@contoso.test").is_some());
    }
}
