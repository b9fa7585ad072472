//! The authorization request (RFC 6749 §4.1.1, OIDC Core §3.1.2.1; facts: protocol §2).

use super::Version;
use super::claims::RequestedClaims;
use super::error::ErrorCode;
use super::params::{ParamError, Params};
use super::pkce;
use uuid::Uuid;

/// A whole authorization request. Unknown parameters are ignored (clients 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeRequest {
    /// Of the endpoint: an ID token that it hands out has that form.
    pub version: Version,
    pub client_id: Uuid,
    pub response_type: ResponseType,
    pub redirect_uri: Option<String>,
    pub scope: Vec<String>,
    pub response_mode: Option<ResponseMode>,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub prompt: Option<Prompt>,
    pub login_hint: Option<String>,
    pub domain_hint: Option<String>,
    pub code_challenge: Option<CodeChallenge>,
    pub claims: RequestedClaims,
    pub wants_client_info: bool,
    /// Seconds since the last active authentication (OIDC Core §3.1.2.1).
    pub max_age: Option<u32>,
    pub sid: Option<String>,
}

/// What the client asks to get back, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ResponseType {
    pub code: bool,
    pub id_token: bool,
    pub token: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    FormPost,
    Fragment,
    Query,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    Consent,
    Create,
    Login,
    None,
    SelectAccount,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeMethod {
    Plain,
    S256,
}

/// A PKCE challenge (RFC 7636 §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeChallenge {
    pub method: ChallengeMethod,
    pub value: String,
}

/// What the rest of the request depends on: read first, because until client and address are proved right, an error is
/// shown here and goes nowhere (R27).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    pub client_id: Uuid,
    pub redirect_uri: Option<String>,
    pub state: Option<String>,
    /// As asked, or what the response type says (OAuth Multiple Response Types §5): tokens never go into a query.
    pub response_mode: ResponseMode,
}

/// Why a request does not parse: the OAuth code, the AADSTS number, and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    pub code: ErrorCode,
    pub number: u32,
    pub text: String,
}

impl RequestError {
    pub fn new(code: ErrorCode, number: u32, text: impl Into<String>) -> Self {
        Self { code, number, text: text.into() }
    }
    pub(crate) fn missing(name: &str) -> Self {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        Self::new(ErrorCode::InvalidRequest, 900_144, text)
    }
}

impl From<ParamError> for RequestError {
    fn from(error: ParamError) -> Self {
        Self::new(ErrorCode::InvalidRequest, 90_004, error.to_string())
    }
}

/// Longest `state`, `nonce`, `login_hint` and the like, in bytes.
const LONGEST_STATE: usize = 8 * 1024;
const LONGEST_TEXT: usize = 1_024;

impl Identified {
    pub fn parse(params: &Params) -> Result<Self, RequestError> {
        let client_id = params.take("client_id")?.ok_or_else(|| RequestError::missing("client_id"))?;
        Ok(Self {
            client_id: parse_client_id(client_id)?,
            redirect_uri: params.take("redirect_uri")?.map(str::to_owned),
            state: params.take("state")?.filter(|state| state.len() <= LONGEST_STATE).map(str::to_owned),
            response_mode: match params.take("response_mode")?.and_then(ResponseMode::parse) {
                Some(mode) => mode,
                None => {
                    params.take("response_type")?.and_then(ResponseType::parse).unwrap_or_default().mode()
                }
            },
        })
    }
}

pub(crate) fn parse_client_id(text: &str) -> Result<Uuid, RequestError> {
    let unknown = || {
        let shown: String = text.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
        let text = format!("Application with identifier '{shown}' was not found in the directory.");
        RequestError::new(ErrorCode::UnauthorizedClient, 700_016, text)
    };
    if text.len() != 36 {
        return Err(unknown());
    }
    Uuid::parse_str(text).map_err(|_| unknown())
}

