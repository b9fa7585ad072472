//! Agreeing to an application's permissions: what the page shows, and what a yes writes. A yes is
//! written together with the success that it leads to, so that a refusal leaves none behind.

use super::{Asks, ConsentView, Context, ScopeView, approval, name_of};
use crate::{Settings, issue, quota};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::directory::application::{App, Details, ServicePrincipal, SharedApp};
use domain::directory::application_change::may_have_instance;
use domain::directory::first_party;
use domain::directory::user::SignInUser;
use domain::id::{AppId, ServicePrincipalId, TenantId, UserId};
use domain::issuance::Denial;
use domain::issuance::consent::{self, Offered, Plan, Shown, Tier};
use domain::issuance::decide::{Facts, missing_scopes};
use domain::issuance::scope::{self, ScopeAsk};
use domain::signin::attempt::{Attempt, Purpose};
use domain::signin::next::Consent;
use domain::tenancy::limits::{Limit, Limits};
use standards::oauth::authorize::Prompt;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Fault, ReadTx, WriteTx};
use uuid::Uuid;

/// Resources whose needs one page asks for besides the client's own.
// DEFAULT: ten: solutions of more parts are not read through by anybody.
const TIERS: usize = 10;

/// Client, resource and scopes of what somebody has to agree to.
pub(super) struct Asked {
    pub(super) client: Option<SharedApp>,
    pub(super) resource: Option<SharedApp>,
    pub(super) scope: Result<ScopeAsk, Denial>,
}

pub(super) fn asked(
    tx: &ReadTx<'_>,
    (client, scopes): (AppId, &[String]),
    settings: &Settings,
) -> Result<Asked, Fault> {
    let scope = scope::sort(scopes, &settings.graph_aliases);
    let client = tx.find_app(client)?;
    let resource = match &scope {
        Ok(scope) => issue::find_resource(tx, scope)?,
        Err(_) => None,
    };
    Ok(Asked { client, resource, scope })
}

/// A plan, and what else its page says.
struct Planned {
    plan: Plan,
    client: SharedApp,
    publisher: Option<String>,
    user: SignInUser,
}

impl Planned {
    fn fingerprint(&self) -> [u8; 32] {
        let Self { plan, client, publisher, user } = self;
        plan.fingerprint(&Shown { client, publisher: publisher.as_deref(), user })
    }
}

/// What the dispatcher looks at.
pub(super) fn facts(
    tx: &ReadTx<'_>,
    purpose: &Purpose,
    user: UserId,
    settings: &Settings,
) -> Result<Consent, Fault> {
    let takes_requests = tx.load_tenant()?.settings.consent_requests.is_enabled;
    Ok(match plan_of(tx, purpose, user, settings)? {
        Ok(None) => Consent::default(),
        Ok(Some(planned)) => Consent {
            shown: planned.fingerprint(),
            missing: planned.plan.missing,
            needs_admin: planned.plan.needs_admin,
            needs_role_admin: planned.plan.needs_role_admin,
            takes_requests,
            problem: None,
        },
        Err(denial) => Consent { problem: Some(denial), ..Consent::default() },
    })
}

fn plan_of(
    tx: &ReadTx<'_>,
    purpose: &Purpose,
    user: UserId,
    settings: &Settings,
) -> Result<Result<Option<Planned>, Denial>, Fault> {
    let Some(wanted) = purpose.wanted() else { return Ok(Ok(None)) };
    let is_for_all = matches!(purpose, Purpose::AdminConsent(_));
    let prompt = purpose.request().and_then(|request| request.prompt);
    plan(tx, wanted, user, settings, (is_for_all, prompt == Some(Prompt::Consent)))
}

/// The permissions that a request for approval is about, by name.
pub(super) fn permissions(
    tx: &ReadTx<'_>,
    wanted: (AppId, &[String]),
    user: UserId,
    settings: &Settings,
) -> Result<Vec<String>, Fault> {
    let planned = plan(tx, wanted, user, settings, (false, false))?.ok().flatten();
    let agreements = planned.map(|planned| planned.plan.agreements).unwrap_or_default();
    Ok(agreements.into_iter().map(|agreement| agreement.scope.value).collect())
}

/// Whether a person needs no administrator for this any more.
pub(super) fn is_settled(
    tx: &ReadTx<'_>,
    wanted: (AppId, &[String]),
    user: UserId,
    settings: &Settings,
) -> Result<bool, Fault> {
    if tx.find_sign_in_user(user)?.is_none() {
        return Ok(false);
    }
    let planned = plan(tx, wanted, user, settings, (false, false))?;
    Ok(planned.is_ok_and(|planned| planned.is_none_or(|planned| !planned.plan.needs_admin)))
}

