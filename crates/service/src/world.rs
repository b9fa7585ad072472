//! What a file says there shall be: tenants, people, groups and applications, in Graph's names. `hospes dev --seed` makes
//! a fresh world of it (`seed`), `hospes apply` brings a directory in line with it (`apply`).

use crate::Fault;
use crate::apply::PlanError;
use domain::directory::change::NewValue;
use domain::entropy::Entropy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

/// A world as a file describes it (design: the world document). What is left out is made for a fresh `dev` world, and left
/// alone by `apply`; an empty list counts as left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct World {
    pub tenants: Vec<WorldTenant>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldTenant {
    pub id: Option<Uuid>,
    /// The initial domain: guests' sign-in names end with it.
    pub domain: String,
    /// Verified domains besides.
    #[serde(alias = "domains", skip_serializing_if = "Vec::is_empty")]
    pub other_domains: Vec<String>,
    pub display_name: String,
    #[serde(alias = "regionScope", skip_serializing_if = "Option::is_none")]
    pub tenant_region_scope: Option<String>,
    #[serde(alias = "subScope", skip_serializing_if = "Option::is_none")]
    pub tenant_region_sub_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_invites_from: Option<String>,
    /// Whether devices may sign in with a code; the deployment's word if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_device_code: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_device_code_for_guests: Option<bool>,
    /// Whether programs may ask for passwords themselves; the deployment's word if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_password_grant: Option<bool>,
    /// Limits of this tenant alone, by their names; the deployment's if left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u32>,
    #[serde(alias = "backgroundColor", skip_serializing_if = "Option::is_none")]
    pub accent_color: Option<String>,
    /// Path of a PNG or JPEG file, seen from the description's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<PathBuf>,
    /// What that file holds: the program reads it, because nothing below opens files.
    #[serde(skip)]
    pub logo_bytes: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_statement_url: Option<String>,
    /// Whether people may make tenants of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_to_create_tenants: Option<bool>,
    /// Whether people without a role may make groups and register applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_to_create_security_groups: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_to_create_apps: Option<bool>,
    /// How much guests see, by the id that Graph gives the level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_user_role_id: Option<String>,
    /// Shown below the sign-in form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_page_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub technical_notification_mails: Option<Vec<String>>,
    pub users: Vec<WorldUser>,
    pub applications: Vec<WorldApplication>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<WorldGroup>,
    /// People of other organisations, invited by the operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<WorldGuest>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldGuest {
    pub email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where the guest lands after accepting; My Apps if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    /// Who answers for the guest, by user principal name; settled when the guest is invited.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sponsors: Vec<String>,
    /// Whether the guest gets the link by mail; yes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_invitation_message: Option<bool>,
}

/// A group, known by its `mailNickname`, or by its name where none is given.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldGroup {
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `[Unified]` for a Microsoft 365 group, `[DynamicMembership]` for one with a rule, or both; an assigned security group if
    /// left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_types: Option<Vec<String>>,
    /// Who is in a group with dynamic membership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_rule: Option<String>,
    /// `On` or `Paused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership_rule_processing_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_assignable_to_role: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<String>,
    /// Users and guests by their names, groups and applications by theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Directory roles of a group that is assignable to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldUser {
    pub id: Option<Uuid>,
    pub user_principal_name: String,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_mails: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_phones: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_in_address_list: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fax_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_location: Option<String>,
    /// The first password; never compared later.
    pub password: Option<String>,
    /// Whether the first password is for once; `apply` says yes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_change_password_next_sign_in: Option<bool>,
    pub roles: Vec<String>,
}

impl WorldUser {
    /// The properties that are given besides the sign-in name, by Graph's names.
    pub(crate) fn properties(&self) -> Vec<(&'static str, NewValue)> {
        let flag = |name, value: Option<bool>| value.map(|is| (name, NewValue::Bool(is)));
        let text = |name, value: &Option<String>| value.clone().map(|text| (name, NewValue::Text(text)));
        let texts =
            |name, value: &Option<Vec<String>>| value.clone().map(|texts| (name, NewValue::Texts(texts)));
        let name = Some(self.display_name.clone()).filter(|name| !name.is_empty());
        [
            text("displayName", &name),
            flag("accountEnabled", self.account_enabled),
            flag("showInAddressList", self.show_in_address_list),
            text("userType", &self.user_type),
            text("mail", &self.mail),
            text("mailNickname", &self.mail_nickname),
            texts("otherMails", &self.other_mails),
            texts("businessPhones", &self.business_phones),
        ]
        .into_iter()
        .flatten()
        .chain(self.profile())
        .collect()
    }