/// Splits a `scope` parameter: at most 100 scopes of at most 256 characters (RFC 6749 §3.3).
pub(crate) fn parse_scope(text: &str) -> Result<Vec<String>, RequestError> {
    let invalid = |text: &str| RequestError::new(ErrorCode::InvalidScope, 70_011, text);
    let is_scope = |scope: &str| {
        scope.len() <= 256 && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    let scopes: Vec<String> = text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    if scopes.len() > 100 {
        return Err(invalid("The provided request has too many scopes; at most 100 are allowed."));
    }
    if !scopes.iter().all(|scope| is_scope(scope)) {
        return Err(invalid("The provided value for the input parameter 'scope' is not valid."));
    }
    Ok(scopes)
}

/// What a v1 request means in scopes: who signs in, and everything of its resource that was agreed to (facts: protocol
/// §3). Without a resource, Graph.
pub(crate) fn resource_scopes(resource: Option<&str>) -> Result<Vec<String>, RequestError> {
    let mut scopes: Vec<String> =
        ["openid", "profile", "offline_access"].into_iter().map(str::to_owned).collect();
    if let Some(resource) = resource {
        let default = parse_scope(&format!("{resource}/.default"))
            .map_err(|_| RequestError::new(ErrorCode::InvalidResource, 500_011, RESOURCE_INVALID))?;
        if default.len() != 1 {
            return Err(RequestError::new(ErrorCode::InvalidResource, 500_011, RESOURCE_INVALID));
        }
        scopes.extend(default);
    }
    Ok(scopes)
}

const RESOURCE_INVALID: &str = "The provided value for the input parameter 'resource' is not valid.";

impl ResponseMode {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "form_post" => Some(Self::FormPost),
            "fragment" => Some(Self::Fragment),
            "query" => Some(Self::Query),
            _ => None,
        }
    }
}

impl ResponseType {
    /// A space-separated set of `code`, `id_token` and `token`, in any order.
    fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "code" => set.code = true,
                "id_token" => set.id_token = true,
                "token" => set.token = true,
                _ => return None,
            }
        }
        (set != Self::default()).then_some(set)
    }

    /// How the answer travels when the client does not say.
    pub const fn mode(self) -> ResponseMode {
        if self.id_token || self.token { ResponseMode::Fragment } else { ResponseMode::Query }
    }
}

impl AuthorizeRequest {
    /// How the answer travels.
    pub fn mode(&self) -> ResponseMode {
        self.response_mode.unwrap_or_else(|| self.response_type.mode())
    }