/// What the user would agree to. Loaded as far as it is needed: mostly nothing is missing. Refused only where an
/// administrator was asked; what an application's own request gets wrong is for the gate.
fn plan(
    tx: &ReadTx<'_>,
    wanted: (AppId, &[String]),
    user: UserId,
    settings: &Settings,
    (is_for_all, is_forced): (bool, bool),
) -> Result<Result<Option<Planned>, Denial>, Fault> {
    let refuse = |denial| Ok(if is_for_all { Err(denial) } else { Ok(None) });
    let Asked { client, resource, scope } = asked(tx, wanted, settings)?;
    let scope = match scope {
        Ok(scope) => scope,
        Err(denial) => return refuse(denial),
    };
    let tenant = tx.load_tenant()?;
    let is_usable = |app: &SharedApp| may_have_instance(Some(&app.registration), tenant.id).is_ok();
    let Some(client) = client else { return refuse(Denial::ClientUnknown) };
    let Some(resource) = resource else { return refuse(Denial::ResourceUnknown) };
    if is_for_all && !is_usable(&client) {
        return refuse(Denial::ClientUnknown);
    }
    // Another organisation's own application is none here, whatever a registration names (R21).
    if !is_usable(&resource) {
        return refuse(Denial::ResourceUnknown);
    }
    let offered = |client: &App, resource: SharedApp| {
        let agreed = issue::agreed_scopes(tx, client, &resource, user)?;
        Ok::<_, Fault>(Offered { resource, agreed })
    };
    let resource = offered(&client, resource)?;
    let missing = missing_scopes(&resource.resource, &scope, &resource.agreed);
    let is_nothing_missing = missing.is_ok_and(|missing| missing.is_empty());
    if is_nothing_missing && !is_forced && !is_for_all {
        return Ok(Ok(None));
    }
    let named = client.registration.required_access.iter().map(|access| access.resource);
    let mut others = Vec::new();
    for app_id in named.chain([first_party::GRAPH_APP_ID]) {
        if app_id != resource.resource.registration.app_id
            && let Some(other) = tx.find_app(app_id)?.filter(&is_usable)
        {
            others.push(offered(&client, other)?);
        }
    }
    let known_by = std::iter::once(&resource).chain(&others).map(|it| &it.resource);
    let client_id = client.registration.app_id;
    let known_by = known_by.filter(|it| it.registration.known_clients.contains(&client_id));
    let mut tiers = Vec::new();
    for tier in known_by.take(TIERS) {
        let mut needed = Vec::new();
        for access in &tier.registration.required_access {
            if let Some(other) = tx.find_app(access.resource)?.filter(&is_usable) {
                needed.push(offered(tier, other)?);
            }
        }
        tiers.push(Tier { client: Arc::clone(tier), offered: needed });
    }
    let facts = consent::Facts {
        is_publisher_known: is_publisher_known(tx, &client, tenant.id)?,
        client: Arc::clone(&client),
        resource,
        others,
        tiers,
        is_forced,
        user_consent: tenant.settings.user_consent,
    };
    let plan = match is_for_all {
        true => consent::plan_for_organization(&facts, &scope),
        false => consent::plan(&facts, &scope),
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err(denial) => return refuse(denial),
    };
    let user = tx.find_sign_in_user(user)?.ok_or(Fault::Bug("a user vanished inside a transaction"))?;
    let publisher = publisher_of(tx, Some(&client))?;
    Ok(Ok(Some(Planned { plan, client, publisher, user })))
}

/// Whether the tenant can tell who is behind an application: itself, this service, or an organisation with a domain of its
/// own.
fn is_publisher_known(tx: &ReadTx<'_>, client: &App, here: TenantId) -> Result<bool, Fault> {
    let Some(owner) = client.registration.owner.filter(|owner| *owner != here) else { return Ok(true) };
    Ok(tx.find_tenant(owner)?.is_some_and(|owner| owner.is_verified()))
}

/// Who registered an application: that organisation's domain.
pub(crate) fn publisher_of(tx: &ReadTx<'_>, client: Option<&App>) -> Result<Option<String>, Fault> {
    let Some(owner) = client.and_then(|client| client.registration.owner) else { return Ok(None) };
    Ok(tx.find_tenant(owner)?.and_then(|owner| owner.default_domain().map(ToString::to_string)))
}

