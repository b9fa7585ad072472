//! The request by which an application asks an administrator to agree for everybody (facts: protocol §10).

use super::Version;
use super::authorize::{RequestError, parse_client_id, parse_scope};
use super::error::ErrorCode;
use super::params::Params;
use uuid::Uuid;

/// Unknown parameters are ignored (clients 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConsentRequest {
    pub version: Version,
    pub client_id: Uuid,
    /// Without one the answer is a page.
    pub redirect_uri: Option<String>,
    pub state: Option<String>,
    /// v2 only. Empty: everything that the registration names.
    pub scope: Vec<String>,
}

/// Longest `state`, in bytes.
const LONGEST_STATE: usize = 8 * 1024;

impl AdminConsentRequest {
    pub fn parse(params: &Params, version: Version) -> Result<Self, RequestError> {
        let client_id = params.take("client_id")?.ok_or_else(|| RequestError::missing("client_id"))?;
        let state = params.take("state")?;
        if state.is_some_and(|state| state.len() > LONGEST_STATE) {
            let text = "The parameter 'state' is too long.";
            return Err(RequestError::new(ErrorCode::InvalidRequest, 90_004, text));
        }
        let scope = match version {
            Version::V1 => None,
            Version::V2 => params.take("scope")?,
        };
        Ok(Self {
            version,
            client_id: parse_client_id(client_id)?,
            redirect_uri: params.take("redirect_uri")?.map(str::to_owned),
            state: state.map(str::to_owned),
            scope: parse_scope(scope.unwrap_or_default())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "client_id=00000003-0000-0000-c000-000000000000";

    fn parse(text: &str, version: Version) -> Result<AdminConsentRequest, RequestError> {
        AdminConsentRequest::parse(&Params::parse(text.as_bytes()).unwrap(), version)
    }

    #[test]
    fn only_v2_names_scopes() {
        let text = format!("{CLIENT}&scope=a%20b&state=s&redirect_uri=https://x.test/");
        let v2 = parse(&text, Version::V2).unwrap();
        assert_eq!((v2.scope.join("+"), v2.state.as_deref()), ("a+b".to_owned(), Some("s")));
        assert_eq!(parse(&text, Version::V1).unwrap().scope, Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_or_too_long_is_named() {
        assert_eq!(parse("state=s", Version::V2).unwrap_err().number, 900_144);
        let long = format!("{CLIENT}&state={}", "s".repeat(LONGEST_STATE + 1));
        assert!(parse(&long, Version::V1).unwrap_err().text.contains("state"));
        let scopes = format!("{CLIENT}&scope={}", "s%20".repeat(101));
        assert_eq!(parse(&scopes, Version::V2).unwrap_err().number, 70_011);
    }
}
