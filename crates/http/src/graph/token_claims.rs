//! `groupMembershipClaims` and `optionalClaims` of an application (Graph: optionalClaims).

use super::applications::{check_unserved, invalid};
use super::body::Reader;
use super::error::GraphError;
use domain::directory::token_claims::{Additional, ClaimName, GroupClaims, OptionalClaim, TokenClaims};
use serde_json::{Map, Value, json};

/// Graph's words; one that is not served is refused, for silence would promise what nobody does.
pub(super) fn read_groups(text: Option<&str>) -> Result<GroupClaims, GraphError> {
    const NAME: &str = "groupMembershipClaims";
    const PROBLEM: &str = "Use None, SecurityGroup, ApplicationGroup, DirectoryRole or All.";
    GroupClaims::parse(text.unwrap_or_default()).ok_or_else(|| invalid(NAME, PROBLEM))
}

/// The wishes for ID tokens and for access tokens.
pub(super) fn read(
    body: Option<&Map<String, Value>>,
) -> Result<(Vec<OptionalClaim>, Vec<OptionalClaim>), GraphError> {
    let Some(body) = body else { return Ok((Vec::new(), Vec::new())) };
    let reader = Reader::new(body, &["accessToken", "idToken", "saml2Token"])?;
    check_unserved(body, &["saml2Token"])?;
    let read = |name: &'static str, property: &'static str| -> Result<Vec<OptionalClaim>, GraphError> {
        reader.objects(name)?.unwrap_or_default().into_iter().map(|item| wish(item, property)).collect()
    };
    Ok((read("idToken", "optionalClaims/idToken")?, read("accessToken", "optionalClaims/accessToken")?))
}

fn wish(body: &Map<String, Value>, property: &'static str) -> Result<OptionalClaim, GraphError> {
    let reader = Reader::new(body, &["additionalProperties", "essential", "name", "source"])?;
    if reader.has("source") {
        return Err(invalid(property, "Only claims without a source are served; extensions are not."));
    }
    let name = reader.text("name")?.as_deref().and_then(ClaimName::parse);
    let additional = reader.texts("additionalProperties")?.unwrap_or_default();
    let additional = additional.iter().map(|text| {
        Additional::parse(text).ok_or_else(|| invalid(property, "An additionalProperty is not served here."))
    });
    Ok(OptionalClaim {
        name: name.ok_or_else(|| invalid(property, "A claim has a name that this server does not say."))?,
        is_essential: reader.flag("essential")?.unwrap_or(false),
        additional: additional.collect::<Result<_, _>>()?,
    })
}

/// As Graph shows them; `null` where nothing is asked.
pub(super) fn body(claims: &TokenClaims) -> Value {
    if claims.id_token.is_empty() && claims.access_token.is_empty() {
        return Value::Null;
    }
    let wish = |wish: &OptionalClaim| {
        let additional: Vec<&str> = wish.additional.iter().map(|one| one.as_str()).collect();
        json!({
            "additionalProperties": additional,
            "essential": wish.is_essential,
            "name": wish.name.as_str(),
            "source": null,
        })
    };
    json!({
        "accessToken": claims.access_token.iter().map(wish).collect::<Vec<_>>(),
        "idToken": claims.id_token.iter().map(wish).collect::<Vec<_>>(),
        "saml2Token": [],
    })
}