/// What the consent page says; `has_changed` where it is another list than the one that was answered.
pub(super) fn page(
    tx: &ReadTx<'_>,
    attempt: &Attempt,
    context: &Context,
    user: UserId,
    has_changed: bool,
) -> Result<Asks, Fault> {
    let is_for_all = matches!(attempt.purpose, Purpose::AdminConsent(_));
    let planned = plan_of(tx, &attempt.purpose, user, &context.settings)?.ok().flatten();
    let shown = planned.as_ref().map(Planned::fingerprint).unwrap_or_default();
    let (plan, publisher, user) = match planned {
        Some(planned) => (planned.plan, planned.publisher, planned.user),
        None => {
            let user =
                tx.find_sign_in_user(user)?.ok_or(Fault::Bug("a user vanished inside a transaction"))?;
            let client = attempt.purpose.client().map_or(Ok(None), |client| tx.find_app(client))?;
            (Plan::default(), publisher_of(tx, client.as_deref())?, user)
        }
    };
    let asking = attempt.purpose.client();
    let through = |app: &App| {
        let registration = &app.registration;
        (Some(registration.app_id) != asking).then(|| registration.display_name.clone())
    };
    let scopes = plan.agreements.into_iter().map(|agreement| ScopeView {
        through: through(&agreement.client),
        title: agreement.scope.title,
        description: agreement.scope.description,
        is_admin_only: agreement.scope.is_admin_only,
    });
    let roles = plan.roles.into_iter().map(|agreement| ScopeView {
        through: None,
        title: agreement.role.display_name,
        description: agreement.role.description,
        is_admin_only: true,
    });
    Ok(Asks::Consent(Box::new(ConsentView {
        scopes: scopes.collect(),
        roles: roles.collect(),
        publisher,
        is_for_all,
        can_consent_for_all: user.can_consent_for_all(),
        user: super::UserView { sign_in_name: name_of(&user), display_name: user.display_name },
        has_changed,
        shown,
    })))
}

/// A yes that counts: this user's, to what the page would say now.
pub(super) struct Given {
    planned: Planned,
    for_organization: bool,
}

pub(super) fn given(
    tx: &ReadTx<'_>,
    attempt: &Attempt,
    context: &Context,
    user: UserId,
) -> Result<Option<Given>, Fault> {
    let yes = attempt.consented.as_ref().filter(|yes| yes.user == user && !yes.is_written);
    let Some(yes) = yes else { return Ok(None) };
    let planned = plan_of(tx, &attempt.purpose, user, &context.settings)?.ok().flatten();
    Ok(planned.filter(|planned| planned.fingerprint() == yes.shown).map(|planned| {
        let is_asked_for_all = yes.for_organization || matches!(attempt.purpose, Purpose::AdminConsent(_));
        let for_organization = is_asked_for_all && planned.user.can_consent_for_all();
        Given { planned, for_organization }
    }))
}

impl Given {
    /// Lets the gate see what will stand when it lets in.
    pub(super) fn add_to(&self, facts: &mut Facts, context: &Context) {
        let Some(resource) = &facts.resource else { return };
        let app_id = resource.registration.app_id;
        let ends = (self.planned.client.registration.app_id, app_id);
        let values = self.planned.plan.values_given_by(&self.planned.user, ends);
        let before = facts.consented.len();
        facts.consented.extend(values.map(str::to_owned));
        if facts.consented.len() > before && resource.instance.is_none() {
            let instance = Some(new_instance(app_id, context));
            facts.resource = Some(Arc::new(App { instance, ..(**resource).clone() }));
        }
    }

    /// Whether the tenant has room for the instances that are missing, and the client for the roles. None is needed where
    /// all are there.
    pub(super) fn has_room(&self, tx: &WriteTx<'_>, context: &Context) -> Result<bool, Fault> {
        let Planned { plan, client, user, .. } = &self.planned;
        let given = plan.agreements.iter().filter(|agreement| agreement.may_be_given_by(user));
        let ends = given.flat_map(|agreement| [&agreement.client, &agreement.resource]);
        let roles = plan.roles.iter().filter(|_| self.for_organization).map(|agreement| &agreement.resource);
        let apps = std::iter::once(client).chain(ends).chain(roles);
        let missing: BTreeSet<AppId> =
            apps.filter(|app| app.instance.is_none()).map(|app| app.registration.app_id).collect();
        let count = i64::try_from(missing.len()).unwrap_or(i64::MAX);
        let limits = &context.settings.limits;
        let has_room = count == 0 || quota::ask_for(tx, count, None, limits, context.moment.now)?.is_ok();
        Ok(has_room && self.may_hold_roles(tx, limits)?)
    }

