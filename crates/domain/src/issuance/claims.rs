//! What a permit becomes in a token (facts: protocol §5). Everything said is read from the permit.

use crate::directory::application::TokenVersion;
use crate::directory::first_party;
use crate::directory::token_claims::{Additional, is_wanted_as};
use crate::directory::user::SignInUser;
use crate::id::{AppId, TenantId, UserId};
use crate::issuance::decide::{ClientProof, Permit, Subject};
use crate::issuance::more_claims::{Token, more_claims};
use crate::tenancy::domain_name::Address;
use crate::tenancy::tenant::Tenant;
use crate::time::Timestamp;
use standards::oauth::Version;
use standards::oidc::claims::{AccessTokenV1, AccessTokenV2, IdTokenV1, IdTokenV2};
use standards::{b64, crypto};
use uuid::Uuid;

/// What a token says that no permit knows: who signs, when, and its own id.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    pub issuer_v1: &'a str,
    pub issuer_v2: &'a str,
    /// The v1 issuer of a guest's home.
    pub home_issuer: Option<&'a str>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub token_id: Uuid,
    pub address: Option<&'a str>,
    /// Our own origin: where groups are to be had that a token does not hold.
    pub origin: &'a str,
    /// The token goes through an address bar.
    pub is_in_address: bool,
    /// Half the hash of the code and of the access token that an ID token comes beside (OIDC Core §3.3.2.11).
    pub code_hash: Option<&'a str>,
    pub access_token_hash: Option<&'a str>,
    /// Key of pairwise subjects: without it nobody can tell that two subjects are one person.
    pub pairwise_key: &'a [u8; 32],
}

/// Claims of an access token in the form that its resource chose.
#[derive(Debug)]
pub enum AccessClaims<'a> {
    V1(Box<AccessTokenV1<'a>>),
    V2(Box<AccessTokenV2<'a>>),
}

/// Claims of an ID token in the form of the endpoint.
#[derive(Debug)]
pub enum IdClaims<'a> {
    V1(Box<IdTokenV1<'a>>),
    V2(Box<IdTokenV2<'a>>),
}

/// The subject of one user towards one audience: the same for ever, and of no use to another (OIDC Core §8.1).
pub fn pairwise(key: &[u8; 32], audience: Uuid, tenant: TenantId, user: UserId) -> String {
    b64::encode(&crypto::hmac_sha256(
        key,
        &[audience.as_bytes(), tenant.uuid().as_bytes(), user.uuid().as_bytes()],
    ))
}

/// The left half of a SHA-256, base64url: what ties an ID token to what it comes beside (OIDC Core §3.3.2.11).
pub fn half_hash(text: &str) -> String {
    let hash = crypto::sha256(&[text.as_bytes()]);
    b64::encode(hash.get(..16).unwrap_or_default())
}

/// A token's own id as text (`uti`).
pub fn token_id_text(id: Uuid) -> String {
    b64::encode(id.as_bytes())
}

/// What applications call the user: a guest's own address, as far as it is vouched for, not the name this tenant made of it.
pub(super) fn shown_name<'a>(tenant: &Tenant, user: &'a SignInUser) -> &'a str {
    let own_address = user.external.and_then(|_| vouched_mail(tenant, user));
    own_address.unwrap_or(&user.sign_in_name)
}

/// The address that tokens and userinfo may name (R02): `mail` where this tenant owns its domain or the home proved it, else
/// what the home proved. Applications take people for their address, and whoever administers users can write any.
pub fn vouched_mail<'a>(tenant: &Tenant, user: &'a SignInUser) -> Option<&'a str> {
    let is_own = |mail: &str| Address::parse(mail).is_some_and(|address| tenant.owns(address.domain()));
    let is_proved = |mail: &str| user.proved_addresses.iter().any(|proved| proved.eq_ignore_ascii_case(mail));
    let mail = user.mail.as_deref()?;
    if is_own(mail) || is_proved(mail) {
        return Some(mail);
    }
    // The home names its mail after the name that its user signs in with.
    user.proved_addresses.last().map(String::as_str)
}

