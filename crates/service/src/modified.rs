//! What a change did to the properties of an object, for the log (Graph: modifiedProperty): Graph's names, values as JSON.
//! Secrets are none of them; of a credential only what tells it from others is shown.

use domain::audit::Modified;
use domain::directory::application::{
    AppRole, Application, ClientCertificate, ClientSecret, Details, Platform, Scope, ServicePrincipal,
    TokenVersion,
};
use domain::directory::group::Group;
use domain::directory::property::{Kind, USER};
use domain::directory::token_claims::OptionalClaim;
use domain::directory::user::User;
use domain::issuance::consent_request::Reviewer;
use domain::tenancy::tenant::{Tenant, TenantSettings, WithoutRole};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The properties of an object by their names.
type State = BTreeMap<&'static str, Value>;

/// The properties in which two states differ.
fn between(before: State, mut after: State) -> Vec<Modified> {
    let shown = |value: Option<Value>| value.filter(|value| !value.is_null()).map(|value| value.to_string());
    let differs = |(name, before): (&'static str, Value)| {
        let after = after.remove(name);
        (after.as_ref() != Some(&before)).then(|| Modified {
            property: name.to_owned(),
            before: shown(Some(before)),
            after: shown(after),
        })
    };
    before.into_iter().filter_map(differs).collect()
}

pub(crate) fn of_user(before: &User, after: &User) -> Vec<Modified> {
    between(user(before), user(after))
}

/// Of a password only that there is another one.
pub(crate) fn password() -> Modified {
    Modified { property: "passwordProfile".to_owned(), before: None, after: None }
}

fn user(user: &User) -> State {
    let value = |kind, texts: Vec<_>, flag| match kind {
        Kind::Bool => Some(Value::from(flag)),
        Kind::Id | Kind::Text => Some(texts.into_iter().next().into()),
        Kind::Texts => Some(texts.into()),
        // Times tell when something else changed, and identities are bound, not written.
        Kind::Identities | Kind::Time => None,
    };
    let properties = USER.properties.iter().filter_map(|property| {
        let texts = user.texts(property).into_iter().map(String::from).collect();
        Some((property.name, value(property.kind, texts, user.flag(property.source))?))
    });
    properties.collect()
}

pub(crate) fn of_group(before: &Group, after: &Group) -> Vec<Modified> {
    between(group(before), group(after))
}

fn group(group: &Group) -> State {
    let Group {
        // What never changes, and what follows from the rest.
        id: _,
        mail: _,
        created_at: _,
        deleted_at: _,
        display_name,
        description,
        mail_nickname,
        is_security_enabled,
        is_unified,
        is_role_assignable,
        visibility,
        dynamic,
    } = group;
    let types = [("DynamicMembership", dynamic.is_some()), ("Unified", *is_unified)];
    let types: Vec<&str> = types.into_iter().filter_map(|(name, is)| is.then_some(name)).collect();
    [
        ("description", description.clone().into()),
        ("displayName", display_name.clone().into()),
        ("groupTypes", types.into()),
        ("isAssignableToRole", (*is_role_assignable).into()),
        ("mailNickname", mail_nickname.clone().into()),
        ("membershipRule", dynamic.as_ref().map(|dynamic| dynamic.rule.clone()).into()),
        ("membershipRuleProcessingState", dynamic.as_ref().map(|dynamic| dynamic.processing()).into()),
        ("securityEnabled", (*is_security_enabled).into()),
        ("visibility", visibility.map(|visibility| visibility.as_str()).into()),
    ]
    .into()
}

pub(crate) fn of_application(before: &Application, after: &Application) -> Vec<Modified> {
    between(application(before), application(after))
}

