//! Claims that depend on what applications asked to be told (`directory::token_claims`), and on the form of the token.

use crate::directory::application::{App, TokenVersion};
use crate::directory::token_claims::{
    Additional, ClaimName, NamedGroup, OptionalClaim, TOKEN_GROUPS, TOKEN_GROUPS_IN_ADDRESS, TokenClaims,
    is_wanted_as, wish,
};
use crate::directory::user::{SignInUser, UserType};
use crate::id::{TenantId, UserId};
use crate::issuance::claims::{Stamp, shown_name, vouched_mail};
use crate::issuance::decide::Permit;
use crate::time::Timestamp;
use standards::oidc::claims::{ClaimNames, ClaimSource, ClaimSources, MoreClaims};
use standards::{b64, crypto};
use std::borrow::Cow;
use uuid::Uuid;

/// Which token is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Access,
    Id,
}

/// The claims besides the fixed ones. A partner tenant gets no wish of anybody: it has no registration here.
pub(super) fn more_claims<'a>(
    permit: &'a Permit,
    stamp: &Stamp<'a>,
    token: Token,
    version: TokenVersion,
) -> MoreClaims<'a> {
    let app = match token {
        Token::Access => permit.resource(),
        Token::Id => permit.client(),
    };
    let is_first_party = app.is_some_and(|app| app.registration.owner.is_none());
    let nothing = TokenClaims::default();
    let claims = app.map_or(&nothing, |app| &app.registration.token_claims);
    let wishes = match token {
        Token::Access => claims.access_token.as_slice(),
        Token::Id => claims.id_token.as_slice(),
    };
    let wants = |name| wish(wishes, name).is_some();
    let is_v1 = version == TokenVersion::V1;
    let mut more =
        MoreClaims { sid: permit.session().map(|session| session.uuid()), ..MoreClaims::default() };
    if token == Token::Access {
        let is_told = is_first_party || wants(ClaimName::ClientCapabilities);
        more.xms_cc = (permit.ask().handles_challenges && is_told).then_some(["cp1"]);
        more.roles = (!permit.roles().is_empty()).then(|| borrowed(permit.roles()));
        more.idtyp = identity_type(permit, wishes, is_v1);
    }
    let Some(user) = permit.user() else { return more };
    let (tenant, is_partner) = (permit.tenant(), permit.partner().is_some());
    let is_guest = user.external.is_some();
    // Names are the profile's; what a v1 token says of itself is older than that scope.
    let has_profile = is_v1 || permit.ask().profile || token == Token::Access;
    let is_named = |name| is_v1 || (wants(name) && has_profile);
    more.acct = ((is_v1 && token == Token::Access) || wants(ClaimName::Account))
        .then(|| u8::from(user.user_type == UserType::Guest));
    if token == Token::Id || wants(ClaimName::AuthenticationTime) {
        let authenticated_at = permit.evidence().iter().map(|proved| proved.at).max();
        more.auth_time = authenticated_at.map(Timestamp::seconds);
    }
    more.ctry = wants(ClaimName::Country).then(|| country(user)).flatten();
    let asks_mail = token == Token::Id && (permit.ask().email || is_partner);
    if asks_mail || is_guest || wants(ClaimName::Email) {
        more.email = vouched_mail(tenant, user);
    }
    more.family_name = user.surname.as_deref().filter(|_| is_named(ClaimName::FamilyName));
    more.given_name = user.given_name.as_deref().filter(|_| is_named(ClaimName::GivenName));
    more.ipaddr = stamp.address.filter(|_| is_v1 || wants(ClaimName::IpAddress));
    more.login_hint = wants(ClaimName::LoginHint).then(|| {
        let home = user.identity.as_ref().map(|home| (home.home_tenant, home.home_user));
        let (tenant, user) = home.unwrap_or((tenant.id, user.id));
        login_hint(stamp.pairwise_key, tenant, user)
    });
    let is_shown = match (version, token) {
        (TokenVersion::V1, _) => wants(ClaimName::PreferredUserName),
        (TokenVersion::V2, Token::Access) => true,
        (TokenVersion::V2, Token::Id) => permit.ask().profile || is_partner,
    };
    more.preferred_username = is_shown.then(|| shown_name(tenant, user));
    more.tenant_ctry = tenant.settings.country.as_deref().filter(|_| wants(ClaimName::TenantCountry));
    more.tenant_region_scope = wants(ClaimName::TenantRegionScope).then_some(tenant.region_scope.as_str());
    more.upn = if is_v1 || wants(ClaimName::UserPrincipalName) { user_name(user, wishes) } else { None };
    let mail = vouched_mail(tenant, user).filter(|_| wants(ClaimName::VerifiedPrimaryEmail));
    more.verified_primary_email = mail.map(|mail| [mail]);
    more.xms_pl = user.preferred_language.as_deref().filter(|_| wants(ClaimName::PreferredLanguage));
    let language = tenant.settings.preferred_language.as_deref();
    more.xms_tpl = language.filter(|_| wants(ClaimName::TenantPreferredLanguage));
    let names_roles = claims.groups.wants_roles() || (is_first_party && token == Token::Access);
    if names_roles && !is_partner && !user.roles.is_empty() {
        more.wids = Some(user.roles.iter().map(|role| role.uuid()).collect());
    }
    if token == Token::Id && !is_partner {
        more.roles = (!permit.client_roles().is_empty()).then(|| borrowed(permit.client_roles()));
    }
    if claims.groups.wants_groups() && !is_partner {
        let groups = match token {
            Token::Access => permit.access_groups(),
            Token::Id => permit.id_groups(),
        };
        name_groups(&mut more, groups, wishes, user, stamp);
    }
    more
}

