//! The signed-in person's own pages: My Apps, userinfo, signing out.

use crate::signin::{Browser, name_of};
use crate::token::AuthFailure;
use crate::{Fault, Moment, Service};
use domain::directory::permission::Actor;
use domain::directory::query;
use domain::directory::user::SignInUser;
use domain::id::{AppId, TenantId, UserId};
use domain::issuance::claims::vouched_mail;
use domain::signin::session::Session;
use domain::tenancy::creation;
use domain::tenancy::tenant::Tenant;
use domain::time::Timestamp;
use standards::jose::jws;
use std::sync::Arc;
use store::Among;

/// What My Apps shows.
#[derive(Clone, Debug)]
pub struct Portal {
    pub tenant: Arc<Tenant>,
    pub user_name: String,
    pub sign_in_name: String,
    pub apps: Vec<PortalApp>,
    /// The person may make an organisation of their own.
    pub may_create_tenant: bool,
    /// Requests that wait for the person, who reviews them.
    pub requests: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct PortalApp {
    pub name: String,
    pub url: Option<String>,
    pub description: String,
}

/// What userinfo says.
#[derive(Clone, Debug)]
pub struct UserInfo {
    pub tenant: TenantId,
    pub subject: String,
    pub name: String,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub email: Option<String>,
}

/// A request to sign out. `tenant` is `None` at `common`: everywhere.
#[derive(Clone, Debug)]
pub struct SignOut {
    pub tenant: Option<TenantId>,
    pub return_url: Option<String>,
    pub id_token_hint: Option<String>,
    pub client_id: Option<AppId>,
    pub logout_hint: Option<String>,
}

/// What came of signing out.
#[derive(Clone, Debug, Default)]
pub struct SignedOut {
    pub return_url: Option<String>,
    /// Addresses of applications that were used, each with the session that is over.
    pub tell: Vec<String>,
}

/// Applications that are told at most.
// DEFAULT: 50: each is a frame in one page, and a browser has a handful of sessions.
const TOLD: usize = 50;

/// Applications that My Apps shows at most.
const APPS: u32 = 200;

impl Service {
    /// The tenant whose pages a browser sees when it names none: where it signed in last.
    pub fn latest_tenant(&self, browser: Browser, now: Timestamp) -> Result<Option<TenantId>, Fault> {
        let tenants = self.store.read(|tx| tx.tenants_of_browser(browser.at(crate::NOWHERE)))?;
        for tenant in tenants {
            if self.portal_session(tenant, browser, now)?.is_some() {
                return Ok(Some(tenant));
            }
        }
        Ok(None)
    }

    /// The latest session of a browser, at the person's home where there is one.
    pub fn session_at_home(
        &self,
        browser: Browser,
        now: Timestamp,
    ) -> Result<Option<(TenantId, Session)>, Fault> {
        let session = |tenant| {
            let found = self.portal_session(tenant, browser, now)?;
            Ok::<_, Fault>(found.map(|session| (tenant, session)))
        };
        let latest = self.latest_tenant(browser, now)?.map_or(Ok(None), session)?;
        let home = latest.as_ref().and_then(|(_, session)| session.user.identity.as_ref());
        let at_home = home.map_or(Ok(None), |home| session(home.home_tenant))?;
        Ok(at_home.or(latest))
    }

    /// My Apps for the browser's session in a tenant; `None` when there is no session.
    pub fn portal(
        &self,
        tenant: TenantId,
        browser: Browser,
        now: Timestamp,
    ) -> Result<Option<Portal>, Fault> {
        let Some(session) = self.portal_session(tenant, browser, now)? else { return Ok(None) };
        let plan = query::everything(APPS);
        let (tenant, rows) = self.store.tenant(tenant).read(|tx| {
            Ok((tx.load_tenant()?, tx.list_service_principals(&plan, None, Among::Living)?.items))
        })?;
        let apps = rows
            .into_iter()
            .filter(|row| row.instance.is_enabled && row.registration.owner.is_some())
            .filter_map(|row| {
                let details = row.instance.details;
                let url = details.login_url.or(row.registration.home_page_url)?;
                let description = details.description.or(row.registration.description).unwrap_or_default();
                Some(PortalApp { name: row.registration.display_name, url: Some(url), description })
            })
            .collect();
        let sign_in_name = name_of(&session.user);
        let suffix = self.settings.tenants_under.as_ref();
        let may_create_tenant = creation::is_offered(suffix, &tenant, &session.user);
        let requests = self.waiting_for(tenant.id, &session.user, now)?;
        let user_name = session.user.display_name;
        Ok(Some(Portal { tenant, user_name, sign_in_name, apps, may_create_tenant, requests }))
    }

    /// Userinfo for a Graph token; `Ok(Ok(None))` when the token lacks `openid`.
    pub fn userinfo(
        &self,
        bearer: &str,
        moment: &Moment,
    ) -> Result<Result<Option<UserInfo>, AuthFailure>, Fault> {
        let viewer = match self.authenticate(bearer, moment)? {
            Ok(viewer) => viewer,
            Err(failure) => return Ok(Err(failure)),
        };
        let Actor::User { user, scopes, app_id, .. } = &viewer.actor else { return Ok(Ok(None)) };
        if !scopes.iter().any(|scope| scope == "openid") {
            return Ok(Ok(None));
        }
        let (tenant, found): (Arc<Tenant>, Option<SignInUser>) = self
            .store
            .tenant(viewer.tenant)
            .read(|tx| Ok((tx.load_tenant()?, tx.find_sign_in_user(*user)?)))?;
        // The same subject as in the client's ID token (OIDC Core §5.3.2).
        let subject = self.keys.subject(*app_id, viewer.tenant, *user);
        Ok(found.map_or(Err(AuthFailure::Revoked), |user| {
            Ok(Some(UserInfo {
                tenant: viewer.tenant,
                subject,
                email: vouched_mail(&tenant, &user).map(str::to_owned),
                name: user.display_name,
                given_name: user.given_name,
                family_name: user.surname,
            }))
        }))
    }