fn application(app: &Application) -> State {
    let Application {
        // What never changes, and what has records of its own.
        id: _,
        app_id: _,
        owner: _,
        token_algorithm: _,
        federated_credentials: _,
        created_at: _,
        deleted_at: _,
        display_name,
        audience,
        identifier_uris,
        redirect_uris,
        logout_url,
        home_page_url,
        is_fallback_public,
        front_channel,
        token_claims,
        secrets,
        certificates,
        scopes,
        roles,
        required_access,
        known_clients,
        pre_authorized,
        token_version,
        tags,
        notes,
        description,
        info,
        service_reference,
    } = app;
    let replies = |platform: Platform| -> Value {
        let of = redirect_uris.iter().filter(|uri| uri.platform == platform);
        of.map(|uri| uri.uri.as_str()).collect()
    };
    let ids = |ids: &[domain::id::PartId]| ids.iter().map(ToString::to_string).collect::<Value>();
    let access = required_access.iter().map(|access| {
        json!({ "resourceAppId": access.resource.to_string(), "scopes": ids(&access.scopes), "roles": ids(&access.roles) })
    });
    let trusted = pre_authorized.iter().map(
        |known| json!({ "appId": known.client.to_string(), "delegatedPermissionIds": ids(&known.scopes) }),
    );
    let version = match token_version {
        TokenVersion::V1 => Value::Null,
        TokenVersion::V2 => 2.into(),
    };
    let claims = |claims: &[OptionalClaim]| -> Value {
        claims
            .iter()
            .map(|claim| json!({ "name": claim.name.as_str(), "essential": claim.is_essential }))
            .collect()
    };
    [
        ("api.knownClientApplications", known_clients.iter().map(ToString::to_string).collect()),
        ("api.oauth2PermissionScopes", scopes.iter().map(scope).collect()),
        ("api.preAuthorizedApplications", trusted.collect()),
        ("api.requestedAccessTokenVersion", version),
        ("appRoles", roles.iter().map(role).collect()),
        ("description", description.clone().into()),
        ("displayName", display_name.clone().into()),
        ("groupMembershipClaims", token_claims.groups.text().into()),
        ("identifierUris", identifier_uris.clone().into()),
        ("info.marketingUrl", info.marketing_url.clone().into()),
        ("info.privacyStatementUrl", info.privacy_url.clone().into()),
        ("info.supportUrl", info.support_url.clone().into()),
        ("info.termsOfServiceUrl", info.terms_url.clone().into()),
        ("isFallbackPublicClient", (*is_fallback_public).into()),
        ("keyCredentials", certificates.iter().map(certificate).collect()),
        ("notes", notes.clone().into()),
        ("optionalClaims.accessToken", claims(&token_claims.access_token)),
        ("optionalClaims.idToken", claims(&token_claims.id_token)),
        ("passwordCredentials", secrets.iter().map(secret).collect()),
        ("publicClient.redirectUris", replies(Platform::Native)),
        ("requiredResourceAccess", access.collect()),
        ("serviceManagementReference", service_reference.clone().into()),
        ("signInAudience", audience.as_str().into()),
        ("spa.redirectUris", replies(Platform::Spa)),
        ("tags", tags.clone().into()),
        ("web.homePageUrl", home_page_url.clone().into()),
        ("web.implicitGrantSettings.enableAccessTokenIssuance", front_channel.has_access_tokens.into()),
        ("web.implicitGrantSettings.enableIdTokenIssuance", front_channel.has_id_tokens.into()),
        ("web.logoutUrl", logout_url.clone().into()),
        ("web.redirectUris", replies(Platform::Web)),
    ]
    .into()
}

fn scope(scope: &Scope) -> Value {
    json!({
        "adminConsentDescription": scope.description,
        "adminConsentDisplayName": scope.title,
        "id": scope.id.to_string(),
        "isEnabled": scope.is_enabled,
        "type": if scope.is_admin_only { "Admin" } else { "User" },
        "value": scope.value,
    })
}

fn role(role: &AppRole) -> Value {
    let kinds = [("Application", role.for_applications), ("User", role.for_users)];
    let kinds: Vec<&str> = kinds.into_iter().filter_map(|(kind, is)| is.then_some(kind)).collect();
    json!({
        "allowedMemberTypes": kinds,
        "description": role.description,
        "displayName": role.display_name,
        "id": role.id.to_string(),
        "isEnabled": role.is_enabled,
        "value": role.value,
    })
}

