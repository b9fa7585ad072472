//! A tenant's own properties and settings.

use super::here::Here;
use super::work::Work;
use super::{Action, Changed, Found, PlanError, changed, refused, text, texts, wrong};
use crate::branding::BrandingRefusal;
use crate::world::WorldTenant;
use domain::directory::change::ChangeRefusal;
use domain::tenancy::branding::{self, Change};
use domain::tenancy::domain_name::{Address, DomainName};
use domain::tenancy::limits::Limit;
use domain::tenancy::tenant::{AllowInvitesFrom, GuestLevel, Tenant, TenantSettings};

pub(super) fn find(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    let Here { described, tenant, .. } = here;
    let place = &described.domain;
    if !here.exists {
        let name = changed("displayName", None, Some(text(&described.display_name)));
        let work = Work::CreateTenant(here.at);
        found.push(Some(here.step(Action::Create, "tenant", place, name.into_iter().collect(), work)));
        return Ok(());
    }
    let fixed = [
        ("tenantRegionScope", &described.tenant_region_scope, Some(tenant.region_scope.clone())),
        ("tenantRegionSubScope", &described.tenant_region_sub_scope, tenant.region_sub_scope.clone()),
    ];
    for (name, wanted, is) in fixed {
        if wanted.is_some() && *wanted != is {
            return Err(wrong(
                place,
                format!("{name} is settled when a tenant is made and cannot be changed"),
            ));
        }
    }
    for name in &described.other_domains {
        let parsed =
            DomainName::parse(name).ok_or_else(|| wrong(place, format!("`{name}` is no domain name")))?;
        if !tenant.owns(&parsed) {
            let work = Work::AddDomain(here.at, parsed);
            found.push(Some(here.step(Action::Create, "domain", name, Vec::new(), work)));
        }
    }
    let mut after = (**tenant).clone();
    organization(described, &mut after).map_err(|refusal| refused(place, refusal))?;
    let looks = looks(described);
    let before = after.clone();
    branding::apply(&mut after.settings, &looks)
        .map_err(|refusal| refused(place, BrandingRefusal::Change(refusal)))?;
    let (has_other_properties, looks) = (before != **tenant, (after != before).then_some(looks));
    let changes = differences(tenant, &after);
    let work = Work::UpdateTenant {
        at: here.at,
        organization: has_other_properties,
        looks: looks.unwrap_or_default(),
    };
    let step = (!changes.is_empty()).then(|| here.step(Action::Update, "tenant", place, changes, work));
    found.push(step);
    Ok(())
}

/// Writes what the description says into a tenant; what it leaves out stays.
pub(super) fn organization(described: &WorldTenant, tenant: &mut Tenant) -> Result<(), ChangeRefusal> {
    let name = &described.display_name;
    if !name.is_empty() {
        if name.trim().is_empty() || name.chars().count() > 256 {
            return Err(ChangeRefusal::Invalid("displayName".to_owned()));
        }
        tenant.display_name.clone_from(name);
    }
    settings(described, &mut tenant.settings)
}

/// The same for its settings alone.
pub(crate) fn settings(described: &WorldTenant, settings: &mut TenantSettings) -> Result<(), ChangeRefusal> {
    let invalid = |name: &str| ChangeRefusal::Invalid(name.to_owned());
    if let Some(level) = &described.allow_invites_from {
        settings.allow_invites_from =
            AllowInvitesFrom::parse(level).ok_or_else(|| invalid("allowInvitesFrom"))?;
    }
    for (name, most) in &described.limits {
        let limit = Limit::parse(name).ok_or_else(|| invalid(&format!("limits/{name}")))?;
        settings.limits = std::mem::take(&mut settings.limits).with(limit, *most);
    }
    if let Some(is) = described.allowed_to_create_tenants {
        settings.can_users_create_tenants = is;
    }
    let without_role = &mut settings.without_role;
    if let Some(level) = &described.guest_user_role_id {
        without_role.guest_level = GuestLevel::parse(level).ok_or_else(|| invalid("guestUserRoleId"))?;
    }
    without_role.can_create_groups =
        described.allowed_to_create_security_groups.unwrap_or(without_role.can_create_groups);
    without_role.can_register_applications =
        described.allowed_to_create_apps.unwrap_or(without_role.can_register_applications);
    settings.allows_device_code = described.allow_device_code.or(settings.allows_device_code);
    settings.allows_password_grant = described.allow_password_grant.or(settings.allows_password_grant);
    if let Some(is) = described.allow_device_code_for_guests {
        settings.allows_device_code_for_guests = is;
    }
    if let Some(url) = &described.privacy_statement_url {
        let is_web = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        if url.len() > 255 || !is_web {
            return Err(invalid("privacyStatementUrl"));
        }
        settings.privacy_statement_url = Some(url.clone());
    }
    if let Some(language) = &described.preferred_language {
        let is_language =
            language.len() <= 32 && language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_language {
            return Err(invalid("preferredLanguage"));
        }
        settings.preferred_language = Some(language.clone());
    }
    if let Some(mails) = &described.technical_notification_mails {
        if mails.len() > 20 || mails.iter().any(|mail| Address::parse(mail).is_none()) {
            return Err(invalid("technicalNotificationMails"));
        }
        settings.technical_notification_mails.clone_from(mails);
    }
    Ok(())
}

