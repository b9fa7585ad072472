//! Facts for the gate, and what the gate's permits are worth: tokens and the ids in them.

use crate::keys::{Beside, MintedAccess};
use crate::signin::Granted;
use crate::{Fault, Moment, Service};
use domain::directory::application::{App, SharedApp};
use domain::directory::first_party;
use domain::id::{TenantId, UserId};
use domain::issuance::Denial;
use domain::issuance::decide::{Ask, Facts, GrantFacts, Permit, decide};
use domain::issuance::scope::{ResourceName, ScopeAsk};
use domain::proof::{ProofKind, ProofToken};
use domain::signin::evidence::Proved;
use domain::signin::next::Identified;
use domain::time::Timestamp;
use domain::verdict::Verdict;
use standards::oauth::Version;
use standards::oauth::token_response::{TokenResponse, V1Members};
use standards::oidc::client_info;
use store::{PartnerCode, ReadTx, WriteTx};
use uuid::Uuid;

/// Finds the resource that scopes name; Graph when only OpenID scopes are asked.
pub(crate) fn find_resource(tx: &ReadTx<'_>, scope: &ScopeAsk) -> Result<Option<SharedApp>, store::Fault> {
    match scope.resource.as_ref().map(|ask| &ask.name) {
        None => tx.find_app(first_party::GRAPH_APP_ID),
        Some(ResourceName::App(app)) => tx.find_app(*app),
        Some(ResourceName::Uri(uri)) => match tx.find_app_by_uri(uri)? {
            Some(app) => Ok(Some(app)),
            // `https://api.test/` and `https://api.test` are one resource where only one is registered.
            None => tx.find_app_by_uri(uri.strip_suffix('/').unwrap_or(uri)),
        },
    }
}

/// Loads what the user may and agreed to, for client and resource of the facts.
pub(crate) fn load_user_rights(tx: &ReadTx<'_>, facts: &mut Facts, user: UserId) -> Result<(), store::Fault> {
    let instance = |app: &Option<SharedApp>| {
        app.as_ref().and_then(|app| app.instance.as_ref()).map(|instance| instance.id)
    };
    let (client, resource) = (instance(&facts.client), instance(&facts.resource));
    if let (Some(client), Some(resource)) = (&facts.client, &facts.resource) {
        facts.consented = agreed_scopes(tx, client, resource, user)?;
    }
    if let Some(resource) = resource {
        facts.user_roles = tx.user_app_roles(user.uuid(), resource)?;
    }
    if let Some(client) = client {
        facts.client_roles = tx.user_app_roles(user.uuid(), client)?;
        facts.is_user_assigned = !facts.client_roles.is_empty();
    }
    let groups = |app: &Option<SharedApp>| match app {
        Some(app) if app.registration.token_claims.groups.wants_groups() => {
            let instance = app.instance.as_ref().map(|instance| instance.id);
            tx.token_groups(user.uuid(), app.registration.token_claims.groups, instance)
        }
        Some(_) | None => Ok(Vec::new()),
    };
    (facts.id_groups, facts.access_groups) = (groups(&facts.client)?, groups(&facts.resource)?);
    Ok(())
}

/// What counts as agreed to for a client: by the user or for everybody, and what the resource's owner lets it have unasked.
/// Nothing before the client is in this tenant at all, which takes somebody's agreement.
pub(crate) fn agreed_scopes(
    tx: &ReadTx<'_>,
    client: &App,
    resource: &App,
    user: UserId,
) -> Result<Vec<String>, store::Fault> {
    let (Some(here), Some(instance)) = (&client.instance, &resource.instance) else { return Ok(Vec::new()) };
    let mut agreed = tx.consented_scopes(here.id, user, instance.id)?;
    let trusted = resource.registration.pre_authorized_scopes(client.registration.app_id);
    agreed.extend(trusted.map(str::to_owned));
    Ok(agreed)
}

/// The session behind a grant that no browser owns: it lives as long as the grant.
pub(crate) fn open_session_without_browser(
    tx: &WriteTx<'_>,
    grant: &GrantFacts,
    moment: &Moment,
) -> Result<(), store::Fault> {
    let tenant = tx.load_tenant()?.id;
    let nobody = ProofToken::new(ProofKind::Browser, tenant, moment.entropy.bytes("no browser"));
    tx.put_session(grant.session, nobody.hash(), grant.user, &grant.evidence, true, moment.now)
}

/// The user's ids at home: what `client_info` carries, for guests too (facts: protocol §4).
pub(crate) fn home_ids(permit: &Permit) -> (Uuid, Uuid) {
    match (permit.home(), permit.user()) {
        (Some(home), _) => (home.home_user.uuid(), home.home_tenant.uuid()),
        (None, Some(user)) => (user.id.uuid(), permit.tenant().id.uuid()),
        (None, None) => (Uuid::nil(), permit.tenant().id.uuid()),
    }
}

/// A home's permit to vouch for its user, asked again when the partner redeems the code (R38).
pub(crate) fn partner_permit(
    tx: &ReadTx<'_>,
    code: &PartnerCode,
    partner: TenantId,
    now: Timestamp,
) -> Result<Result<Permit, Denial>, store::Fault> {
    let session = tx.find_session(code.session)?;
    let is_alive = session.is_some_and(|session| session.is_alive(now));
    if !is_alive {
        return Ok(Err(Denial::SessionEnded));
    }
    vouch(tx, code.user, &code.evidence, code.nonce.clone(), partner, now)
}