    /// Reads a whole request, as the endpoint's generation has it.
    pub fn parse(params: &Params, version: Version) -> Result<Self, RequestError> {
        let invalid = |number, text: &str| RequestError::new(ErrorCode::InvalidRequest, number, text);
        let text = |name: &'static str, longest: usize| -> Result<Option<String>, RequestError> {
            match params.take(name)? {
                Some(value) if value.len() > longest => Err(ParamError::TooLong(name).into()),
                value => Ok(value.map(str::to_owned)),
            }
        };
        let client_id = params.take("client_id")?.ok_or_else(|| RequestError::missing("client_id"))?;
        let client_id = parse_client_id(client_id)?;
        let response_type =
            params.take("response_type")?.ok_or_else(|| RequestError::missing("response_type"))?;
        let response_type = ResponseType::parse(response_type).ok_or_else(|| {
            RequestError::new(
                ErrorCode::UnsupportedResponseType,
                70_005,
                "The 'response_type' is not supported. Use 'code'.",
            )
        })?;
        let response_mode = match params.take("response_mode")? {
            None => None,
            Some(mode) => Some(ResponseMode::parse(mode).ok_or_else(|| {
                invalid(
                    70_007,
                    "The 'response_mode' is not supported. Use 'query', 'fragment' or 'form_post'.",
                )
            })?),
        };
        if response_mode == Some(ResponseMode::Query) && (response_type.id_token || response_type.token) {
            return Err(invalid(
                70_007,
                "'query' is not a supported value of 'response_mode' when requesting a token.",
            ));
        }
        let scope = match version {
            Version::V1 => resource_scopes(params.take("resource")?)?,
            Version::V2 => parse_scope(params.take("scope")?.ok_or_else(|| RequestError::missing("scope"))?)?,
        };
        let prompt = match params.take("prompt")? {
            None => None,
            Some("consent") => Some(Prompt::Consent),
            Some("create") => Some(Prompt::Create),
            Some("login") => Some(Prompt::Login),
            Some("none") => Some(Prompt::None),
            Some("select_account") => Some(Prompt::SelectAccount),
            Some(_) => return Err(invalid(90_023, "The 'prompt' parameter has an unsupported value.")),
        };
        let max_age = match params.take("max_age")? {
            None => None,
            Some(age) => {
                let seconds = age.parse().ok().filter(|_| age.bytes().all(|b| b.is_ascii_digit()));
                Some(seconds.ok_or_else(|| invalid(90_023, "The 'max_age' parameter is not a number."))?)
            }
        };
        let nonce = text("nonce", LONGEST_TEXT)?;
        if response_type.id_token && nonce.is_none() {
            return Err(RequestError::missing("nonce"));
        }
        Ok(Self {
            version,
            client_id,
            response_type,
            redirect_uri: text("redirect_uri", LONGEST_TEXT)?,
            scope,
            response_mode,
            state: text("state", LONGEST_STATE)?,
            nonce,
            prompt,
            login_hint: text("login_hint", LONGEST_TEXT)?,
            domain_hint: text("domain_hint", LONGEST_TEXT)?,
            code_challenge: parse_challenge(params)?,
            claims: RequestedClaims::parse(params.take("claims")?)?,
            wants_client_info: params.take("client_info")? == Some("1"),
            max_age,
            sid: text("sid", LONGEST_TEXT)?,
        })
    }
}