/// Builds an access token's claims and hands them to `mint`.
pub fn with_access_claims<R>(
    permit: &Permit,
    stamp: &Stamp<'_>,
    mint: impl FnOnce(AccessClaims<'_>) -> R,
) -> R {
    let resource = permit.resource().map(|resource| &resource.registration);
    let resource_id = resource.map_or(first_party::GRAPH_APP_ID, |resource| resource.app_id);
    let version = resource.map_or(TokenVersion::V1, |resource| resource.token_version);
    let client = permit.client();
    let appid = client.map_or(Uuid::nil(), |client| client.registration.app_id.uuid());
    let proof = match permit.proof() {
        ClientProof::Certificate => "2",
        ClientProof::Public => "0",
        ClientProof::Secret => "1",
    };
    let tenant = permit.tenant().id;
    let user = permit.user();
    let instance =
        client.and_then(|client| client.instance.as_ref()).map_or(Uuid::nil(), |instance| instance.id.uuid());
    let oid = user.map_or(instance, |user| user.id.uuid());
    let sub = match user {
        Some(user) => pairwise(stamp.pairwise_key, resource_id.uuid(), tenant, user.id),
        None => oid.to_string(),
    };
    let scp = user.map(|_| permit.scopes().join(" "));
    let more = more_claims(permit, stamp, Token::Access, version);
    let uti = token_id_text(stamp.token_id);
    let grant = permit.grant().map(|grant| b64::encode(grant.uuid().as_bytes()));
    let (iat, exp) = (stamp.issued_at.seconds(), stamp.expires_at.seconds());
    let idp = user.and(stamp.home_issuer);
    let name = user.map(|user| user.display_name.as_str());
    match version {
        TokenVersion::V2 => {
            let aud = resource_id.to_string();
            mint(AccessClaims::V2(Box::new(AccessTokenV2 {
                aud: &aud,
                iss: stamp.issuer_v2,
                iat,
                nbf: iat,
                exp,
                azp: appid,
                azpacr: proof,
                idp,
                name,
                oid,
                rh: grant.as_deref(),
                scp: scp.as_deref(),
                sub: &sub,
                tid: tenant.uuid(),
                uti: &uti,
                ver: "2.0",
                more,
            })))
        }
        TokenVersion::V1 => {
            let aud = v1_audience(permit, resource_id);
            let amr: Vec<&str> = permit.evidence().iter().map(|proved| proved.method.amr()).collect();
            mint(AccessClaims::V1(Box::new(AccessTokenV1 {
                aud: &aud,
                iss: stamp.issuer_v1,
                iat,
                nbf: iat,
                exp,
                acr: user.map(|_| "1"),
                amr: user.map(|_| amr.as_slice()),
                app_displayname: client.map(|client| client.registration.display_name.as_str()),
                appid,
                appidacr: proof,
                // COMPAT: as recorded, an application's token names its own tenant; a member's names none.
                idp: if user.is_some() { idp } else { Some(stamp.issuer_v1) },
                name,
                oid,
                rh: grant.as_deref(),
                scp: scp.as_deref(),
                sub: &sub,
                tid: tenant.uuid(),
                unique_name: user.map(|user| shown_name(permit.tenant(), user)),
                uti: &uti,
                ver: "1.0",
                more,
            })))
        }
    }
}

/// A v1 audience repeats the resource as the client named it; Graph has one name whatever it was called.
fn v1_audience(permit: &Permit, resource: AppId) -> String {
    if resource == first_party::GRAPH_APP_ID {
        return "https://graph.microsoft.com".to_owned();
    }
    let wishes = permit.resource().map(|resource| resource.registration.token_claims.access_token.as_slice());
    let is_id = wishes.is_some_and(|wishes| is_wanted_as(wishes, Additional::UseGuid));
    match permit.ask().resource.as_ref().map(|ask| ask.spelled.as_str()) {
        Some(spelled) if !spelled.is_empty() && !is_id => spelled.to_owned(),
        Some(_) | None => resource.to_string(),
    }
}

/// Builds an ID token's claims and hands them to `mint`. `None` for an application's permit: there is nobody to name.
pub fn with_id_claims<R>(
    permit: &Permit,
    stamp: &Stamp<'_>,
    version: Version,
    mint: impl FnOnce(IdClaims<'_>) -> R,
) -> Option<R> {
    let Subject::User(user) = permit.subject() else { return None };
    let tenant = permit.tenant().id;
    let audience = match permit.partner() {
        Some(partner) => partner.uuid(),
        None => permit.client()?.registration.app_id.uuid(),
    };
    // A partner is told who this is and since when; a client what it asked for.
    let is_partner = permit.partner().is_some();
    let asks = permit.ask();
    let (aud, uti) = (audience.to_string(), token_id_text(stamp.token_id));
    let grant = permit.grant().filter(|_| is_partner).map(|grant| b64::encode(grant.uuid().as_bytes()));
    let sub = pairwise(stamp.pairwise_key, audience, tenant, user.id);
    let wants_profile = asks.profile || is_partner;
    if version == Version::V1 {
        let amr: Vec<&str> = permit.evidence().iter().map(|proved| proved.method.amr()).collect();
        return Some(mint(IdClaims::V1(Box::new(IdTokenV1 {
            aud: &aud,
            iss: stamp.issuer_v1,
            iat: stamp.issued_at.seconds(),
            nbf: stamp.issued_at.seconds(),
            exp: stamp.expires_at.seconds(),
            amr: &amr,
            at_hash: stamp.access_token_hash,
            c_hash: stamp.code_hash,
            idp: stamp.home_issuer,
            name: &user.display_name,
            nonce: permit.nonce(),
            oid: user.id.uuid(),
            sub: &sub,
            tid: tenant.uuid(),
            unique_name: shown_name(permit.tenant(), user),
            uti: &uti,
            ver: "1.0",
            more: more_claims(permit, stamp, Token::Id, TokenVersion::V1),
        }))));
    }
    Some(mint(IdClaims::V2(Box::new(IdTokenV2 {
        aud: &aud,
        iss: stamp.issuer_v2,
        iat: stamp.issued_at.seconds(),
        nbf: stamp.issued_at.seconds(),
        exp: stamp.expires_at.seconds(),
        at_hash: stamp.access_token_hash,
        c_hash: stamp.code_hash,
        idp: stamp.home_issuer,
        name: wants_profile.then_some(user.display_name.as_str()),
        nonce: permit.nonce(),
        oid: user.id.uuid(),
        rh: grant.as_deref(),
        sub: &sub,
        tid: tenant.uuid(),
        uti: &uti,
        ver: "2.0",
        more: more_claims(permit, stamp, Token::Id, TokenVersion::V2),
    }))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::user::{ExternalState, HomeIdentity, UserType};
    use crate::tenancy::domain_name::DomainName;
    use crate::tenancy::tenant::{TenantDomain, TenantSettings, TenantState};

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId::new(Uuid::from_u128(1)),
            display_name: "Contoso".into(),
            state: TenantState::Active,
            created_at: Timestamp::from_millis(0),
            region_scope: "EU".into(),
            region_sub_scope: None,
            settings: TenantSettings::for_region("EU"),
            domains: vec![TenantDomain {
                name: DomainName::parse("contoso.test").unwrap(),
                is_default: true,
                is_initial: true,
                is_verified: true,
            }],
        }
    }

    fn user(mail: &str, proved: Option<&[&str]>) -> SignInUser {
        SignInUser {
            id: UserId::new(Uuid::from_u128(2)),
            sign_in_name: "rosa_home.test#EXT#@contoso.test".into(),
            display_name: "Rosa".into(),
            given_name: None,
            surname: None,
            mail: Some(mail.to_owned()),
            user_type: UserType::Guest,
            is_enabled: true,
            external: proved.map(|_| ExternalState::Accepted),
            identity: proved.map(|_| HomeIdentity {
                issuer: "https://login.test/home/v2.0".into(),
                subject: "rosa".into(),
                home_user: UserId::new(Uuid::from_u128(3)),
                home_tenant: TenantId::new(Uuid::from_u128(4)),
            }),
            proved_addresses: proved.unwrap_or_default().iter().map(|&mail| mail.to_owned()).collect(),
            home_tenant: None,
            roles: Vec::new(),
            must_change_password: false,
            sessions_valid_from: Timestamp::from_millis(0),
            preferred_language: None,
            country: None,
        }
    }

    #[test]
    fn r02_only_a_vouched_address_is_named() {
        let names = ["rosa@home.test", "Rosa.Ruiz@home.test"];
        for (mail, proved, expected) in [
            ("rosa@home.test", Some(&names[..]), Some("rosa@home.test")),
            ("ROSA@home.test", Some(&names[..]), Some("ROSA@home.test")),
            ("rosa@contoso.test", Some(&names[..]), Some("rosa@contoso.test")),
            // Written by an administrator of this tenant: the home's own word is named instead.
            ("ceo@victim.test", Some(&names[..]), Some("Rosa.Ruiz@home.test")),
            ("rosa@home.test.evil.test", Some(&names[..1]), Some("rosa@home.test")),
            // Nobody proved anything.
            ("rosa@home.test", Some(&[][..]), None),
            ("carol@contoso.test", None, Some("carol@contoso.test")),
            ("carol@victim.test", None, None),
        ] {
            let user = user(mail, proved);
            assert_eq!(vouched_mail(&tenant(), &user), expected, "{mail}");
            let shown = if proved.is_some() { expected } else { None };
            assert_eq!(shown_name(&tenant(), &user), shown.unwrap_or(&user.sign_in_name), "{mail}");
        }
    }
}
