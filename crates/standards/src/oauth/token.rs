//! The token request: every grant has a strict shape; a missing parameter is an error and never another meaning (R30).

use super::Version;
use super::authorize::{RequestError, parse_client_id, parse_scope, resource_scopes};
use super::claims::RequestedClaims;
use super::error::ErrorCode;
use super::params::Params;
use crate::b64;
use crate::jose::ForeignAssertion;
use uuid::Uuid;

/// A token request (RFC 6749 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Of the endpoint: ID token and answer have that form.
    pub version: Version,
    pub client_id: Uuid,
    pub auth: ClientAuth,
    pub scope: Vec<String>,
    pub wants_client_info: bool,
    pub claims: RequestedClaims,
    pub grant: Grant,
}

/// How the client proves itself (RFC 6749 §2.3, RFC 7523 §2.2).
#[derive(Clone, PartialEq, Eq)]
pub enum ClientAuth {
    Assertion(String),
    /// What an assertion of another issuer says, whose signature was verified. No request parses to it.
    Foreign(Box<ForeignAssertion>),
    None,
    SecretBasic(String),
    SecretPost(String),
}

impl std::fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Assertion(_) => "Assertion(..)",
            Self::Foreign(_) => "Foreign(..)",
            Self::None => "None",
            Self::SecretBasic(_) => "SecretBasic(..)",
            Self::SecretPost(_) => "SecretPost(..)",
        })
    }
}

/// What is given for the token (RFC 6749 §1.3).
#[derive(Clone, PartialEq, Eq)]
pub enum Grant {
    AuthorizationCode {
        code: String,
        redirect_uri: Option<String>,
        code_verifier: Option<String>,
    },
    ClientCredentials,
    /// A device asks whether its code was answered (RFC 8628 §3.4).
    DeviceCode {
        device_code: String,
    },
    /// A service acts for the user whose token it was called with (`requested_token_use=on_behalf_of`).
    OnBehalfOf {
        assertion: String,
    },
    /// A program asks for the person's password itself (RFC 6749 §4.3).
    Password {
        username: String,
        password: String,
    },
    RefreshToken {
        refresh_token: String,
    },
}

/// The kind only: codes, verifiers and refresh tokens are as good as passwords.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AuthorizationCode { .. } => "AuthorizationCode(..)",
            Self::ClientCredentials => "ClientCredentials",
            Self::DeviceCode { .. } => "DeviceCode(..)",
            Self::OnBehalfOf { .. } => "OnBehalfOf(..)",
            Self::Password { .. } => "Password(..)",
            Self::RefreshToken { .. } => "RefreshToken(..)",
        })
    }
}

/// Longest `username`, as the sign-in page takes it.
const LONGEST_NAME: usize = 254;

/// The only kind of client assertion (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Credentials that belong to one grant; in another they are a mistake that must not pass (R30).
const CREDENTIALS: [&str; 7] =
    ["assertion", "code", "device_code", "password", "refresh_token", "subject_token", "username"];

struct Shape {
    grant_type: &'static str,
    required: &'static [&'static str],
    own: &'static [&'static str],
}

/// The grant of on-behalf-of (RFC 7523 §2.1 with Entra's own `requested_token_use`).
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The grant of a device without a browser (RFC 8628 §3.4).
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

const SHAPES: [Shape; 6] = [
    Shape { grant_type: "authorization_code", required: &["code"], own: &["code"] },
    Shape { grant_type: "client_credentials", required: &["scope"], own: &[] },
    // COMPAT: MSAL for Python sends the device code a second time as `code` (clients 13).
    Shape { grant_type: DEVICE_CODE, required: &["device_code"], own: &["device_code", "code"] },
    Shape {
        grant_type: JWT_BEARER,
        required: &["assertion", "requested_token_use", "scope"],
        own: &["assertion"],
    },
    Shape {
        grant_type: "password",
        required: &["username", "password", "scope"],
        own: &["username", "password"],
    },
    Shape { grant_type: "refresh_token", required: &["refresh_token"], own: &["refresh_token"] },
];