    /// Ends the browser's sessions in the tenant, and those of the same people everywhere else in it, at home and as
    /// guests: whoever signs out means it.
    /// Answers the address to go back to, if it is a registered one (R27), and the applications that are to hear of it.
    pub async fn sign_out_everywhere(
        &self,
        ask: SignOut,
        browser: Option<Browser>,
        moment: &Moment,
    ) -> Result<SignedOut, Fault> {
        let mut tell = Vec::new();
        if let Some(browser) = browser {
            let tenants = match ask.tenant {
                Some(tenant) => vec![tenant],
                None => self.store.read(|tx| tx.tenants_of_browser(browser.at(crate::NOWHERE)))?,
            };
            for tenant in tenants {
                tell.extend(self.sign_out_in(tenant, &ask, browser, moment).await?);
            }
        }
        tell.truncate(TOLD);
        let Some(url) = ask.return_url.clone() else { return Ok(SignedOut { return_url: None, tell }) };
        let client = ask.client_id.or_else(|| self.hinted_client(ask.id_token_hint.as_deref(), moment));
        let is_known = match (client, ask.tenant) {
            (Some(client), _) => {
                let app = self.store.read(|tx| tx.find_registration(client))?;
                app.is_some_and(|app| app.deleted_at.is_none() && app.platform_of(&url).is_some())
            }
            (None, Some(tenant)) => self.store.tenant(tenant).read(|tx| tx.is_redirect_registered(&url))?,
            (None, None) => false,
        };
        Ok(SignedOut { return_url: is_known.then_some(url), tell })
    }

    async fn sign_out_in(
        &self,
        tenant: TenantId,
        ask: &SignOut,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Vec<String>, Fault> {
        let sessions = self.store.tenant(tenant).read(|tx| tx.sessions_of_browser(browser.at(tenant)))?;
        // What an ID token said as `login_hint` names the person, who may be a guest here.
        let person = ask.logout_hint.as_deref().and_then(|hint| self.keys.read_login_hint(hint));
        let is_meant = |session: &Session| {
            ask.logout_hint.as_deref().is_none_or(|hint| {
                person == Some(at_home(tenant, &session.user))
                    || session.id.to_string() == hint
                    || name_of(&session.user).eq_ignore_ascii_case(hint)
            })
        };
        let (mut people, mut tell) = (Vec::new(), Vec::new());
        for session in sessions.iter().filter(|session| is_meant(session)) {
            tell.extend(self.sign_out(tenant, Some(session.id), browser, moment).await?);
            people.push(at_home(tenant, &session.user));
        }
        // Whichever of their tenants they signed out in, the others of this browser rest on the same person.
        let mut places = self.store.read(|tx| tx.tenants_of_browser(browser.at(crate::NOWHERE)))?;
        places.extend(people.iter().map(|(home, _)| *home));
        for place in places {
            let sessions = self.store.tenant(place).read(|tx| tx.sessions_of_browser(browser.at(place)))?;
            let rests_on_them = |session: &&Session| {
                let person = at_home(place, &session.user);
                // A session at home that ended by itself left the guest's behind.
                people.contains(&person) || (person.0 == tenant && is_meant(session))
            };
            for session in sessions.iter().filter(rests_on_them) {
                tell.extend(self.sign_out(place, Some(session.id), browser, moment).await?);
            }
        }
        Ok(tell)
    }

    /// The client of an ID token that we signed; its age does not matter (OIDC RP-Initiated Logout §2).
    fn hinted_client(&self, hint: Option<&str>, moment: &Moment) -> Option<AppId> {
        let claims = jws::verify(hint?, &self.keys.believed(moment.now)).ok()?;
        claims.get("aud")?.as_str()?.parse().ok()
    }
}

/// Who a user is: the user itself, or a guest's own account at home.
fn at_home(tenant: TenantId, user: &SignInUser) -> (TenantId, UserId) {
    user.identity.as_ref().map_or((tenant, user.id), |home| (home.home_tenant, home.home_user))
}

/// A mail of the development mailbox.
#[derive(Clone, Debug)]
pub struct SentMail {
    pub id: uuid::Uuid,
    pub from: String,
    pub mail: domain::mail::Mail,
    pub created_at: Timestamp,
}

impl Service {
    /// The newest mails, for the development mailbox.
    pub fn recent_mail(&self, limit: i64) -> Result<Vec<SentMail>, Fault> {
        let from = self.mailer.sender().to_owned();
        let rows = self.store.read(|tx| tx.recent_mail(limit))?;
        let sent = |row: store::OutboxRow| SentMail {
            id: row.id,
            from: from.clone(),
            mail: row.mail,
            created_at: row.created_at,
        };
        Ok(rows.into_iter().map(sent).collect())
    }
}