fn parse_challenge(params: &Params) -> Result<Option<CodeChallenge>, RequestError> {
    let invalid = |number, text: &str| RequestError::new(ErrorCode::InvalidRequest, number, text);
    let method = params.take("code_challenge_method")?;
    let method_is_given = method.is_some();
    let method = match method {
        None | Some("plain") => ChallengeMethod::Plain,
        Some("S256") => ChallengeMethod::S256,
        Some(_) => return Err(invalid(501_491, "The 'code_challenge_method' must be 'S256' or 'plain'.")),
    };
    match params.take("code_challenge")? {
        None if method_is_given => Err(RequestError::missing("code_challenge")),
        None => Ok(None),
        Some(value) if pkce::is_well_formed(value) => {
            Ok(Some(CodeChallenge { method, value: value.to_owned() }))
        }
        Some(_) => Err(invalid(50_147, "The 'code_challenge' must have 43 to 128 unreserved characters.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "client_id=6731de76-14a6-49ae-97bc-6eba6914391e";

    fn parse(query: &str) -> Result<AuthorizeRequest, RequestError> {
        AuthorizeRequest::parse(&Params::parse(query.as_bytes()).unwrap(), Version::V2)
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        let request = parse(&format!(
            "{CLIENT}&response_type=code&scope=openid&x-client-SKU=msal.js&clidata=1&state=a%7Cb%3D&claims=%7B%22id_token%22%3A%7B%7D%7D"
        ));
        assert_eq!(request.unwrap().state.as_deref(), Some("a|b="));
    }

    #[test]
    fn what_a_client_asks_is_read_whole() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let request = parse(&format!(
            "{CLIENT}&response_type=id_token+code&redirect_uri=http%3A%2F%2Flocalhost&scope=openid++User.Read\
             &response_mode=form_post&nonce=n&prompt=select_account&login_hint=a%40b.test&domain_hint=b.test\
             &code_challenge={challenge}&code_challenge_method=S256&client_info=1&max_age=3600&sid=s"
        ))
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        let expected = AuthorizeRequest {
            version: Version::V2,
            client_id: Uuid::parse_str("6731de76-14a6-49ae-97bc-6eba6914391e").unwrap(),
            response_type: ResponseType { code: true, id_token: true, token: false },
            redirect_uri: text("http://localhost"),
            scope: vec!["openid".to_owned(), "User.Read".to_owned()],
            response_mode: Some(ResponseMode::FormPost),
            state: None,
            nonce: text("n"),
            prompt: Some(Prompt::SelectAccount),
            login_hint: text("a@b.test"),
            domain_hint: text("b.test"),
            code_challenge: Some(CodeChallenge {
                method: ChallengeMethod::S256,
                value: challenge.to_owned(),
            }),
            claims: RequestedClaims::default(),
            wants_client_info: true,
            max_age: Some(3600),
            sid: text("s"),
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn a_v1_request_names_a_resource() {
        let ask = |rest: &str| {
            let query = format!("{CLIENT}&response_type=code&scope=ignored{rest}");
            AuthorizeRequest::parse(&Params::parse(query.as_bytes()).unwrap(), Version::V1)
        };
        let own = ["openid", "profile", "offline_access"];
        assert_eq!(ask("").unwrap().scope, own);
        let named = ask("&resource=https%3A%2F%2Fgraph.microsoft.com%2F").unwrap().scope;
        assert_eq!(named, [&own[..], &["https://graph.microsoft.com//.default"]].concat());
        for broken in ["a+b", "%22", &"r".repeat(300)] {
            assert_eq!(ask(&format!("&resource={broken}")).unwrap_err().number, 500_011, "{broken}");
        }
    }

    #[test]
    fn response_types_are_sets() {
        for (asked, code, id_token, token) in [
            ("code", true, false, false),
            ("id_token", false, true, false),
            ("id_token+token", false, true, true),
            ("token+id_token", false, true, true),
            ("code+id_token", true, true, false),
        ] {
            let request = parse(&format!("{CLIENT}&response_type={asked}&scope=openid&nonce=n")).unwrap();
            assert_eq!(request.response_type, ResponseType { code, id_token, token }, "{asked}");
        }
    }

    #[test]
    fn an_empty_parameter_counts_as_absent() {
        let request = parse(&format!(
            "{CLIENT}&response_type=code&scope=openid&nonce=&prompt=&max_age=&claims=&code_challenge=\
             &code_challenge_method=&response_mode=&state="
        ))
        .unwrap();
        assert_eq!((request.nonce, request.code_challenge, request.prompt), (None, None, None));
    }

    #[test]
    fn a_challenge_without_method_is_plain() {
        let query = format!("{CLIENT}&response_type=code&scope=openid&code_challenge={}", "c".repeat(43));
        assert_eq!(parse(&query).unwrap().code_challenge.unwrap().method, ChallengeMethod::Plain);
    }

    #[test]
    fn r27_the_first_stage_reads_only_what_an_answer_needs() {
        let identify = |query: &str| Identified::parse(&Params::parse(query.as_bytes()).unwrap());
        // The rest of this request is nonsense, and is told to the application later.
        let found = identify(&format!(
            "{CLIENT}&redirect_uri=http%3A%2F%2Flocalhost&state=s&response_mode=fragment&scope=%22"
        ));
        let found = found.unwrap();
        assert_eq!(found.redirect_uri.as_deref(), Some("http://localhost"));
        assert_eq!((found.state.as_deref(), found.response_mode), (Some("s"), ResponseMode::Fragment));
        for doubled in ["client_id=x", "redirect_uri=a&redirect_uri=b", "state=a&state=b"] {
            let error = identify(&format!("{CLIENT}&{doubled}")).unwrap_err();
            assert_eq!((error.code, error.number), (ErrorCode::InvalidRequest, 90_004), "{doubled}");
        }
    }

    #[test]
    fn a_client_id_has_one_spelling_and_is_shown_short_and_clean() {
        for id in [
            "6731de7614a649ae97bc6eba6914391e",
            "%7B6731de76-14a6-49ae-97bc-6eba6914391e%7D",
            "urn%3Auuid%3A6731de76-14a6-49ae-97bc-6eba6914391e",
            "%E2%80%AE%0A%3Cb%3E",
        ] {
            let error = parse(&format!("client_id={id}&response_type=code&scope=openid")).unwrap_err();
            assert_eq!((error.code, error.number), (ErrorCode::UnauthorizedClient, 700_016), "{id}");
            assert!(error.text.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{id}");
            assert!(error.text.len() < 200);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_query_breaks_the_parser(query in "(client_id|response_type|scope|claims|prompt|max_age|[a-z]{1,5}|[=&+%{}]|\\PC){0,40}") {
            if let Ok(params) = Params::parse(query.as_bytes()) {
                let _ = (Identified::parse(&params), AuthorizeRequest::parse(&params, Version::V1));
            }
        }
    }

    #[test]
    fn bad_input_gets_the_documented_number() {
        for (query, number) in [
            ("response_type=code&scope=openid".to_owned(), 900_144),
            ("client_id=x&response_type=code&scope=openid".to_owned(), 700_016),
            (format!("{CLIENT}&scope=openid"), 900_144),
            (format!("{CLIENT}&response_type=code"), 900_144),
            (format!("{CLIENT}&response_type=magic&scope=openid"), 70_005),
            (format!("{CLIENT}&response_type=code&scope=openid&response_mode=web"), 70_007),
            (format!("{CLIENT}&response_type=id_token&scope=openid&nonce=1&response_mode=query"), 70_007),
            (format!("{CLIENT}&response_type=code&scope=openid&code_challenge=short"), 50_147),
            (format!("{CLIENT}&response_type=code&scope=openid&code_challenge={}", "c".repeat(129)), 50_147),
            (format!("{CLIENT}&response_type=code&scope=openid&code_challenge={}", "+".repeat(43)), 50_147),
            (format!("{CLIENT}&response_type=code&scope=openid&code_challenge_method=S256"), 900_144),
            (format!("{CLIENT}&response_type=code&scope=openid&code_challenge_method=s256"), 501_491),
            (format!("{CLIENT}&response_type=id_token&scope=openid"), 900_144),
            (format!("{CLIENT}&response_type=code&scope=openid&prompt=Login"), 90_023),
            (format!("{CLIENT}&response_type=code&scope=openid&max_age=-1"), 90_023),
            (format!("{CLIENT}&response_type=code&scope=openid&max_age=%2B1"), 90_023),
            (format!("{CLIENT}&response_type=code&scope=openid&max_age=4294967296"), 90_023),
            (format!("{CLIENT}&response_type=code&scope=openid&claims=%5B%5D"), 90_023),
            (format!("{CLIENT}&response_type=code&scope={}", "a".repeat(257)), 70_011),
            (format!("{CLIENT}&response_type=code&scope={}", "a+".repeat(101)), 70_011),
            (format!("{CLIENT}&response_type=code&scope=a%22b"), 70_011),
            (format!("{CLIENT}&response_type=code&scope=%C3%A9"), 70_011),
            (format!("{CLIENT}&response_type=code&scope=open%0aid"), 70_011),
            (format!("{CLIENT}&{CLIENT}&response_type=code&scope=openid"), 90_004),
            (format!("{CLIENT}&response_type=code&scope=openid&claims=1"), 90_023),
            (format!("{CLIENT}&response_type=code&scope=openid&state={}", "s".repeat(9000)), 90_004),
        ] {
            assert_eq!(parse(&query).err().map(|error| error.number), Some(number), "{query}");
        }
    }
}