impl TokenRequest {
    /// Reads a request; `authorization` is the header of that name.
    pub fn parse(
        params: &Params,
        authorization: Option<&str>,
        version: Version,
    ) -> Result<Self, RequestError> {
        let invalid = |number, text: &str| RequestError::new(ErrorCode::InvalidRequest, number, text);
        let grant_type = params.take("grant_type")?.ok_or_else(|| RequestError::missing("grant_type"))?;
        // COMPAT: msal-node and azure-identity shorten this one name.
        let grant_type = if grant_type == "device_code" { DEVICE_CODE } else { grant_type };
        let shape = SHAPES.iter().find(|shape| shape.grant_type == grant_type).ok_or_else(|| {
            let text = "The app requested an unsupported grant type.";
            RequestError::new(ErrorCode::UnsupportedGrantType, 70_003, text)
        })?;
        let basic = authorization.and_then(basic_credentials).map(parse_basic).transpose()?;
        let posted_id = params.take("client_id")?;
        let client_id = match (&basic, posted_id) {
            (Some((id, _)), Some(posted)) if id != posted => {
                return Err(invalid(
                    90_023,
                    "The client_id of the body and of the Authorization header differ.",
                ));
            }
            (Some((id, _)), _) => id.as_str(),
            (None, Some(posted)) => posted,
            (None, None) => return Err(RequestError::missing("client_id")),
        };
        let client_id = parse_client_id(client_id)?;
        if version == Version::V2 && params.take("resource")?.is_some() {
            let text = "The 'resource' request parameter is not supported. Use 'scope'.";
            return Err(invalid(901_002, text));
        }
        // Where v2 wants scopes, v1 wants the resource.
        let required = shape.required.iter().map(|name| match (version, *name) {
            (Version::V1, "scope") => "resource",
            (_, name) => name,
        });
        for name in required {
            if params.take(name)?.is_none() {
                return Err(RequestError::missing(name));
            }
        }
        for name in CREDENTIALS.iter().filter(|name| !shape.own.contains(name)) {
            if params.take(name)?.is_some() {
                let text = format!("The parameter '{name}' does not belong to the grant '{grant_type}'.");
                return Err(invalid(90_023, &text));
            }
        }
        let owned = |name: &'static str| -> Result<Option<String>, RequestError> {
            Ok(params.take(name)?.map(str::to_owned))
        };
        let grant = match shape.grant_type {
            "authorization_code" => Grant::AuthorizationCode {
                code: owned("code")?.unwrap_or_default(),
                redirect_uri: owned("redirect_uri")?,
                code_verifier: owned("code_verifier")?,
            },
            DEVICE_CODE => {
                let device_code = owned("device_code")?.unwrap_or_default();
                if owned("code")?.is_some_and(|code| code != device_code) {
                    return Err(invalid(90_023, "The parameters 'code' and 'device_code' differ."));
                }
                Grant::DeviceCode { device_code }
            }
            JWT_BEARER => {
                if params.take("requested_token_use")? != Some("on_behalf_of") {
                    return Err(invalid(90_023, "The 'requested_token_use' must be 'on_behalf_of'."));
                }
                Grant::OnBehalfOf { assertion: owned("assertion")?.unwrap_or_default() }
            }
            "password" => Grant::Password {
                username: owned("username")?
                    .filter(|name| name.len() <= LONGEST_NAME)
                    .ok_or_else(|| invalid(90_023, "The username is too long."))?,
                password: owned("password")?.unwrap_or_default(),
            },
            "refresh_token" => {
                Grant::RefreshToken { refresh_token: owned("refresh_token")?.unwrap_or_default() }
            }
            _ => Grant::ClientCredentials,
        };
        let scope = match (version, params.take("resource")?, params.take("scope")?) {
            (Version::V1, Some(resource), _) => resource_scopes(Some(resource))?,
            (Version::V2, _, Some(scope)) => parse_scope(scope)?,
            (Version::V1, None, _) | (Version::V2, _, None) => Vec::new(),
        };
        Ok(Self {
            version,
            client_id,
            auth: client_auth(params, basic.map(|(_, secret)| secret))?,
            scope,
            wants_client_info: params.take("client_info")? == Some("1"),
            claims: RequestedClaims::parse(params.take("claims")?)?,
            grant,
        })
    }
}

