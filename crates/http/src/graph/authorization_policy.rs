//! `/policies/authorizationPolicy`: what users may do by default, and who may invite.

use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, render};
use domain::directory::change::ChangeRefusal;
use domain::tenancy::tenant::{AllowInvitesFrom, GuestLevel, Tenant, UserConsent};
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::authorization_policy::PolicyPatch;

const APPS: &str = "allowedToCreateApps";
const GROUPS: &str = "allowedToCreateSecurityGroups";
const TENANTS: &str = "allowedToCreateTenants";
const CONSENT: &str = "permissionGrantPoliciesAssigned";
const USERS: &str = "defaultUserRolePermissions";

fn value(tenant: &Tenant) -> Map<String, Value> {
    let settings = &tenant.settings;
    applications::object(json!({
        "id": "authorizationPolicy",
        "allowEmailVerifiedUsersToJoinOrganization": false,
        "allowInvitesFrom": settings.allow_invites_from.as_str(),
        "allowUserConsentForRiskyApps": null,
        "allowedToSignUpEmailBasedSubscriptions": false,
        "allowedToUseSSPR": false,
        "blockMsolPowerShell": false,
        "defaultUserRolePermissions": {
            APPS: settings.without_role.can_register_applications,
            GROUPS: settings.without_role.can_create_groups,
            TENANTS: settings.can_users_create_tenants,
            "allowedToReadBitlockerKeysForOwnedDevice": false,
            "allowedToReadOtherUsers": true,
            "permissionGrantPoliciesAssigned": settings.user_consent.policy().into_iter().collect::<Vec<_>>(),
        },
        "description": "Used to manage authorization related settings across the company.",
        "displayName": "Authorization Policy",
        "guestUserRoleId": settings.without_role.guest_level.id(),
    }))
}

pub(super) fn get(ask: Ask<'_>) -> Handled {
    let tenant = ask.app.service.authorization_policy(ask.viewer)??;
    ask.serves(&["$select"])?;
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(&ask, "authorizationPolicy", true).into());
    body.extend(value(&tenant));
    Ok(Answer::Json(StatusCode::OK, applications::selected(&ask, body)?))
}

pub(super) async fn patch(ask: Ask<'_>) -> Handled {
    let patch = read(&ask.body)?;
    ask.app.service.update_authorization_policy(ask.viewer, patch, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// What cannot be changed may be sent as it is, so that a client can send back what it read.
fn read(body: &Map<String, Value>) -> Result<PolicyPatch, GraphError> {
    let fixed = [
        ("allowEmailVerifiedUsersToJoinOrganization", json!(false)),
        ("allowUserConsentForRiskyApps", Value::Null),
        ("allowedToSignUpEmailBasedSubscriptions", json!(false)),
        ("allowedToUseSSPR", json!(false)),
        ("blockMsolPowerShell", json!(false)),
    ];
    let fixed_of_users = [
        ("allowedToReadBitlockerKeysForOwnedDevice", json!(false)),
        ("allowedToReadOtherUsers", json!(true)),
    ];
    let invalid = |name: &str| GraphError::from(ChangeRefusal::Invalid(name.to_owned()));
    let is_as_it_is = |body: &Map<String, Value>, fixed: &[(&str, Value)]| {
        let other = fixed.iter().find(|(name, value)| body.get(*name).is_some_and(|given| given != value));
        other.map_or(Ok(()), |(name, _)| Err(invalid(name)))
    };
    let mut names: Vec<&str> = fixed.iter().map(|(name, _)| *name).collect();
    names.extend(["allowInvitesFrom", "guestUserRoleId", USERS]);
    let reader = Reader::new(body, &names)?;
    is_as_it_is(body, &fixed)?;
    let mut patch = PolicyPatch::default();
    if let Some(level) = reader.text("allowInvitesFrom")? {
        patch.allow_invites_from =
            Some(AllowInvitesFrom::parse(&level).ok_or_else(|| invalid("allowInvitesFrom"))?);
    }
    if let Some(level) = reader.text("guestUserRoleId")? {
        patch.guest_level = Some(GuestLevel::parse(&level).ok_or_else(|| invalid("guestUserRoleId"))?);
    }
    if let Some(users) = reader.object(USERS)? {
        let mut names: Vec<&str> = fixed_of_users.iter().map(|(name, _)| *name).collect();
        names.extend([APPS, GROUPS, TENANTS, CONSENT]);
        let reader = Reader::new(users, &names)?;
        is_as_it_is(users, &fixed_of_users)?;
        patch.can_users_create_groups = reader.flag(GROUPS)?;
        patch.can_users_create_tenants = reader.flag(TENANTS)?;
        patch.can_users_register_applications = reader.flag(APPS)?;
        if let Some(policies) = reader.texts(CONSENT)? {
            let problem = "Give 'ManagePermissionGrantsForSelf.microsoft-user-default-legacy', \
                'ManagePermissionGrantsForSelf.microsoft-user-default-low', or an empty list.";
            let consent = UserConsent::parse(&policies);
            patch.user_consent = Some(consent.ok_or(GraphError::Property { property: CONSENT, problem })?);
        }
    }
    Ok(patch)
}
