//! Redirect addresses: what may be registered, and when a presented one is the registered one (R27, RFC 8252 §7).

use url::Url;

/// Longest redirect address, in characters (facts: protocol §9).
const LONGEST: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    #[error("The address has characters that browsers read in different ways.")]
    Characters,
    #[error("The address must not have a fragment.")]
    Fragment,
    #[error("The address is no absolute URI of at most 256 characters.")]
    Form,
    #[error("The address must not have the parameters code, state or error.")]
    Parameters,
    #[error("The address must begin with https, or http on localhost.")]
    Scheme,
    #[error("The address must not name a user.")]
    UserInfo,
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether an address may be registered; `is_native` also allows an application's own scheme (RFC 8252 §7.1).
pub fn check_registrable(uri: &str, is_native: bool) -> Result<(), RedirectError> {
    if uri.len() > LONGEST {
        return Err(RedirectError::Form);
    }
    if !uri.bytes().all(|b| b.is_ascii_graphic()) || uri.contains(['\\', '*', '"', '<', '>', '`', '{', '}']) {
        return Err(RedirectError::Characters);
    }
    if uri.contains('#') {
        return Err(RedirectError::Fragment);
    }
    let url = Url::parse(uri).map_err(|_| RedirectError::Form)?;
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" if !host.is_empty() => {}
        "http" if is_loopback(host) => {}
        "http" | "https" | "javascript" | "data" | "file" | "ftp" | "blob" | "vbscript" | "ws" | "wss"
        | "about" => {
            return Err(RedirectError::Scheme);
        }
        _ if is_native => return Ok(()),
        _ => return Err(RedirectError::Scheme),
    }
    // What the parser repaired, another parser may read otherwise.
    let after_scheme = uri.get(url.scheme().len()..).unwrap_or_default();
    if !after_scheme.starts_with("://") || after_scheme.starts_with(":///") || host.ends_with('.') {
        return Err(RedirectError::Characters);
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || uri.split('/').nth(2).is_some_and(|a| a.contains('@'))
    {
        return Err(RedirectError::UserInfo);
    }
    if url.query_pairs().any(|(name, _)| matches!(name.as_ref(), "code" | "state" | "error")) {
        return Err(RedirectError::Parameters);
    }
    Ok(())
}

/// Whether a presented address is the registered one: byte for byte, but for the port of a native application's loopback
/// address (RFC 8252 §7.3).
pub fn matches(registered: &str, presented: &str, is_native: bool) -> bool {
    if registered == presented {
        return true;
    }
    is_native
        && without_loopback_port(registered)
            .is_some_and(|known| Some(known) == without_loopback_port(presented))
}

/// The address without its port when it is http on a loopback name, taken apart as text so that nothing is normalised.
/// An empty path and `/` are the same place: MSAL registers one and sends the other.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (host, port) = match authority.strip_suffix(|c: char| c.is_ascii_digit()) {
        Some(_) => {
            authority.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')).unwrap_or((authority, ""))
        }
        None => (authority, ""),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let path = if path == "/" { "" } else { path };
    (is_port && is_loopback(host)).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r27_known_bypasses_do_not_match() {
        let registered = "https://app.contoso.test/callback";
        for presented in [
            "https://app.contoso.test/callback/",
            "https://app.contoso.test/callback?x=1",
            "https://app.contoso.test/callback#x",
            "https://app.contoso.test/callback/../evil",
            "https://app.contoso.test/callback%2f",
            "https://app.contoso.test:443/callback",
            "https://APP.contoso.test/callback",
            "https://app.contoso.test.evil.test/callback",
            "https://app.contoso.test@evil.test/callback",
            "https://evil.test/https://app.contoso.test/callback",
            "https://app.contoso.test\\@evil.test/callback",
            "http://app.contoso.test/callback",
            "//app.contoso.test/callback",
            " https://app.contoso.test/callback",
            "",
        ] {
            assert!(!matches(registered, presented, false), "{presented}");
            assert!(!matches(registered, presented, true), "{presented}");
        }
    }

    #[test]
    fn r27_only_the_port_of_native_loopback_addresses_is_free() {
        assert!(matches("http://localhost", "http://localhost:51234", true));
        assert!(matches("http://localhost", "http://localhost:51234/", true));
        assert!(matches("http://localhost/cb", "http://localhost:1/cb", true));
        assert!(matches("http://127.0.0.1/", "http://127.0.0.1:8400/", true));
        for presented in [
            "http://localhost:51234/x",
            "http://localhost.evil.test:80",
            "http://localhost:80@evil.test",
            "http://127.0.0.1:80",
            "https://localhost:80",
            "http://localhost:123456",
            "http://localhost:",
            "http://localhost?x",
        ] {
            assert!(!matches("http://localhost", presented, true), "{presented}");
        }
        assert!(!matches("http://localhost", "http://localhost:5000", false));
    }

    #[test]
    fn r27_addresses_that_could_be_read_differently_are_not_registered() {
        for bad in [
            "https://a.test/#x",
            "https://u@a.test/",
            "https://a.test\\b",
            "https://*.a.test/",
            "http://a.test/",
            "javascript:alert(1)",
            "https:a.test",
            "https:///a.test",
            "https://a.test/?code=1",
            "https://a.test./",
            "data:text/html,x",
            "a.test",
            "",
            "https://a.test/\u{202e}",
        ] {
            assert!(check_registrable(bad, false).is_err(), "{bad}");
        }
        assert_eq!(check_registrable("https://a.test/cb?tenant=1", false), Ok(()));
        assert_eq!(check_registrable("http://localhost:5000/cb", false), Ok(()));
        assert_eq!(check_registrable("msauth.test://auth", true), Ok(()));
        assert!(check_registrable("msauth.test://auth", false).is_err());
    }

    proptest::proptest! {
        #[test]
        fn r27_whatever_matches_is_equal_or_loopback(registered in "https?://[a-z.@:/\\\\]{1,20}", presented in "\\PC{0,40}") {
            if matches(&registered, &presented, true) && registered != presented {
                proptest::prop_assert!(presented.starts_with("http://localhost")
                    || presented.starts_with("http://127.0.0.1") || presented.starts_with("http://[::1]"));
            }
        }
    }
}