fn client_auth(params: &Params, basic: Option<String>) -> Result<ClientAuth, RequestError> {
    let posted = params.take("client_secret")?;
    let assertion = params.take("client_assertion")?;
    match (assertion, params.take("client_assertion_type")?) {
        (None, None) | (Some(_), Some(ASSERTION_TYPE)) => {}
        (None, Some(_)) => return Err(RequestError::missing("client_assertion")),
        (Some(_), None) => return Err(RequestError::missing("client_assertion_type")),
        (Some(_), Some(_)) => {
            let text = format!("The 'client_assertion_type' must be '{ASSERTION_TYPE}'.");
            return Err(RequestError::new(ErrorCode::InvalidRequest, 90_023, text));
        }
    }
    match (basic, posted, assertion) {
        (None, None, None) => Ok(ClientAuth::None),
        (Some(secret), None, None) => Ok(ClientAuth::SecretBasic(secret)),
        (None, Some(secret), None) => Ok(ClientAuth::SecretPost(secret.to_owned())),
        (None, None, Some(assertion)) => Ok(ClientAuth::Assertion(assertion.to_owned())),
        _ => {
            let text = "The client must prove itself in one way only.";
            Err(RequestError::new(ErrorCode::InvalidRequest, 90_023, text))
        }
    }
}

/// What follows `Basic`, a word whose case does not matter (RFC 9110 §11.1).
fn basic_credentials(header: &str) -> Option<&str> {
    header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Basic")).map(|(_, text)| text)
}

