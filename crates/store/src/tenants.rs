//! Tenants and their names.

use crate::changes::Operation;
use crate::fault::Fault;
use crate::sql::{Row, Value, to_json};
use crate::{ReadTx, WriteTx};
use domain::id::TenantId;
use domain::issuance::consent_request::{Policy, Reviewer};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::limits::Limits;
use domain::tenancy::tenant::{
    AllowInvitesFrom, GuestLevel, Logo, LogoType, Tenant, TenantDomain, TenantSettings, TenantState,
    UserConsent, WithoutRole,
};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings as they are kept.
#[derive(Serialize, Deserialize)]
struct SettingsDocument {
    allow_invites_from: String,
    accent_color: Option<String>,
    privacy_statement_url: Option<String>,
    preferred_language: Option<String>,
    country: Option<String>,
    technical_notification_mails: Vec<String>,
    invite_redirect_urls: Vec<String>,
    can_users_consent: bool,
    /// What users may agree to where they may at all.
    #[serde(default)]
    is_user_consent_low_impact: bool,
    #[serde(default)]
    sign_in_text: Option<String>,
    #[serde(default)]
    allows_device_code: Option<bool>,
    #[serde(default)]
    allows_device_code_for_guests: bool,
    #[serde(default)]
    allows_password_grant: Option<bool>,
    #[serde(default)]
    privacy_contact: Option<String>,
    #[serde(default)]
    marketing_notification_mails: Vec<String>,
    #[serde(default)]
    security_notification_mails: Vec<String>,
    #[serde(default)]
    security_notification_phones: Vec<String>,
    #[serde(default)]
    limits: BTreeMap<String, u32>,
    #[serde(default)]
    consent_requests: Option<RequestsDocument>,
    #[serde(default)]
    forbids_users_to_create_tenants: bool,
    #[serde(default)]
    forbids_users_to_create_groups: bool,
    #[serde(default)]
    forbids_users_to_register_applications: bool,
    /// As Graph writes it; the default where nobody said.
    #[serde(default)]
    guest_level: Option<String>,
}

/// How requests for approval are taken; reviewers as Graph writes them.
#[derive(Serialize, Deserialize)]
struct RequestsDocument {
    is_enabled: bool,
    notify_reviewers: bool,
    reminders_enabled: bool,
    request_days: i64,
    reviewers: Vec<String>,
    version: i64,
}

fn read_policy(document: Option<RequestsDocument>) -> Result<Policy, Fault> {
    let Some(document) = document else { return Ok(Policy::default()) };
    let reviewers = document.reviewers.iter().map(|query| Reviewer::parse(query)).collect::<Option<Vec<_>>>();
    Ok(Policy {
        is_enabled: document.is_enabled,
        notify_reviewers: document.notify_reviewers,
        reminders_enabled: document.reminders_enabled,
        request_days: document.request_days,
        reviewers: reviewers.ok_or(Fault::Bug("a stored reviewer is none"))?,
        version: document.version,
    })
}

fn policy_document(policy: &Policy) -> RequestsDocument {
    RequestsDocument {
        is_enabled: policy.is_enabled,
        notify_reviewers: policy.notify_reviewers,
        reminders_enabled: policy.reminders_enabled,
        request_days: policy.request_days,
        reviewers: policy.reviewers.iter().map(Reviewer::query).collect(),
        version: policy.version,
    }
}

const TENANT_BY_ID: &str =
    "SELECT tenant, display_name, state, region_scope, region_sub_scope, settings, logo_type, logo,
   created_at FROM tenants WHERE tenant = $1";