fn borrowed(texts: &[String]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect()
}

fn identity_type(permit: &Permit, wishes: &[OptionalClaim], is_v1: bool) -> Option<&'static str> {
    let is_user = permit.user().is_some();
    let says_users = is_v1 || is_wanted_as(wishes, Additional::IncludeUserToken);
    let says_apps = is_v1 || wish(wishes, ClaimName::IdentityType).is_some();
    match is_user {
        true => says_users.then_some("user"),
        false => says_apps.then_some("app"),
    }
}

/// A country as a claim says it: a code of two letters, or nothing.
fn country(user: &SignInUser) -> Option<Cow<'_, str>> {
    let country = user.country.as_deref()?;
    let is_code = country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic());
    is_code.then(|| Cow::Owned(country.to_ascii_uppercase()))
}

/// A guest's name in this tenant is said only to applications that ask for it in so many words.
fn user_name<'a>(user: &'a SignInUser, wishes: &[OptionalClaim]) -> Option<Cow<'a, str>> {
    let name = user.sign_in_name.as_str();
    if user.external.is_none() || is_wanted_as(wishes, Additional::ExternalUpn) {
        return Some(Cow::Borrowed(name));
    }
    let is_wanted = is_wanted_as(wishes, Additional::ExternalUpnWithoutHash);
    is_wanted.then(|| Cow::Owned(name.replace('#', "_")))
}

/// Groups, or where to ask for them when they are more than the token takes.
fn name_groups<'a>(
    more: &mut MoreClaims<'a>,
    groups: &'a [NamedGroup],
    wishes: &[OptionalClaim],
    user: &SignInUser,
    stamp: &Stamp<'a>,
) {
    if stamp.is_in_address && groups.len() > TOKEN_GROUPS_IN_ADDRESS {
        more.hasgroups = Some(true);
        return;
    }
    if groups.len() > TOKEN_GROUPS {
        let endpoint = format!("{}/v1.0/users/{}/getMemberObjects", stamp.origin, user.id);
        more.claim_names = Some(ClaimNames { groups: "src1" });
        more.claim_sources = Some(ClaimSources { src1: ClaimSource { endpoint: endpoint.into() } });
        return;
    }
    if groups.is_empty() {
        return;
    }
    let by_name = is_wanted_as(wishes, Additional::CloudDisplayName);
    let named = groups.iter().map(|group| match by_name {
        true => Cow::Borrowed(group.display_name.as_str()),
        false => Cow::Owned(group.id.to_string()),
    });
    // As documented, the groups take the place of app roles then.
    match is_wanted_as(wishes, Additional::EmitAsRoles) {
        true => more.roles = Some(named.collect()),
        false => more.groups = Some(named.collect()),
    }
}

/// A user's roles in an application, by their value.
pub(super) fn role_values(app: &App, held: &[crate::id::PartId]) -> Vec<String> {
    let roles = app.registration.roles.iter().filter(|role| role.is_enabled && role.for_users);
    roles.filter(|role| held.contains(&role.id)).map(|role| role.value.clone()).collect()
}

/// Longest part of a hint that proves where it comes from, in bytes.
const PROOF: usize = 16;

/// The opaque `login_hint` claim: who the user is at home, provably from here, so that nobody can ask for the name behind
/// an id.
pub fn login_hint(key: &[u8; 32], tenant: TenantId, user: UserId) -> String {
    let mut bytes = [tenant.uuid().as_bytes().as_slice(), user.uuid().as_bytes()].concat();
    bytes.extend(hint_proof(key, tenant, user));
    format!("O.{}", b64::encode(&bytes))
}

fn hint_proof(key: &[u8; 32], tenant: TenantId, user: UserId) -> Vec<u8> {
    let mac = crypto::hmac_sha256(key, &[b"login hint", tenant.uuid().as_bytes(), user.uuid().as_bytes()]);
    mac.iter().take(PROOF).copied().collect()
}

/// Reads a `login_hint` claim that comes back, as `login_hint` or `logout_hint`: home tenant and user there.
pub fn read_login_hint(key: &[u8; 32], hint: &str) -> Option<(TenantId, UserId)> {
    let bytes = b64::decode(hint.strip_prefix("O.")?)?;
    let (ids, proof) = bytes.split_at_checked(32)?;
    let (tenant, user) = ids.split_at_checked(16)?;
    let tenant = TenantId::new(Uuid::from_slice(tenant).ok()?);
    let user = UserId::new(Uuid::from_slice(user).ok()?);
    crypto::constant_time_eq(proof, &hint_proof(key, tenant, user)).then_some((tenant, user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_read_only_where_it_was_made() {
        let (tenant, user) = (TenantId::new(Uuid::from_u128(1)), UserId::new(Uuid::from_u128(2)));
        let hint = login_hint(&[1; 32], tenant, user);
        assert_eq!(read_login_hint(&[1; 32], &hint), Some((tenant, user)));
        assert_eq!(read_login_hint(&[2; 32], &hint), None);
        for broken in ["", "O.", "O.AAAA", hint.get(..hint.len() - 2).unwrap(), "carol@contoso.test"] {
            assert_eq!(read_login_hint(&[1; 32], broken), None, "{broken}");
        }
    }
}