/// A home's permit to vouch for a user who is signed in there.
pub(crate) fn vouch(
    tx: &ReadTx<'_>,
    user: UserId,
    evidence: &[Proved],
    nonce: Option<String>,
    partner: TenantId,
    now: Timestamp,
) -> Result<Result<Permit, Denial>, store::Fault> {
    let Some(partner) = tx.find_tenant(partner)? else { return Ok(Err(Denial::ClientUnknown)) };
    let Some(user) = tx.find_sign_in_user(user)? else { return Ok(Err(Denial::UserUnknown)) };
    let facts = Facts { user: Some(user.clone()), ..Facts::new(tx.load_tenant()?) };
    let identified = Identified { user, evidence: evidence.to_vec(), session: None, is_persistent: false };
    let ask = Ask::PartnerCode { identified: &identified, partner: &partner, nonce: nonce.as_deref() };
    Ok(match decide(&facts, &ask, now) {
        Verdict::Granted(permit, _) => Ok(permit),
        Verdict::Refused(denial, _) => Err(denial),
    })
}

/// A settled grant: what was permitted and written, not minted yet.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) permit: Permit,
    pub(crate) token_id: Uuid,
    pub(crate) refresh_token: Option<String>,
    pub(crate) wants_client_info: bool,
    pub(crate) version: Version,
}

impl Service {
    /// Mints after the commit: a record without a token is safe, the reverse is not.
    pub(crate) fn mint(&self, settled: Settled, moment: &Moment) -> Result<TokenResponse, Fault> {
        let Settled { permit, token_id, refresh_token, wants_client_info, version } = settled;
        let access = self.keys.mint_access_token(&permit, &self.settings, token_id, false, moment)?;
        let is_user = permit.user().is_some();
        let id_token = if is_user && permit.ask().openid {
            let id = moment.entropy.uuid("id token");
            self.keys.mint_id_token(&permit, &self.settings, id, Beside::default(), version, moment)?
        } else {
            None
        };
        let client_info = (is_user && wants_client_info).then(|| {
            let (uid, utid) = home_ids(&permit);
            client_info::encode(uid, utid)
        });
        let v1 = (version == Version::V1).then(|| V1Members {
            expires_on: (moment.now.seconds() + access.expires_in).to_string(),
            not_before: moment.now.seconds().to_string(),
            resource: spelled_resource(&permit),
        });
        // v1 asked for a resource: what came of it is what there is to say.
        let scope = match version {
            Version::V1 => permit.scopes().join(" "),
            Version::V2 => answered_scopes(&permit),
        };
        Ok(TokenResponse {
            token_type: "Bearer",
            v1,
            scope: is_user.then_some(scope),
            expires_in: access.expires_in,
            ext_expires_in: access.expires_in,
            access_token: access.token,
            refresh_token,
            id_token,
            client_info,
        })
    }
}

/// The resource as the client wrote it.
fn spelled_resource(permit: &Permit) -> String {
    let asked = permit.ask().resource.as_ref().map(|resource| resource.spelled.clone());
    asked.filter(|spelled| !spelled.is_empty()).unwrap_or_else(|| first_party::GRAPH_APP_ID.to_string())
}

/// What the authorization endpoint hands out besides a code.
#[derive(Debug)]
pub struct FrontTokens {
    /// The access token and the scopes of it.
    pub access: Option<(MintedAccess, String)>,
    pub id_token: Option<String>,
}

impl Service {
    /// Mints what a finished sign-in hands out at once, after its commit.
    pub fn mint_front_channel(&self, granted: &Granted, moment: &Moment) -> Result<FrontTokens, Fault> {
        let Some((permit, asked, version)) = &granted.front_channel else {
            return Ok(FrontTokens { access: None, id_token: None });
        };
        let access = match asked.token {
            true => {
                let id = access_token_id(moment);
                Some(self.keys.mint_access_token(permit, &self.settings, id, true, moment)?)
            }
            false => None,
        };
        let beside = Beside {
            is_in_address: true,
            code: granted.code.as_deref(),
            access_token: access.as_ref().map(|access| access.token.as_str()),
        };
        let id_token = match asked.id_token {
            true => {
                let id = moment.entropy.uuid("id token");
                self.keys.mint_id_token(permit, &self.settings, id, beside, *version, moment)?
            }
            false => None,
        };
        Ok(FrontTokens { access: access.map(|access| (access, answered_scopes(permit))), id_token })
    }
}

/// The id of the access token that a request mints: the record says it before the token exists.
pub(crate) fn access_token_id(moment: &Moment) -> Uuid {
    moment.entropy.uuid_at("access token", moment.now)
}

/// The granted scopes as the client wrote them (clients 10): MSAL keys its cache by them.
fn answered_scopes(permit: &Permit) -> String {
    let ask = permit.ask();
    let openid = [
        ("openid", ask.openid),
        ("profile", ask.profile),
        ("email", ask.email),
        ("offline_access", ask.offline_access),
    ];
    let mut scopes: Vec<&str> =
        openid.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name).collect();
    if let Some(resource) = &ask.resource {
        scopes.extend(resource.as_written.iter().map(String::as_str));
        // What `.default` came to, so that a client sees what it holds.
        if resource.as_written.iter().any(|written| written.ends_with(".default")) {
            scopes.extend(permit.scopes().iter().map(String::as_str));
        }
    }
    scopes.dedup();
    scopes.join(" ")
}