    /// Those of them that are plain texts.
    pub(crate) fn profile(&self) -> impl Iterator<Item = (&'static str, NewValue)> {
        [
            ("ageGroup", &self.age_group),
            ("city", &self.city),
            ("companyName", &self.company_name),
            ("country", &self.country),
            ("department", &self.department),
            ("employeeId", &self.employee_id),
            ("employeeType", &self.employee_type),
            ("faxNumber", &self.fax_number),
            ("givenName", &self.given_name),
            ("jobTitle", &self.job_title),
            ("mobilePhone", &self.mobile_phone),
            ("officeLocation", &self.office_location),
            ("postalCode", &self.postal_code),
            ("preferredLanguage", &self.preferred_language),
            ("state", &self.state),
            ("streetAddress", &self.street_address),
            ("surname", &self.surname),
            ("usageLocation", &self.usage_location),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.clone().map(|text| (name, NewValue::Text(text))))
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldApplication {
    pub app_id: Option<Uuid>,
    pub display_name: String,
    /// `web`, `spa`, `native`, `api` or `daemon`.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    pub redirect_uris: Vec<String>,
    /// Graph permissions: of an application for daemons, of people for the others.
    pub permissions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_tenant: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifier_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_signing_algorithm: Option<String>,
    /// Of access tokens for an API: 1 or 2.
    #[serde(alias = "tokenVersion", skip_serializing_if = "Option::is_none")]
    pub requested_access_token_version: Option<u8>,
    /// Scopes that an API offers; `access_as_user` if left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_page_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logout_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// What it may do for everybody of the tenant without asking them.
    #[serde(rename = "oauth2PermissionGrants", skip_serializing_if = "Vec::is_empty")]
    pub permission_grants: Vec<WorldPermissionGrant>,
    /// Directory roles that it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Roles that the application offers to people and applications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_roles: Vec<WorldAppRole>,
    /// Who holds those roles in this tenant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_role_assigned_to: Vec<WorldAssignment>,
    /// Whether only those may sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_role_assignment_required: Option<bool>,
}

/// An administrator's agreement for everybody (Graph: oauth2PermissionGrant).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldPermissionGrant {
    /// An application of the description; Microsoft Graph if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Names of delegated permissions, with spaces between them.
    pub scope: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldAppRole {
    pub value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `User`, `Application`, or both; both if left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_member_types: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldAssignment {
    /// A user, group or application of the tenant, by name.
    pub principal: String,
    /// The role's value.
    pub app_role: String,
}

impl WorldUser {
    pub(crate) fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.user_principal_name } else { &self.display_name }
    }
}

impl WorldGroup {
    /// By what the group is known.
    pub(crate) fn key(&self) -> &str {
        self.mail_nickname.as_deref().unwrap_or(&self.display_name)
    }
}

impl WorldApplication {
    /// By what the application is known.
    pub(crate) fn key(&self) -> String {
        self.app_id.map_or_else(|| self.display_name.to_lowercase(), |id| id.to_string())
    }

    /// Whether one of its kind proves itself by a secret.
    pub(crate) fn has_secret(&self) -> bool {
        matches!(self.kind.as_str(), "daemon" | "web")
    }
}

/// A password that people can type: different every time, and of three kinds of characters.
pub(crate) fn made_password(entropy: &Entropy) -> String {
    let text: String =
        entropy.secret("password").chars().filter(char::is_ascii_alphanumeric).take(14).collect();
    format!("Hs-{text}")
}

/// What is wrong with a description, and where.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("{place}: {problem}")]
    Description { place: String, problem: String },
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What is applied to the fresh tenants cannot be planned, or is refused.
    #[error("{0}")]
    Plan(PlanError),
}

pub(crate) fn problem(place: &str, problem: impl Into<String>) -> SeedError {
    SeedError::Description { place: place.to_owned(), problem: problem.into() }
}

/// Application permissions of the built-in daemons (design §7), as far as Graph here knows them.
pub(crate) const DAEMON_PERMISSIONS: [&str; 20] = [
    "User.ReadWrite.All",
    "User.Invite.All",
    "User.DeleteRestore.All",
    "Group.ReadWrite.All",
    "Directory.ReadWrite.All",
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "Organization.Read.All",
    "Organization.ReadWrite.All",
    "Domain.Read.All",
    "Policy.Read.All",
    "Policy.ReadWrite.ApplicationConfiguration",
    "Policy.ReadWrite.CrossTenantAccess",
    "Policy.ReadWrite.ConditionalAccess",
    "Policy.ReadWrite.ConsentRequest",
    "ConsentRequest.ReadWrite.All",
    "AuditLog.Read.All",
    "CrossTenantInformation.ReadBasic.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "RoleManagement.ReadWrite.Directory",
];