fn read_tenant(row: &Row<'_>) -> Result<Tenant, Fault> {
    let document: SettingsDocument = row.json(5)?;
    let allow = AllowInvitesFrom::parse(&document.allow_invites_from);
    let state = match row.text(2)?.as_str() {
        "active" => TenantState::Active,
        "deleted" => TenantState::Deleted,
        "suspended" => TenantState::Suspended,
        _ => return Err(Fault::Bug("a tenant has an unknown state")),
    };
    let logo = match row.opt_text(6)?.zip(row.opt_bytes(7)?) {
        None => None,
        Some((kind, bytes)) => {
            let kind = LogoType::parse(&kind).ok_or(Fault::Bug("a tenant's logo has an unknown type"))?;
            Some(Logo { kind, bytes })
        }
    };
    Ok(Tenant {
        id: TenantId::new(row.uuid(0)?),
        display_name: row.text(1)?,
        state,
        region_scope: row.text(3)?,
        region_sub_scope: row.opt_text(4)?,
        settings: TenantSettings {
            allow_invites_from: allow.ok_or(Fault::Bug("a tenant has an unknown invitation level"))?,
            accent_color: document.accent_color,
            logo,
            privacy_statement_url: document.privacy_statement_url,
            privacy_contact: document.privacy_contact,
            preferred_language: document.preferred_language,
            country: document.country,
            technical_notification_mails: document.technical_notification_mails,
            marketing_notification_mails: document.marketing_notification_mails,
            security_notification_mails: document.security_notification_mails,
            security_notification_phones: document.security_notification_phones,
            invite_redirect_urls: document.invite_redirect_urls,
            consent_requests: read_policy(document.consent_requests)?,
            user_consent: match (document.can_users_consent, document.is_user_consent_low_impact) {
                (false, _) => UserConsent::Nothing,
                (true, false) => UserConsent::Everything,
                (true, true) => UserConsent::LowImpact,
            },
            without_role: WithoutRole {
                guest_level: match document.guest_level {
                    None => WithoutRole::default().guest_level,
                    Some(id) => {
                        GuestLevel::parse(&id).ok_or(Fault::Bug("a tenant has an unknown level of guests"))?
                    }
                },
                can_create_groups: !document.forbids_users_to_create_groups,
                can_register_applications: !document.forbids_users_to_register_applications,
            },
            can_users_create_tenants: !document.forbids_users_to_create_tenants,
            sign_in_text: document.sign_in_text,
            allows_device_code: document.allows_device_code,
            allows_device_code_for_guests: document.allows_device_code_for_guests,
            allows_password_grant: document.allows_password_grant,
            limits: Limits::parse(document.limits.iter().map(|(name, most)| (name.as_str(), *most)))
                .map_err(|_| Fault::Bug("a tenant has an unknown limit"))?,
        },
        created_at: row.time(8)?,
        domains: Vec::new(),
    })
}

fn document(settings: &TenantSettings) -> Result<String, Fault> {
    to_json(&SettingsDocument {
        allow_invites_from: settings.allow_invites_from.as_str().to_owned(),
        accent_color: settings.accent_color.clone(),
        privacy_statement_url: settings.privacy_statement_url.clone(),
        preferred_language: settings.preferred_language.clone(),
        country: settings.country.clone(),
        technical_notification_mails: settings.technical_notification_mails.clone(),
        invite_redirect_urls: settings.invite_redirect_urls.clone(),
        consent_requests: Some(policy_document(&settings.consent_requests)),
        can_users_consent: settings.user_consent != UserConsent::Nothing,
        is_user_consent_low_impact: settings.user_consent == UserConsent::LowImpact,
        forbids_users_to_create_tenants: !settings.can_users_create_tenants,
        forbids_users_to_create_groups: !settings.without_role.can_create_groups,
        forbids_users_to_register_applications: !settings.without_role.can_register_applications,
        guest_level: Some(settings.without_role.guest_level.id().to_owned()),
        sign_in_text: settings.sign_in_text.clone(),
        allows_device_code: settings.allows_device_code,
        allows_device_code_for_guests: settings.allows_device_code_for_guests,
        allows_password_grant: settings.allows_password_grant,
        privacy_contact: settings.privacy_contact.clone(),
        marketing_notification_mails: settings.marketing_notification_mails.clone(),
        security_notification_mails: settings.security_notification_mails.clone(),
        security_notification_phones: settings.security_notification_phones.clone(),
        limits: settings.limits.set().map(|(limit, most)| (limit.as_str().to_owned(), most)).collect(),
    })
}

fn state_text(state: TenantState) -> &'static str {
    match state {
        TenantState::Active => "active",
        TenantState::Deleted => "deleted",
        TenantState::Suspended => "suspended",
    }
}