fn certificate(certificate: &ClientCertificate) -> Value {
    json!({ "displayName": certificate.display_name, "keyId": certificate.id.to_string() })
}

fn secret(secret: &ClientSecret) -> Value {
    json!({ "displayName": secret.display_name, "keyId": secret.id.to_string() })
}

/// Of secrets that one was added or removed.
pub(crate) fn of_secrets(before: &[ClientSecret], after: &[ClientSecret]) -> Vec<Modified> {
    let state =
        |secrets: &[ClientSecret]| [("passwordCredentials", secrets.iter().map(secret).collect())].into();
    between(state(before), state(after))
}

pub(crate) fn of_instance(before: &ServicePrincipal, after: &ServicePrincipal) -> Vec<Modified> {
    between(instance(before), instance(after))
}

fn instance(instance: &ServicePrincipal) -> State {
    let ServicePrincipal {
        // What never changes.
        id: _,
        app_id: _,
        created_at: _,
        deleted_at: _,
        is_enabled,
        is_assignment_required,
        details: Details { alternative_names, description, login_url, notes },
        secrets,
    } = instance;
    [
        ("accountEnabled", (*is_enabled).into()),
        ("alternativeNames", alternative_names.clone().into()),
        ("appRoleAssignmentRequired", (*is_assignment_required).into()),
        ("description", description.clone().into()),
        ("loginUrl", login_url.clone().into()),
        ("notes", notes.clone().into()),
        ("passwordCredentials", secrets.iter().map(secret).collect()),
    ]
    .into()
}

/// Of a tenant's settings, whichever policy or page they belong to.
pub(crate) fn of_tenant(before: &Tenant, after: &Tenant) -> Vec<Modified> {
    between(tenant(before), tenant(after))
}

fn tenant(tenant: &Tenant) -> State {
    let TenantSettings {
        // What the operator sets.
        invite_redirect_urls: _,
        allows_device_code: _,
        allows_device_code_for_guests: _,
        allows_password_grant: _,
        limits: _,
        allow_invites_from,
        accent_color,
        logo,
        privacy_statement_url,
        privacy_contact,
        preferred_language,
        country,
        technical_notification_mails,
        marketing_notification_mails,
        security_notification_mails,
        security_notification_phones,
        consent_requests,
        user_consent,
        without_role: WithoutRole { guest_level, can_create_groups, can_register_applications },
        can_users_create_tenants,
        sign_in_text,
    } = &tenant.settings;
    [
        ("displayName", tenant.display_name.clone().into()),
        ("allowInvitesFrom", allow_invites_from.as_str().into()),
        ("backgroundColor", accent_color.clone().into()),
        ("bannerLogo", logo.as_ref().map(|logo| logo.kind.as_str()).into()),
        ("privacyProfile.statementUrl", privacy_statement_url.clone().into()),
        ("privacyProfile.contactEmail", privacy_contact.clone().into()),
        ("preferredLanguage", preferred_language.clone().into()),
        ("countryLetterCode", country.clone().into()),
        ("technicalNotificationMails", technical_notification_mails.clone().into()),
        ("marketingNotificationEmails", marketing_notification_mails.clone().into()),
        ("securityComplianceNotificationMails", security_notification_mails.clone().into()),
        ("securityComplianceNotificationPhones", security_notification_phones.clone().into()),
        ("isEnabled", consent_requests.is_enabled.into()),
        ("notifyReviewers", consent_requests.notify_reviewers.into()),
        ("remindersEnabled", consent_requests.reminders_enabled.into()),
        ("requestDurationInDays", consent_requests.request_days.into()),
        ("reviewers", consent_requests.reviewers.iter().map(Reviewer::query).collect()),
        ("permissionGrantPoliciesAssigned", user_consent.policy().into_iter().collect()),
        ("guestUserRoleId", guest_level.id().to_string().into()),
        ("allowedToCreateSecurityGroups", (*can_create_groups).into()),
        ("allowedToCreateApps", (*can_register_applications).into()),
        ("allowedToCreateTenants", (*can_users_create_tenants).into()),
        ("signInPageText", sign_in_text.clone().into()),
    ]
    .into()
}