/// The world that comes with the product: Contoso and Fabrikam.
pub fn built_in() -> World {
    let user = |name: &str, display: &str, title: &str, roles: &[&str]| WorldUser {
        user_principal_name: name.to_owned(),
        display_name: display.to_owned(),
        given_name: display.split(' ').next().map(str::to_owned),
        surname: display.split(' ').nth(1).map(str::to_owned),
        job_title: Some(title.to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..WorldUser::default()
    };
    let apps = |organization: &str, is_spa_shared: bool| {
        let app = |kind: &str, name: &str| WorldApplication {
            display_name: format!("{organization} {name}"),
            kind: kind.to_owned(),
            ..WorldApplication::default()
        };
        vec![
            app("web", "Web"),
            WorldApplication { multi_tenant: Some(is_spa_shared), ..app("spa", "Single Page") },
            app("native", "Desktop"),
            app("api", "Tasks API"),
            WorldApplication { token_signing_algorithm: Some("ES256".to_owned()), ..app("api", "Fast API") },
            app("daemon", "Daemon"),
        ]
    };
    World {
        tenants: vec![
            WorldTenant {
                domain: "contoso.test".to_owned(),
                display_name: "Contoso".to_owned(),
                tenant_region_scope: Some("EU".to_owned()),
                accent_color: Some("#0f5c8a".to_owned()),
                users: vec![
                    user("alice@contoso.test", "Alice Adams", "Administrator", &["Global Administrator"]),
                    user("carol@contoso.test", "Carol Clark", "Engineer", &[]),
                    user("dave@contoso.test", "Dave Diaz", "Designer", &[]),
                ],
                applications: apps("Contoso", true),
                ..WorldTenant::default()
            },
            WorldTenant {
                domain: "fabrikam.test".to_owned(),
                display_name: "Fabrikam".to_owned(),
                tenant_region_scope: Some("NA".to_owned()),
                accent_color: Some("#7a2e8e".to_owned()),
                users: vec![
                    user("frank@fabrikam.test", "Frank Foster", "Administrator", &["Global Administrator"]),
                    user("bob@fabrikam.test", "Bob Brown", "Consultant", &[]),
                    user("eve@fabrikam.test", "Eve Evans", "Analyst", &[]),
                ],
                applications: apps("Fabrikam", false),
                ..WorldTenant::default()
            },
        ],
    }
}

/// Fills in what a description leaves out: ids, passwords, secrets, the addresses of each kind of application.
pub fn complete(mut world: World, base: &str, entropy: &Entropy) -> Result<World, SeedError> {
    for (index, tenant) in world.tenants.iter_mut().enumerate() {
        let entropy = entropy.child("world tenant", index);
        tenant.id.get_or_insert_with(|| entropy.uuid("tenant"));
        for (index, user) in tenant.users.iter_mut().enumerate() {
            let entropy = entropy.child("world user", index);
            user.id.get_or_insert_with(|| entropy.uuid("user"));
            user.password.get_or_insert_with(|| made_password(&entropy));
        }
        for (index, app) in tenant.applications.iter_mut().enumerate() {
            complete_application(app, base, &entropy.child("world application", index))
                .map_err(|text| problem(&format!("{} / {}", tenant.domain, app.display_name), text))?;
        }
    }
    Ok(world)
}

fn complete_application(
    app: &mut WorldApplication,
    base: &str,
    entropy: &Entropy,
) -> Result<(), &'static str> {
    let app_id = *app.app_id.get_or_insert_with(|| entropy.uuid("app id"));
    let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (redirects, permissions) = match app.kind.as_str() {
        "web" => (own(&["http://localhost:5000/callback"]), own(&["User.Read"])),
        "spa" => {
            (own(&["http://localhost:5001/", "http://localhost:5001/redirect.html"]), own(&["User.Read"]))
        }
        "native" => (
            vec!["http://localhost".to_owned(), format!("{base}/common/oauth2/nativeclient")],
            own(&["User.Read"]),
        ),
        "api" => {
            if app.identifier_uris.is_empty() {
                app.identifier_uris.push(format!("api://{app_id}"));
            }
            (Vec::new(), Vec::new())
        }
        "daemon" => (Vec::new(), own(&DAEMON_PERMISSIONS)),
        _ => return Err("kind must be web, spa, native, api or daemon"),
    };
    app.multi_tenant.get_or_insert(false);
    if app.redirect_uris.is_empty() {
        app.redirect_uris = redirects;
    }
    if app.permissions.is_empty() {
        app.permissions = permissions;
    }
    if app.kind == "web" && app.home_page_url.is_none() {
        app.home_page_url = app.redirect_uris.first().and_then(|uri| {
            let url = url::Url::parse(uri).ok()?;
            url.join("/").ok().map(String::from)
        });
    }
    if app.has_secret() {
        app.secret.get_or_insert_with(|| {
            let text: String = entropy.secret("secret").chars().take(40).collect();
            text
        });
    }
    Ok(())
}

/// What to seed at a later start: tenants that exist stay as they were made, whatever a description says now, because
/// only what was kept knows their ids, passwords and secrets.
pub fn resume(described: World, kept: World, exists: impl Fn(&str) -> bool) -> World {
    let mut kept: Vec<WorldTenant> =
        kept.tenants.into_iter().filter(|tenant| exists(&tenant.domain)).collect();
    let mut tenants = Vec::new();
    for tenant in described.tenants {
        let known = kept.iter().position(|known| known.domain.eq_ignore_ascii_case(&tenant.domain));
        tenants.push(known.map_or(tenant, |index| kept.remove(index)));
    }
    tenants.append(&mut kept);
    World { tenants }
}