impl ReadTx<'_> {
    /// The tenant with that id, unless it is deleted; from the cache where it is valid.
    pub fn find_tenant(&self, id: TenantId) -> Result<Option<Arc<Tenant>>, Fault> {
        Ok(self.tenant_row(id)?.filter(|tenant| tenant.state != TenantState::Deleted))
    }

    fn tenant_row(&self, id: TenantId) -> Result<Option<Arc<Tenant>>, Fault> {
        if let Some(tenant) = self.cache().and_then(|cache| cache.tenant(id)) {
            return Ok(Some(tenant));
        }
        let Some(mut tenant) = self.link().one(TENANT_BY_ID, &[(&id.uuid()).into()], read_tenant)? else {
            return Ok(None);
        };
        tenant.domains = self.domains_of(id)?;
        let tenant = Arc::new(tenant);
        if let Some(cache) = self.cache() {
            cache.put_tenant(self.ticket, &tenant);
        }
        Ok(Some(tenant))
    }

    /// This transaction's own tenant. Whatever began before it was deleted finds it still, and must not go on.
    pub fn load_tenant(&self) -> Result<Arc<Tenant>, Fault> {
        self.tenant_row(self.tenant()?)?.ok_or(Fault::Bug("the tenant of a transaction does not exist"))
    }

    /// This transaction's own tenant, if it exists.
    pub fn find_tenant_here(&self) -> Result<Option<Arc<Tenant>>, Fault> {
        self.find_tenant(self.tenant()?)
    }

    /// The tenant that verified a name.
    pub fn find_domain_owner(&self, name: &DomainName) -> Result<Option<TenantId>, Fault> {
        self.link().one(
            "SELECT tenant FROM domains WHERE name = $1 AND is_verified = 1",
            &[Value::Text(name.as_str())],
            |row| Ok(TenantId::new(row.uuid(0)?)),
        )
    }

    /// Every tenant, by name; for the operator.
    pub fn list_tenants(&self) -> Result<Vec<TenantId>, Fault> {
        self.link().all(
            "SELECT tenant FROM tenants WHERE deleted_at IS NULL ORDER BY created_at, tenant",
            &[],
            |row| Ok(TenantId::new(row.uuid(0)?)),
        )
    }

    fn domains_of(&self, id: TenantId) -> Result<Vec<TenantDomain>, Fault> {
        self.link().all(
            "SELECT name, is_default, is_initial, is_verified FROM domains WHERE tenant = $1 ORDER BY is_initial DESC, name",
            &[(&id.uuid()).into()],
            |row| {
                Ok(TenantDomain {
                    name: DomainName::parse(&row.text(0)?).ok_or(Fault::Bug("a stored domain name is no name"))?,
                    is_default: row.flag(1)?,
                    is_initial: row.flag(2)?,
                    is_verified: row.flag(3)?,
                })
            },
        )
    }
}

impl WriteTx<'_> {
    /// Adds this transaction's tenant with its names. `false` when its id or one of the names is taken.
    pub fn add_tenant(&self, tenant: &Tenant) -> Result<bool, Fault> {
        self.touch_config();
        let id = tenant.id.uuid();
        if self.is_buried(id)? {
            return Ok(false);
        }
        let logo = tenant.settings.logo.as_ref();
        let is_new = self.link().insert(
            "INSERT INTO tenants (tenant, display_name, state, region_scope, region_sub_scope, settings, logo_type, logo,
               created_at, config_revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)",
            &[
                (&id).into(),
                (&tenant.display_name).into(),
                state_text(tenant.state).into(),
                (&tenant.region_scope).into(),
                tenant.region_sub_scope.as_deref().into(),
                Value::Text(&document(&tenant.settings)?),
                logo.map(|logo| logo.kind.as_str()).into(),
                logo.map(|logo| logo.bytes.as_slice()).into(),
                tenant.created_at.into(),
            ],
        )?;
        if !is_new {
            return Ok(false);
        }
        for domain in &tenant.domains {
            if !self.add_domain(tenant.id, domain)? {
                return Ok(false);
            }
        }
        self.log_change("organization", id, Operation::Created, tenant.created_at)?;
        Ok(true)
    }

    /// Adds a name to this transaction's tenant. `false` when some tenant has it.
    pub fn put_domain(&self, domain: &TenantDomain, at: Timestamp) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?;
        let is_new = self.add_domain(tenant, domain)?;
        if is_new {
            self.log_change("organization", tenant.uuid(), Operation::Updated, at)?;
        }
        Ok(is_new)
    }

    fn add_domain(&self, tenant: TenantId, domain: &TenantDomain) -> Result<bool, Fault> {
        self.link().insert(
            "INSERT INTO domains (name, tenant, is_default, is_initial, is_verified) VALUES ($1, $2, $3, $4, $5)",
            &[
                domain.name.as_str().into(),
                (&tenant.uuid()).into(),
                domain.is_default.into(),
                domain.is_initial.into(),
                domain.is_verified.into(),
            ],
        )
    }

    /// Writes name, state and settings of this transaction's tenant.
    pub fn update_tenant(&self, tenant: &Tenant, at: Timestamp) -> Result<(), Fault> {
        self.touch_config();
        let logo = tenant.settings.logo.as_ref();
        self.link().run(
            "UPDATE tenants SET display_name = $1, state = $2, settings = $3, logo_type = $4, logo = $5 WHERE tenant = $6",
            &[
                (&tenant.display_name).into(),
                state_text(tenant.state).into(),
                Value::Text(&document(&tenant.settings)?),
                logo.map(|logo| logo.kind.as_str()).into(),
                logo.map(|logo| logo.bytes.as_slice()).into(),
                (&tenant.id.uuid()).into(),
            ],
        )?;
        self.log_change("organization", tenant.id.uuid(), Operation::Updated, at)
    }

    pub(crate) fn raise_config_revision(&self) -> Result<(), Fault> {
        let Some(tenant) = self.tenant else { return Ok(()) };
        self.link().run(
            "UPDATE tenants SET config_revision = config_revision + 1 WHERE tenant = $1",
            &[(&tenant.uuid()).into()],
        )?;
        Ok(())
    }
}