    /// Whether the client may hold the roles that are given to it besides those that it holds.
    fn may_hold_roles(&self, tx: &WriteTx<'_>, limits: &Limits) -> Result<bool, Fault> {
        let Planned { plan, client, .. } = &self.planned;
        if !self.for_organization || plan.roles.is_empty() {
            return Ok(true);
        }
        let (mut held, mut new) = (0, 0);
        let principal = client.instance.as_ref().map(|instance| instance.id.uuid());
        if let Some(principal) = principal {
            held = tx.count_assignments_of(principal)?;
        }
        for agreement in &plan.roles {
            let ends = principal.zip(agreement.resource.instance.as_ref());
            let is_held = match ends {
                Some((principal, resource)) => {
                    tx.holds_app_role(principal, resource.id, agreement.role.id)?
                }
                None => false,
            };
            new += i64::from(!is_held);
        }
        Ok(new == 0 || held + new <= tx.load_tenant()?.limit(Limit::AppRolesOfPrincipal, limits))
    }

    /// Writes the agreement, and the instances that it needs in this tenant.
    pub(super) fn write(&self, tx: &WriteTx<'_>, context: &Context) -> Result<(), Fault> {
        let (Planned { plan, client, user, .. }, moment) = (&self.planned, &context.moment);
        let registration = &client.registration;
        let actor = RecordActor::User { user: user.id.uuid() };
        let note = |activity, target: ServicePrincipalId, reasons: String| {
            tx.note(Record::Directory(DirectoryRecord {
                activity,
                category: "ApplicationManagement",
                actor: actor.clone(),
                target: Some(target.uuid()),
                target_name: Some(registration.display_name.clone()),
                refusal: None,
                reasons,
                origin: moment.origin.clone(),
            }));
        };
        let mut instances = Instances { tx, context, known: Vec::new() };
        let client_instance = instances.ensure(client)?;
        let principal = (!self.for_organization).then_some(user.id);
        let mut by_ends: Vec<((ServicePrincipalId, ServicePrincipalId), Vec<String>)> = Vec::new();
        for agreement in plan.agreements.iter().filter(|agreement| agreement.may_be_given_by(user)) {
            let ends = (instances.ensure(&agreement.client)?, instances.ensure(&agreement.resource)?);
            let value = agreement.scope.value.clone();
            match by_ends.iter_mut().find(|(known, _)| *known == ends) {
                Some((_, values)) => values.push(value),
                None => by_ends.push((ends, vec![value])),
            }
        }
        for ((client, resource), values) in by_ends {
            let id = moment.entropy.uuid(&format!("consent {client} {resource}"));
            tx.add_consent(id, client, principal, resource, &values, moment.now)?;
        }
        let whom = if self.for_organization { "for-organization" } else { "for-user" };
        note("Consent to application", client_instance, whom.to_owned());
        for agreement in plan.roles.iter().filter(|_| self.for_organization) {
            let (resource, role) = (instances.ensure(&agreement.resource)?, &agreement.role);
            let id: Uuid = moment.entropy.uuid(&format!("role {resource} {}", role.id));
            if tx.assign_app_role(id, client_instance.uuid(), resource, role.id, moment.now)? {
                let activity = "Add app role assignment to service principal";
                note(activity, client_instance, format!("role {}", role.value));
            }
        }
        if self.for_organization {
            approval::settle(tx, registration.app_id, user.id, context)?;
        }
        Ok(())
    }
}

/// The instances of one write; an application that was looked up before has none in what was read then.
struct Instances<'a, 'b> {
    tx: &'a WriteTx<'b>,
    context: &'a Context,
    known: Vec<(AppId, ServicePrincipalId)>,
}

impl Instances<'_, '_> {
    fn ensure(&mut self, app: &App) -> Result<ServicePrincipalId, Fault> {
        let app_id = app.registration.app_id;
        if let Some(instance) = &app.instance {
            return Ok(instance.id);
        }
        if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == app_id) {
            return Ok(*known);
        }
        let instance = new_instance(app_id, self.context);
        self.tx.add_service_principal(&instance)?;
        self.known.push((app_id, instance.id));
        Ok(instance.id)
    }
}

fn new_instance(app_id: AppId, context: &Context) -> ServicePrincipal {
    ServicePrincipal {
        id: ServicePrincipalId::new(context.moment.entropy.uuid(&format!("instance {app_id}"))),
        app_id,
        is_enabled: true,
        is_assignment_required: false,
        details: Details::default(),
        secrets: Vec::new(),
        created_at: context.moment.now,
        deleted_at: None,
    }
}