/// What the pages show, as far as it is described.
pub(crate) fn looks(described: &WorldTenant) -> Vec<Change> {
    let color = described.accent_color.clone().map(|color| Change::AccentColor(Some(color)));
    let logo = described.logo_bytes.clone().map(|bytes| Change::Logo(Some(bytes)));
    let text = described.sign_in_page_text.clone().map(|text| Change::SignInText(Some(text)));
    [color, logo, text].into_iter().flatten().collect()
}

fn limits(settings: &TenantSettings) -> String {
    let set: Vec<_> =
        settings.limits.set().map(|(limit, most)| format!("{}: {most}", limit.as_str())).collect();
    format!("{{{}}}", set.join(", "))
}

fn differences(before: &Tenant, after: &Tenant) -> Vec<Changed> {
    let flag = |is: Option<bool>| is.map(|is| is.to_string());
    let quoted = |value: &Option<String>| value.as_deref().map(text);
    let (was, is) = (&before.settings, &after.settings);
    let picture = |logo: &Option<domain::tenancy::tenant::Logo>| {
        logo.as_ref().map(|logo| format!("a picture of {} bytes", logo.bytes.len()))
    };
    let logo = match was.logo == is.logo {
        true => None,
        // Two pictures may have the same size.
        false => Some(Changed {
            property: "logo".to_owned(),
            before: picture(&was.logo),
            after: picture(&is.logo).unwrap_or_default(),
        }),
    };
    let level = |level: AllowInvitesFrom| Some(text(level.as_str()));
    [
        changed("displayName", Some(text(&before.display_name)), Some(text(&after.display_name))),
        changed("allowInvitesFrom", level(was.allow_invites_from), level(is.allow_invites_from)),
        changed("limits", Some(limits(was)), Some(limits(is))),
        changed(
            "allowedToCreateTenants",
            flag(Some(was.can_users_create_tenants)),
            flag(Some(is.can_users_create_tenants)),
        ),
        changed(
            "allowedToCreateSecurityGroups",
            flag(Some(was.without_role.can_create_groups)),
            flag(Some(is.without_role.can_create_groups)),
        ),
        changed(
            "allowedToCreateApps",
            flag(Some(was.without_role.can_register_applications)),
            flag(Some(is.without_role.can_register_applications)),
        ),
        changed(
            "guestUserRoleId",
            Some(text(was.without_role.guest_level.id())),
            Some(text(is.without_role.guest_level.id())),
        ),
        changed("allowDeviceCode", flag(was.allows_device_code), flag(is.allows_device_code)),
        changed(
            "allowDeviceCodeForGuests",
            flag(Some(was.allows_device_code_for_guests)),
            flag(Some(is.allows_device_code_for_guests)),
        ),
        changed("allowPasswordGrant", flag(was.allows_password_grant), flag(is.allows_password_grant)),
        changed("privacyStatementUrl", quoted(&was.privacy_statement_url), quoted(&is.privacy_statement_url)),
        changed("preferredLanguage", quoted(&was.preferred_language), quoted(&is.preferred_language)),
        changed(
            "technicalNotificationMails",
            Some(texts(&was.technical_notification_mails)),
            Some(texts(&is.technical_notification_mails)),
        ),
        changed("accentColor", quoted(&was.accent_color), quoted(&is.accent_color)),
        logo,
        changed("signInPageText", quoted(&was.sign_in_text), quoted(&is.sign_in_text)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
