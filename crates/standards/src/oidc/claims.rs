//! Claims of the tokens we mint (facts: protocol §5). Absent claims are left out; `nonce` stands only where one was sent.

use serde::Serialize;
use std::borrow::Cow;
use uuid::Uuid;

/// Claims that some tokens say by themselves and others where an application asked for them.
#[derive(Debug, Default, Serialize)]
pub struct MoreClaims<'a> {
    /// Instead of `groups`, where there are more than a token takes (OIDC Core §5.6.2).
    #[serde(rename = "_claim_names", skip_serializing_if = "Option::is_none")]
    pub claim_names: Option<ClaimNames>,
    #[serde(rename = "_claim_sources", skip_serializing_if = "Option::is_none")]
    pub claim_sources: Option<ClaimSources<'a>>,
    /// 0 for a member, 1 for a guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acct: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctry: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Cow<'a, str>>>,
    /// Instead of `groups`, where the token goes through an address bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hasgroups: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idtyp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipaddr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_ctry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_region_scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upn: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_primary_email: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wids: Option<Vec<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xms_cc: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xms_pl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xms_tpl: Option<&'a str>,
}

/// The name of the source that says the groups.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ClaimNames {
    pub groups: &'static str,
}

/// Where the groups are to be had.
#[derive(Debug, Serialize)]
pub struct ClaimSources<'a> {
    pub src1: ClaimSource<'a>,
}

#[derive(Debug, Serialize)]
pub struct ClaimSource<'a> {
    pub endpoint: Cow<'a, str>,
}

/// An ID token, v2 form (OIDC Core §2).
#[derive(Debug, Default, Serialize)]
pub struct IdTokenV2<'a> {
    pub aud: &'a str,
    pub iss: &'a str,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<&'a str>,
    /// Who authenticated, where that is not the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    pub oid: Uuid,
    /// Opaque: the sign-in behind the token, for a partner that asks again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rh: Option<&'a str>,
    pub sub: &'a str,
    pub tid: Uuid,
    pub uti: &'a str,
    pub ver: &'a str,
    #[serde(flatten)]
    pub more: MoreClaims<'a>,
}

/// An ID token, v1 form: of the v1 endpoints, whatever form the access token has.
#[derive(Debug, Default, Serialize)]
pub struct IdTokenV1<'a> {
    pub aud: &'a str,
    pub iss: &'a str,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    pub amr: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp: Option<&'a str>,
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    pub oid: Uuid,
    pub sub: &'a str,
    pub tid: Uuid,
    pub unique_name: &'a str,
    pub uti: &'a str,
    pub ver: &'a str,
    #[serde(flatten)]
    pub more: MoreClaims<'a>,
}

/// An access token, v1 form: what Graph and most APIs get.
#[derive(Debug, Default, Serialize)]
pub struct AccessTokenV1<'a> {
    pub aud: &'a str,
    pub iss: &'a str,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amr: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_displayname: Option<&'a str>,
    pub appid: Uuid,
    pub appidacr: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    pub oid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rh: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scp: Option<&'a str>,
    pub sub: &'a str,
    pub tid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<&'a str>,
    pub uti: &'a str,
    pub ver: &'a str,
    #[serde(flatten)]
    pub more: MoreClaims<'a>,
}

/// An access token, v2 form: for APIs that ask for it.
#[derive(Debug, Default, Serialize)]
pub struct AccessTokenV2<'a> {
    pub aud: &'a str,
    pub iss: &'a str,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    pub azp: Uuid,
    pub azpacr: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    pub oid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rh: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scp: Option<&'a str>,
    pub sub: &'a str,
    pub tid: Uuid,
    pub uti: &'a str,
    pub ver: &'a str,
    #[serde(flatten)]
    pub more: MoreClaims<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn names(claims: &impl Serialize) -> Vec<String> {
        let Value::Object(claims) = serde_json::to_value(claims).unwrap() else { panic!() };
        assert!(claims.values().all(|value| !value.is_null()));
        let mut names: Vec<String> = claims.into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    #[test]
    fn absent_claims_are_left_out() {
        // Without a nonce in the request there is none in the token: MSAL refuses one it did not send (clients 11).
        assert_eq!(
            names(&IdTokenV2::default()),
            ["aud", "exp", "iat", "iss", "nbf", "oid", "sub", "tid", "uti", "ver"]
        );
        assert_eq!(
            names(&AccessTokenV1::default()),
            ["appid", "appidacr", "aud", "exp", "iat", "iss", "nbf", "oid", "sub", "tid", "uti", "ver"]
        );
        assert_eq!(
            names(&AccessTokenV2::default()),
            ["aud", "azp", "azpacr", "exp", "iat", "iss", "nbf", "oid", "sub", "tid", "uti", "ver"]
        );
    }

    #[test]
    fn times_are_numbers_and_lists_are_lists() {
        let token = AccessTokenV1 {
            amr: Some(&["pwd", "mfa"]),
            exp: 1_795_435_200,
            more: MoreClaims {
                acct: Some(1),
                roles: Some(vec!["Task.Write".into()]),
                wids: Some(vec![Uuid::nil()]),
                claim_names: Some(ClaimNames { groups: "src1" }),
                claim_sources: Some(ClaimSources {
                    src1: ClaimSource { endpoint: "https://login.test/x".into() },
                }),
                ..MoreClaims::default()
            },
            ..AccessTokenV1::default()
        };
        let token = serde_json::to_value(&token).unwrap();
        assert_eq!((&token["exp"], &token["acct"]), (&1_795_435_200_i64.into(), &1.into()));
        assert_eq!(token["amr"], serde_json::json!(["pwd", "mfa"]));
        assert_eq!(token["roles"], serde_json::json!(["Task.Write"]));
        assert_eq!(token["wids"], serde_json::json!([Uuid::nil()]));
        assert_eq!(token["_claim_names"], serde_json::json!({ "groups": "src1" }));
        let source = serde_json::json!({ "src1": { "endpoint": "https://login.test/x" } });
        assert_eq!(token["_claim_sources"], source);
    }
}