/// Id and secret of a Basic header; both are form-encoded inside (RFC 6749 §2.3.1).
fn parse_basic(text: &str) -> Result<(String, String), RequestError> {
    let broken =
        || RequestError::new(ErrorCode::InvalidClient, 70_002, "The Authorization header does not parse.");
    let decoded = b64::decode_std(text.trim()).filter(|bytes| bytes.len() <= 4096).ok_or_else(broken)?;
    let decoded = String::from_utf8(decoded).map_err(|_| broken())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(broken)?;
    let decode = |text: &str| {
        let plus = text.replace('+', " ");
        percent_encoding::percent_decode_str(&plus)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| broken())
    };
    Ok((decode(id)?, decode(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "client_id=6731de76-14a6-49ae-97bc-6eba6914391e";

    fn parse(body: &str) -> Result<TokenRequest, RequestError> {
        TokenRequest::parse(&Params::parse(body.as_bytes()).unwrap(), None, Version::V2)
    }

    #[test]
    fn r30_a_missing_parameter_is_named_and_never_changes_the_meaning() {
        for (body, number) in [
            (CLIENT.to_owned(), 900_144),
            (format!("{CLIENT}&grant_type=magic"), 70_003),
            ("grant_type=client_credentials&scope=x".to_owned(), 900_144),
            (format!("{CLIENT}&grant_type=authorization_code"), 900_144),
            (format!("{CLIENT}&grant_type=refresh_token"), 900_144),
            (format!("{CLIENT}&grant_type=client_credentials"), 900_144),
            (format!("{CLIENT}&grant_type=client_credentials&scope=x&resource=y"), 901_002),
        ] {
            assert_eq!(parse(&body).err().map(|error| error.number), Some(number), "{body}");
        }
    }

    #[test]
    fn r30_credentials_of_another_grant_are_refused_in_every_combination() {
        // Written out once more: a name that falls out of the table must fail here.
        let credentials =
            ["assertion", "code", "device_code", "password", "refresh_token", "subject_token", "username"];
        for shape in &SHAPES {
            for foreign in credentials.iter().filter(|name| !shape.own.contains(name)) {
                let own: String = shape.required.iter().map(|name| format!("&{name}=x")).collect();
                let body = format!("{CLIENT}&grant_type={}{own}&{foreign}=x", shape.grant_type);
                assert_eq!(parse(&body).err().map(|error| error.number), Some(90_023), "{body}");
            }
        }
    }

    #[test]
    fn r30_in_v1_the_resource_stands_for_scopes_and_nothing_else_changes() {
        let parse = |body: &str| {
            let params = Params::parse(format!("{CLIENT}&{body}").as_bytes()).unwrap();
            TokenRequest::parse(&params, None, Version::V1).map_err(|error| error.number)
        };
        let asked = parse("grant_type=client_credentials&resource=api%3A%2F%2Fx&scope=ignored").unwrap();
        assert_eq!(asked.scope.last().map(String::as_str), Some("api://x/.default"));
        assert!(parse("grant_type=authorization_code&code=x").unwrap().scope.is_empty());
        for (body, number) in [
            ("grant_type=client_credentials&scope=x", 900_144),
            ("grant_type=password&username=x&password=y&scope=z", 900_144),
            ("grant_type=client_credentials&resource=x&password=y", 90_023),
            ("grant_type=refresh_token&refresh_token=x&resource=a+b", 500_011),
        ] {
            assert_eq!(parse(body).err(), Some(number), "{body}");
        }
    }

    #[test]
    fn a_device_code_may_come_twice_but_not_as_two() {
        let body = format!("{CLIENT}&grant_type={DEVICE_CODE}&device_code=x");
        let expected = Grant::DeviceCode { device_code: "x".to_owned() };
        let short = format!("{CLIENT}&grant_type=device_code&device_code=x");
        assert_eq!(parse(&short).unwrap().grant, expected);
        for same in ["", "&code=x", "&code="] {
            assert_eq!(parse(&format!("{body}{same}")).unwrap().grant, expected);
        }
        assert_eq!(parse(&format!("{body}&code=y")).unwrap_err().number, 90_023);
        assert_eq!(parse(&format!("{CLIENT}&grant_type={DEVICE_CODE}&code=x")).unwrap_err().number, 900_144);
    }

    #[test]
    fn another_use_of_an_assertion_is_not_on_behalf_of() {
        let body = format!("{CLIENT}&grant_type={JWT_BEARER}&assertion=x&scope=y");
        assert_eq!(parse(&body).unwrap_err().number, 900_144);
        assert_eq!(parse(&format!("{body}&requested_token_use=x")).unwrap_err().number, 90_023);
        let request = parse(&format!("{body}&requested_token_use=on_behalf_of")).unwrap();
        assert_eq!(request.grant, Grant::OnBehalfOf { assertion: "x".to_owned() });
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let header = format!("Basic {}", b64::encode_std(b"6731de76-14a6-49ae-97bc-6eba6914391e:a%2Bb+c"));
        let params = Params::parse(b"grant_type=client_credentials&scope=x").unwrap();
        let request = TokenRequest::parse(&params, Some(&header), Version::V2).unwrap();
        assert_eq!(request.auth, ClientAuth::SecretBasic("a+b c".to_owned()));
    }

    #[test]
    fn two_proofs_of_the_client_are_refused() {
        let body = format!("{CLIENT}&grant_type=client_credentials&scope=x");
        let assertion = format!("client_assertion=b&client_assertion_type={ASSERTION_TYPE}");
        let basic = format!("Basic {}", b64::encode_std(b"6731de76-14a6-49ae-97bc-6eba6914391e:a"));
        for (posted, header) in [
            (format!("&client_secret=a&{assertion}"), None),
            ("&client_secret=a".to_owned(), Some(basic.as_str())),
            (format!("&{assertion}"), Some(basic.as_str())),
        ] {
            let params = Params::parse(format!("{body}{posted}").as_bytes()).unwrap();
            let error = TokenRequest::parse(&params, header, Version::V2).unwrap_err();
            assert_eq!((error.code, error.number), (ErrorCode::InvalidRequest, 90_023), "{posted}");
        }
    }

    #[test]
    fn an_assertion_says_what_it_is() {
        let body = format!("{CLIENT}&grant_type=client_credentials&scope=x");
        let number = |rest: &str| parse(&format!("{body}{rest}")).map_err(|error| error.number);
        assert_eq!(number("&client_assertion=b").err(), Some(900_144));
        assert_eq!(number("&client_assertion=b&client_assertion_type=saml2-bearer").err(), Some(90_023));
        assert_eq!(number(&format!("&client_assertion_type={ASSERTION_TYPE}")).err(), Some(900_144));
        let request = number(&format!("&client_assertion=b&client_assertion_type={ASSERTION_TYPE}"));
        assert_eq!(request.unwrap().auth, ClientAuth::Assertion("b".to_owned()));
    }

    #[test]
    fn r30_no_subset_of_parameters_gets_another_meaning() {
        let names = [
            "grant_type",
            "client_id",
            "scope",
            "code",
            "device_code",
            "refresh_token",
            "redirect_uri",
            "password",
            "username",
            "assertion",
            "requested_token_use",
        ];
        for shape in &SHAPES {
            for subset in 0_u32..1 << names.len() {
                let given: Vec<&str> = names
                    .into_iter()
                    .enumerate()
                    .filter(|(at, _)| subset & 1 << at != 0)
                    .map(|(_, n)| n)
                    .collect();
                let pair = |name: &&str| match *name {
                    "grant_type" => format!("grant_type={}", shape.grant_type),
                    "client_id" => CLIENT.to_owned(),
                    "requested_token_use" => "requested_token_use=on_behalf_of".to_owned(),
                    name => format!("{name}=x"),
                };
                let has = |name: &str| given.contains(&name);
                let body = given.iter().map(pair).collect::<Vec<_>>().join("&");
                let is_whole =
                    has("grant_type") && has("client_id") && shape.required.iter().all(|name| has(name));
                let is_pure = CREDENTIALS.iter().all(|name| !has(name) || shape.own.contains(name));
                let parsed = parse(&body);
                assert_eq!(parsed.is_ok(), is_whole && is_pure, "{body}");
                match parsed {
                    Ok(request) => {
                        let kind = match request.grant {
                            Grant::AuthorizationCode { .. } => "authorization_code",
                            Grant::ClientCredentials => "client_credentials",
                            Grant::DeviceCode { .. } => DEVICE_CODE,
                            Grant::OnBehalfOf { .. } => JWT_BEARER,
                            Grant::Password { .. } => "password",
                            Grant::RefreshToken { .. } => "refresh_token",
                        };
                        assert_eq!(kind, shape.grant_type, "{body}");
                    }
                    Err(error) => assert_eq!(error.code, ErrorCode::InvalidRequest, "{body}"),
                }
            }
        }
    }

    #[test]
    fn an_empty_parameter_counts_as_absent() {
        let body = format!("{CLIENT}&grant_type=authorization_code&code=x");
        let rest = "&username=&device_code=&resource=&client_secret=&client_assertion_type=&redirect_uri=";
        let request = parse(&format!("{body}{rest}")).unwrap();
        assert_eq!(request.auth, ClientAuth::None);
        let number = parse(&format!("{CLIENT}&grant_type=authorization_code&code=")).unwrap_err().number;
        assert_eq!(number, 900_144);
    }

    #[test]
    fn secrets_are_not_shown_in_logs() {
        let request = parse(&format!(
            "{CLIENT}&grant_type=authorization_code&code=hush1&code_verifier=hush2&client_secret=hush3"
        ));
        assert!(!format!("{request:?}").contains("hush"));
        let request = parse(&format!("{CLIENT}&grant_type=password&username=hush&password=hush&scope=x"));
        assert!(!format!("{request:?}").contains("hush"));
        let request = parse(&format!("{CLIENT}&grant_type=refresh_token&refresh_token=hush"));
        assert!(!format!("{request:?}").contains("hush"));
    }

    #[test]
    fn basic_headers_that_do_not_parse_are_refused() {
        let params = Params::parse(b"grant_type=client_credentials&scope=x").unwrap();
        let parse = |header: &str| {
            TokenRequest::parse(&params, Some(header), Version::V2).map_err(|error| error.code)
        };
        let good = b64::encode_std(b"6731de76-14a6-49ae-97bc-6eba6914391e:a");
        assert!(parse(&format!("basic {good}")).is_ok());
        let no_colon = b64::encode_std(b"6731de76-14a6-49ae-97bc-6eba6914391e");
        let no_text = b64::encode_std(b"6731de76-14a6-49ae-97bc-6eba6914391e:%ff");
        for bad in ["!", &no_colon, &no_text, good.trim_end_matches('='), ""] {
            assert_eq!(parse(&format!("Basic {bad}")), Err(ErrorCode::InvalidClient), "{bad}");
        }
        // Another scheme is no client's proof; here nothing names the client then.
        assert_eq!(parse(&format!("Bearer {good}")), Err(ErrorCode::InvalidRequest));
        let params = Params::parse(
            b"grant_type=client_credentials&scope=x&client_id=00000003-0000-0000-c000-000000000000",
        );
        let error =
            TokenRequest::parse(&params.unwrap(), Some(&format!("Basic {good}")), Version::V2).unwrap_err();
        assert_eq!((error.code, error.number), (ErrorCode::InvalidRequest, 90_023));
    }

    proptest::proptest! {
        #[test]
        fn no_request_breaks_the_parser(body in "(grant_type|=client_credentials|&scope|[a-z]{1,5}|[=&+%]|\\PC){0,40}", header in "(Basic )?[A-Za-z0-9+/=]{0,40}|\\PC{0,20}") {
            if let Ok(params) = Params::parse(body.as_bytes()) {
                let _ = TokenRequest::parse(&params, Some(&header), Version::V2);
            }
        }
    }
}
