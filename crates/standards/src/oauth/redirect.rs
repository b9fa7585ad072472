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

/// Schemes that browsers and systems give a meaning of their own: an answer sent there is run, shown or passed on.
const FOREIGN_SCHEMES: [&str; 18] = [
    "about",
    "blob",
    "chrome",
    "content",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

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
    let is_web = match url.scheme() {
        "https" if !host.is_empty() => true,
        "http" if is_loopback(host) => true,
        "http" | "https" => return Err(RedirectError::Scheme),
        scheme if FOREIGN_SCHEMES.contains(&scheme) => return Err(RedirectError::Scheme),
        _ if is_native => false,
        _ => return Err(RedirectError::Scheme),
    };
    let authority = authority(uri).unwrap_or_default();
    if authority.contains('@') {
        return Err(RedirectError::UserInfo);
    }
    // What the parser repaired (`https:a`, `127.1`, `a%2etest`), another parser may read otherwise.
    if is_web && (!is_spelled_out(authority, host) || host.ends_with('.')) {
        return Err(RedirectError::Characters);
    }
    if url.query_pairs().any(|(name, _)| matches!(name.as_ref(), "code" | "state" | "error")) {
        return Err(RedirectError::Parameters);
    }
    Ok(())
}

/// Host and port as written, with whatever stands before them.
fn authority(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once(':')?;
    rest.strip_prefix("//")?.split(['/', '?']).next()
}

/// Whether the text is the host that the parser found, with or without a port.
fn is_spelled_out(authority: &str, host: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    match authority.strip_prefix(host).map(|rest| rest.strip_prefix(':').ok_or(rest)) {
        Some(Ok(port)) => !port.is_empty(),
        Some(Err(rest)) => rest.is_empty(),
        None => false,
    }
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
// COMPAT: an empty path and `/` are the same request (RFC 9110 §4.2.3); portals register one, MSAL sends the other.
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
            "https://a%2etest/",
            "https://a.test:/",
            "https://a.test:99999/",
            "https://a.test/?co%64e=1",
            "https://a.test/?x=1&state=2",
            "https://a.test?error=x",
            "https://",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://localhost.evil.test/",
            "http://localhost@evil.test/",
            "http://evil.test#@localhost/",
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
        assert_eq!(check_registrable("https://a.test?next=a@b", false), Ok(()));
        assert_eq!(check_registrable("https://APP.test:8443/Callback", false), Ok(()));
        assert_eq!(check_registrable("http://[::1]:5000/", false), Ok(()));
        assert_eq!(check_registrable(&format!("https://a.test/{}", "p".repeat(241)), false), Ok(()));
        assert!(check_registrable(&format!("https://a.test/{}", "p".repeat(242)), false).is_err());
    }

    #[test]
    fn r27_an_own_scheme_frees_from_no_other_rule() {
        for good in [
            "msal6731de76-14a6-49ae-97bc-6eba6914391e://auth",
            "com.contoso.app:/redirect",
            "urn:ietf:wg:oauth:2.0:oob",
        ] {
            assert_eq!(check_registrable(good, true), Ok(()), "{good}");
        }
        for (bad, error) in [
            ("msal://auth?code=1", RedirectError::Parameters),
            ("msal:/auth?x=1&error=2", RedirectError::Parameters),
            ("msal://user@auth", RedirectError::UserInfo),
            ("msal://user:pass@auth/", RedirectError::UserInfo),
            ("msal://auth#x", RedirectError::Fragment),
            ("msal://auth\\x", RedirectError::Characters),
            ("javascript:alert(1)", RedirectError::Scheme),
            ("JavaScript:alert(1)", RedirectError::Scheme),
            ("view-source:https://a.test", RedirectError::Scheme),
            ("filesystem:https://a.test/x", RedirectError::Scheme),
            ("intent://a.test/", RedirectError::Scheme),
            ("http://a.test/", RedirectError::Scheme),
        ] {
            assert_eq!(check_registrable(bad, true), Err(error), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn r27_what_is_registered_has_one_reading(uri in "(https?:|msal:|/|@|:|\\?|#|%2e|%40|\\\\|localhost|127\\.1|a\\.test|code=1|\\PC){0,8}", is_native: bool) {
            if check_registrable(&uri, is_native).is_ok() {
                let url = Url::parse(&uri).unwrap();
                proptest::prop_assert!(!uri.contains(['#', '\\']) && url.username().is_empty() && url.password().is_none());
                if let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) {
                    let start = [url.scheme(), "://", host].concat();
                    proptest::prop_assert!(uri.to_ascii_lowercase().starts_with(&start));
                }
                proptest::prop_assert!(matches(&uri, &uri, is_native));
            }
        }

        #[test]
        fn r27_whatever_matches_is_equal_or_loopback(registered in "https?://[a-z.@:/\\\\]{1,20}", presented in "\\PC{0,40}") {
            if matches(&registered, &presented, true) && registered != presented {
                proptest::prop_assert!(presented.starts_with("http://localhost")
                    || presented.starts_with("http://127.0.0.1") || presented.starts_with("http://[::1]"));
            }
        }
    }
}
