//! The applications that come with the product: known in every tenant, registered by none.
//!
//! Graph's permissions carry the ids that Microsoft Graph published for them, because clients and scripts
//! name permissions by id (Graph: requiredResourceAccess). The words are ours; the consent page shows them.

use crate::directory::application::{
    AppRole, Application, FrontChannel, Information, Scope, SignInAudience, TokenVersion,
};
use crate::directory::token_claims::TokenClaims;
use crate::id::{AppId, ApplicationId, PartId};
use crate::time::Timestamp;
use standards::jose::Algorithm;
use std::sync::LazyLock;
use uuid::{Uuid, uuid};

/// The directory's own API, under the id that every Graph client expects.
pub const GRAPH_APP_ID: AppId = AppId::new(uuid!("00000003-0000-0000-c000-000000000000"));
/// The page that lists a user's applications; where a guest lands if the invitation names no other place.
pub const MY_APPS_APP_ID: AppId = AppId::new(uuid!("2793995e-0a7d-40d7-bd35-6968ba142197"));

static GRAPH: LazyLock<Application> = LazyLock::new(|| Application {
    identifier_uris: vec!["https://graph.microsoft.com".to_owned()],
    scopes: GRAPH_PERMISSIONS.iter().filter_map(GraphPermission::scope).collect(),
    roles: GRAPH_PERMISSIONS.iter().filter_map(GraphPermission::role).collect(),
    ..bare(GRAPH_APP_ID, "Microsoft Graph", TokenVersion::V1)
});

static MY_APPS: LazyLock<Application> = LazyLock::new(|| bare(MY_APPS_APP_ID, "My Apps", TokenVersion::V2));

/// The directory's API as an application (Graph: servicePrincipal `Microsoft Graph`).
pub fn graph() -> &'static Application {
    &GRAPH
}

/// The page of a user's applications as an application.
pub fn my_apps() -> &'static Application {
    &MY_APPS
}

/// Every application that comes with the product.
pub fn all() -> [&'static Application; 2] {
    [graph(), my_apps()]
}

fn bare(app_id: AppId, display_name: &str, token_version: TokenVersion) -> Application {
    Application {
        // No tenant holds the registration, so its object id is never looked up; it only has to be stable.
        id: ApplicationId::new(app_id.uuid()),
        app_id,
        owner: None,
        display_name: display_name.to_owned(),
        audience: SignInAudience::AnyTenant,
        identifier_uris: Vec::new(),
        redirect_uris: Vec::new(),
        logout_url: None,
        home_page_url: None,
        is_fallback_public: false,
        front_channel: FrontChannel::default(),
        token_claims: TokenClaims::default(),
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated_credentials: Vec::new(),
        scopes: Vec::new(),
        roles: Vec::new(),
        required_access: Vec::new(),
        known_clients: Vec::new(),
        pre_authorized: Vec::new(),
        token_version,
        token_algorithm: Algorithm::Rs256,
        tags: Vec::new(),
        notes: None,
        description: None,
        info: Information::default(),
        service_reference: None,
        created_at: Timestamp::from_millis(0),
        deleted_at: None,
    }
}

/// A permission of Graph: one name, offered to applications, to users through applications, or to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphPermission {
    pub value: &'static str,
    /// Id of the app role; `None` where only a signed-in user's application can hold it.
    pub application: Option<Uuid>,
    /// Id of the delegated scope; `None` where only an application on its own can hold it.
    pub delegated: Option<Uuid>,
    /// Whether users need an administrator to consent to the delegated scope.
    pub is_admin_only: bool,
    pub title: &'static str,
    pub description: &'static str,
}

impl GraphPermission {
    fn scope(&self) -> Option<Scope> {
        self.delegated.map(|id| Scope {
            id: PartId::new(id),
            value: self.value.to_owned(),
            title: self.title.to_owned(),
            description: self.description.to_owned(),
            is_admin_only: self.is_admin_only,
            is_enabled: true,
        })
    }

    fn role(&self) -> Option<AppRole> {
        self.application.map(|id| AppRole {
            id: PartId::new(id),
            value: self.value.to_owned(),
            display_name: self.title.to_owned(),
            description: self.description.to_owned(),
            for_applications: true,
            for_users: false,
            is_enabled: true,
        })
    }
}

/// A row: name, who may consent to the scope, id as app role, id as delegated scope, title, description.
macro_rules! permissions {
    (@id none) => { None };
    (@id $id:literal) => { Some(uuid!($id)) };
    (@admin admin) => { true };
    (@admin user) => { false };
    ($($value:literal $consent:ident $application:tt $delegated:tt $title:literal $description:literal)*) => {
        &[$(GraphPermission {
            value: $value,
            application: permissions!(@id $application),
            delegated: permissions!(@id $delegated),
            is_admin_only: permissions!(@admin $consent),
            title: $title,
            description: $description,
        }),*]
    };
}

/// Every permission of Graph that is offered here (Graph: permissions reference). OpenID scopes come first,
/// for they are granted with Graph's (OIDC Core §5.4, §11).
pub const GRAPH_PERMISSIONS: &[GraphPermission] = permissions! {
    "email" user
        none "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0"
        "See your e-mail address"
        "The app learns the e-mail address of your account."
    "offline_access" user
        none "7427e0e9-2fba-42fe-b0c0-848c9e6a8182"
        "Stay connected"
        "The app keeps the access you give it while you are away, until you or an administrator end it."
    "openid" user
        none "37f7f235-527c-4136-accd-4a02d197296e"
        "Sign you in"
        "You use your account to sign in to the app, and the app recognises you next time."
    "profile" user
        none "14dad69e-099b-42c9-810b-d002981feec1"
        "See who you are"
        "The app learns your name, your sign-in name and the id of your account."

    "APIConnectors.ReadWrite.All" admin
        "1dfe531a-24a6-4f1b-80f4-7a0dc5a0a171" "c67b52c5-7c69-48b6-9d48-7b3af3ded914"
        "Manage sign-up connectors"
        "The app sees and changes the connectors that sign-up calls at other services."
    "Agreement.Read.All" admin
        "2f3e6f8c-093b-4c57-a58b-ba5ce494a169" "af2819c9-df71-4dd3-ade7-4d7c9dc653b7"
        "See terms of use"
        "The app sees the terms of use that the organisation set up."
    "AppRoleAssignment.ReadWrite.All" admin
        "06b708a9-e830-4db3-a914-8e69da51d44f" "84bccea3-f856-4a8a-967b-dbe0a3d53a64"
        "Assign app roles and app permissions"
        "The app gives and takes app roles, permissions of other apps and its own included."
    "Application.Read.All" admin
        "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30" "c79f8feb-a9db-4090-85f9-90d820caa0eb"
        "See applications"
        "The app sees the organisation's applications and service principals."
    "Application.ReadWrite.All" admin
        "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9" "bdfbf15f-ee85-4955-8675-146e8e5296b5"
        "Manage applications"
        "The app registers, changes and removes applications and service principals, and sets their secrets."
    "Application.ReadWrite.OwnedBy" admin
        "18a4783c-866b-4cc7-a460-3d5e5662c884" none
        "Manage its own applications"
        "The app registers applications and changes or removes those that it owns. It sees the others."
    "AuditLog.Read.All" admin
        "b0afded3-3588-46d8-8b3d-9842eff778da" "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20"
        "See audit and sign-in logs"
        "The app sees what was changed in the directory, and who signed in, when and from where."
    "ConsentRequest.Read.All" admin
        "f3bfad56-966e-4590-a536-82ecf548ac1e" "1260ad83-98fb-4785-abbb-d6cc1806fd41"
        "See requests for approval"
        "The app sees which applications people ask an administrator to approve, and why."
    "ConsentRequest.ReadWrite.All" admin
        "497d9dfa-3bd1-481a-baab-90895e54568c" "9f1b81a7-0223-4428-bfa4-0bcb5535f27d"
        "Manage requests for approval"
        "The app sees and answers what people ask an administrator to approve."
    "CrossTenantInformation.ReadBasic.All" admin
        "cac88765-0581-4025-9725-5ebc13f729ee" "81594d25-e88e-49cf-ac8c-fecbff49f994"
        "Look up other organisations"
        "The app finds another organisation's public name by its id or domain."
    "DelegatedPermissionGrant.ReadWrite.All" admin
        "8e8e4742-1d95-4f68-9d56-6ee75648c72a" "41ce6ca6-6826-4807-84f1-1c82854f7ee5"
        "Manage consent"
        "The app gives and withdraws consent to delegated permissions, for any app and any user."
    "Directory.Read.All" admin
        "7ab1d382-f21e-4acd-a863-ba3e13f7da61" "06da0dbc-49e2-44d2-8312-53f166ab848a"
        "See the whole directory"
        "The app sees users, groups, applications and the organisation's settings."
    "Directory.ReadWrite.All" admin
        "19dbc75e-c2e2-444c-a770-ec69d8559fc7" "c5366453-9fb0-48a5-a156-24f0c49a4b84"
        "Manage the directory"
        "The app sees and changes users and groups. It cannot delete them or reset passwords by this alone."
    "Domain.Read.All" admin
        "dbb9058a-0e50-45d7-ae91-66909b5d4664" "2f9ee017-59c1-4f1d-9472-bd5529a7b311"
        "See domains"
        "The app sees the organisation's domain names and whether they are verified."
    "Domain.ReadWrite.All" admin
        "7e05723c-0bb0-42da-be95-ae9f08a6e53c" "0b5d694c-a244-4bde-86e6-eb5cd07730fe"
        "Manage domains"
        "The app adds, verifies, changes and removes the organisation's domain names."
    "Group.Create" admin
        "bf7b1a76-6e77-406b-b258-bf5c7720e98f" none
        "Create groups"
        "The app creates groups. It sees and changes no others by this."
    "Group.Read.All" admin
        "5b567255-7703-4780-807c-7be8301ae99b" "5f8c59db-677d-491f-a6b8-5f174b11ec1d"
        "See groups"
        "The app sees every group, its members and its content."
    "Group.ReadBasic.All" admin
        "07d67222-3a10-4d3b-9ddc-b8aa43198a00" "ba1917bc-a64b-4c71-b66d-229d4a520e66"
        "See the names of groups"
        "The app sees which groups there are, but not their members."
    "Group.ReadWrite.All" admin
        "62a82d76-70ea-41e2-9197-370581804d09" "4e46008b-f24c-477d-8fff-7bb4ec7aafe0"
        "Manage groups"
        "The app creates, changes and deletes groups, and decides who is a member."
    "GroupMember.Read.All" admin
        "98830695-27a2-44f7-8c18-0c3ebc9698f6" "bc024368-1153-4739-b217-4326f2e966d0"
        "See who is in which group"
        "The app sees groups and their members."
    "GroupMember.ReadWrite.All" admin
        "dbaae8cf-10b5-4b86-a4a1-f871c94c6695" "f81125ac-d3b7-4573-a3b2-7099cc39df9e"
        "Manage who is in which group"
        "The app adds members to groups and removes them."
    "IdentityProvider.Read.All" admin
        "e321f0bb-e7f7-481e-bb28-e3b0b32d4bd0" "43781733-b5a7-4d1b-98f4-e8edff23e1a9"
        "See identity providers"
        "The app sees with whom guests may sign in."
    "IdentityProvider.ReadWrite.All" admin
        "90db2b9a-d928-4d33-a4dd-8442ae3d41e4" "f13ce604-1677-429f-90bd-8a10b9f01325"
        "Manage identity providers"
        "The app decides with whom guests may sign in."
    "IdentityUserFlow.Read.All" admin
        "1b0c317f-dd31-4305-9932-259a8b6e8099" "2903d63d-4611-4d43-99ce-a33f3f52e343"
        "See sign-up flows"
        "The app sees how people sign up by themselves."
    "IdentityUserFlow.ReadWrite.All" admin
        "65319a09-a2be-469d-8782-f6b07debf789" "281892cc-4dbf-4e3a-b6cc-b21029bb4e82"
        "Manage sign-up flows"
        "The app decides how people sign up by themselves."
    "MultiTenantOrganization.Read.All" admin
        "4f994bc0-31bb-44bb-b480-7a7c1be8c02e" "526aa72a-5878-49fe-bf4e-357973af9b06"
        "See the group of organisations"
        "The app sees the multitenant organisation that this one is part of, and its members."
    "MultiTenantOrganization.ReadBasic.All" user
        "f9c2b2a7-3895-4b2e-80f6-c924b456e50b" "225db56b-15b2-4daa-acb3-0eec2bbe4849"
        "See the names in the group of organisations"
        "The app sees which organisations belong together with this one."
    "MultiTenantOrganization.ReadWrite.All" admin
        "920def01-ca61-4d2d-b3df-105b46046a70" "77af1528-84f3-4023-8d90-d219cd433108"
        "Manage the group of organisations"
        "The app sets up the multitenant organisation, invites organisations to it and removes them."
    "Organization.Read.All" admin
        "498476ce-e0fe-48b0-b801-37ba7e2685c6" "4908d5b9-3fb2-4b1e-9336-1888b7937185"
        "See the organisation"
        "The app sees the organisation's name, domains, contacts and settings."
    "Organization.ReadWrite.All" admin
        "292d869f-3427-49a8-9dab-8c70152b74e9" "46ca0847-7e6b-426e-9775-ea810a948356"
        "Manage the organisation"
        "The app changes the organisation's name, contacts and settings."
    "OrganizationalBranding.Read.All" admin
        "eb76ac34-0d62-4454-b97c-185e4250dc20" "9082f138-6f02-4f3a-9f4d-5f3c2ce5c688"
        "See the organisation's branding"
        "The app sees the colour, logo and text of the organisation's sign-in pages."
    "OrganizationalBranding.ReadWrite.All" admin
        "d2ebfbc1-a5f8-424b-83a6-56ab5927a73c" "15ce63de-b141-4c9a-a9a5-241bf27c6aaf"
        "Manage the organisation's branding"
        "The app changes the colour, logo and text of the organisation's sign-in pages."
    "Policy.Read.All" admin
        "246dd0d5-5bd0-4def-940b-0421030a5b68" "572fea84-0151-49b2-9301-11cb16974376"
        "See policies"
        "The app sees every policy of the organisation."
    "Policy.Read.AuthenticationMethod" admin
        "8e3bc81b-d2f3-4b7b-838c-32c88218d2f0" "a6ff13ac-1851-4993-8ca9-a671d70de2d5"
        "See how people may sign in"
        "The app sees which sign-in methods the organisation allows."
    "Policy.Read.ConditionalAccess" user
        "37730810-e9ba-4e46-b07e-8ca78d182097" "633e0fce-8c58-4cfb-9495-12bbd5a24f7c"
        "See Conditional Access"
        "The app sees the conditions under which people get in."
    "Policy.ReadWrite.ApplicationConfiguration" admin
        "be74164b-cff1-491c-8741-e671cb536e13" "b27add92-efb2-4f16-84f5-8108ba77985c"
        "Manage token policies"
        "The app decides what tokens hold and how long they live."
    "Policy.ReadWrite.AuthenticationFlows" admin
        "25f85f3c-f66c-4205-8cd5-de92dd7f0cec" "edb72de9-4252-4d03-a925-451deef99db7"
        "Manage self-service sign-up"
        "The app decides whether people may sign up by themselves."
    "Policy.ReadWrite.AuthenticationMethod" admin
        "29c18626-4985-4dcd-85c0-193eef327366" "7e823077-d88e-468f-a337-e18f1f0e6c7c"
        "Manage how people may sign in"
        "The app decides which sign-in methods the organisation allows."
    "Policy.ReadWrite.Authorization" admin
        "fb221be6-99f2-473f-bd32-01c6a0e9ca3b" "edd3c878-b384-41fd-95ad-e7407dd775be"
        "Manage what users may do"
        "The app decides who may invite, what guests see and what members may create."
    "Policy.ReadWrite.ConditionalAccess" admin
        "01c0a623-fc9b-48e9-b794-0756f8e8f067" "ad902697-1014-4ef5-81ef-2b4301988e8c"
        "Manage Conditional Access"
        "The app decides under which conditions people get in."
    "Policy.ReadWrite.ConsentRequest" admin
        "4d135e65-66b8-41a8-9f8b-081452c91774" "999f8c63-0a38-4f1b-91fd-ed1947bdd1a9"
        "Manage who approves applications"
        "The app decides whether people may ask for approval of applications, and who is asked."
    "Policy.ReadWrite.CrossTenantAccess" admin
        "338163d7-f101-4c92-94ba-ca46fe52447c" "014b43d0-6ed4-4fc6-84dc-4b6f7bae7d85"
        "Manage cross-tenant access"
        "The app decides with which organisations this one collaborates, and whose proofs it trusts."
    "Policy.ReadWrite.SecurityDefaults" admin
        "1c6e93a6-28e2-4cbb-9f64-1a46a821124d" "0b2a744c-2abf-4f1e-ad7e-17a087e2be99"
        "Manage security defaults"
        "The app turns the organisation's security defaults on or off."
    "RoleManagement.Read.Directory" admin
        "483bed4a-2ad3-4361-a73b-c83ccdbdc53c" "741c54c3-0c1e-44a1-818b-3f97ab4e8c83"
        "See administrators"
        "The app sees the directory roles and who holds them."
    "RoleManagement.ReadWrite.Directory" admin
        "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8" "d01b97e9-cbc0-49fe-810a-750afd5527a3"
        "Appoint administrators"
        "The app gives and takes directory roles, the highest included."
    "User-ConvertToInternal.ReadWrite.All" admin
        "9d952b72-f741-4b40-9185-8c53076c2339" "550e695c-7511-40f4-ac79-e8fb9c82552d"
        "Turn external users into internal ones"
        "The app gives an external user an account of this organisation instead."
    "User-Mail.ReadWrite.All" admin
        "280d0935-0796-47d1-8d26-273470a3f17a" "6166886a-9576-433b-8544-658177bdef1d"
        "Manage further e-mail addresses"
        "The app sees and changes the other e-mail addresses of every user."
    "User.DeleteRestore.All" admin
        "eccc023d-eccf-4e7b-9683-8813ab36cecc" "4bb440cd-2cf2-4f90-8004-aa2acd2537c5"
        "Delete and restore users"
        "The app deletes users, brings deleted ones back and removes them for good."
    "User.EnableDisableAccount.All" admin
        "3011c876-62b7-4ada-afa2-506cbbecc68c" "f92e74e7-2563-467f-9dd0-902688cb5863"
        "Block and unblock users"
        "The app decides whether a user may sign in."
    "User.Invite.All" admin
        "09850681-111b-4a89-9bed-3f2cae46d706" "63dd7cd9-b489-4adf-a28c-ac38b9a0f962"
        "Invite guests"
        "The app invites people from outside into the organisation."
    "User.ManageIdentities.All" admin
        "c529cfca-c91b-489c-af2b-d92990b66ce6" "637d7bec-b31e-4deb-acc9-24275642a2c9"
        "Manage sign-in identities"
        "The app sees and changes the identities by which users sign in."
    "User.Read" user
        none "e1fe6dd8-ba31-4d61-89e7-88639da4683d"
        "Read your profile"
        "The app signs you in, and sees your profile and your organisation's name."
    "User.Read.All" admin
        "df021288-bdef-4463-88db-98f22de89214" "a154be20-db9c-4678-8ab7-66f6cc099a59"
        "See every user's profile"
        "The app sees all properties of every user that it may read."
    "User.ReadBasic.All" user
        "97235f07-e226-4f63-ace3-39588e11d3a1" "b340eb25-3456-403f-be2f-af7a0d370277"
        "See every user's name and e-mail address"
        "The app sees names, e-mail addresses and sign-in names, and nothing else of a profile."
    "User.ReadWrite" user
        none "b4e74841-8e56-480b-be8b-910348b18b4c"
        "Read and change your profile"
        "The app sees your profile and changes what you may change yourself, like your phone number."
    "User.ReadWrite.All" admin
        "741f803b-c850-494e-b5df-cde7c675a1ca" "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4"
        "Manage users"
        "The app creates, changes and deletes users, and invites guests."
    "User.RevokeSessions.All" admin
        "77f3a031-c388-4f99-b373-dc68676a979e" "fc30e98b-8810-4501-81f5-c20a3196387b"
        "Sign users out everywhere"
        "The app ends every session of a user."
    "UserAuthMethod-Phone.Read" admin
        none "43dab3b9-e8b4-424d-8e13-6a2ad2a625fa"
        "See your sign-in phone numbers"
        "The app sees the phone numbers that you prove yourself with."
    "UserAuthMethod-Phone.Read.All" admin
        "f529a223-ea70-43ec-b268-5012de2fbaa2" "20cf4ae1-09b9-4d29-a6f8-43e1820ce60c"
        "See every user's sign-in phone numbers"
        "The app sees the phone numbers that users prove themselves with."
    "UserAuthMethod-Phone.ReadWrite" admin
        none "6c4aad61-f76b-46ad-a22c-57d4d3d962af"
        "Manage your sign-in phone numbers"
        "The app changes the phone numbers that you prove yourself with."
    "UserAuthMethod-Phone.ReadWrite.All" admin
        "6e85d483-7092-4375-babe-0a94a8213a58" "48c99302-9a24-4f27-a8a7-acef4debba14"
        "Manage every user's sign-in phone numbers"
        "The app changes the phone numbers that users prove themselves with."
    "UserAuthMethod-TAP.Read" admin
        none "84ded88f-26ba-49d6-b776-efec398de692"
        "See your temporary passes"
        "The app sees whether you have a temporary access pass. It does not see the pass."
    "UserAuthMethod-TAP.Read.All" admin
        "bf82209c-b22b-4747-ac88-a68be99032cf" "6976c635-c9c2-41e6-a21d-e6913a155273"
        "See every user's temporary passes"
        "The app sees who has a temporary access pass. It does not see the pass."
    "UserAuthMethod-TAP.ReadWrite" admin
        none "2424436d-902f-4651-a1c7-b3b93147c960"
        "Manage your temporary passes"
        "The app makes and removes temporary access passes for you."
    "UserAuthMethod-TAP.ReadWrite.All" admin
        "627169a8-8c15-451c-861a-5b80e383de5c" "05de4a66-e51a-4312-842a-30c8094698d2"
        "Manage every user's temporary passes"
        "The app makes and removes temporary access passes, with which it could sign in as the user."
    "UserAuthenticationMethod.Read" admin
        none "1f6b61c5-2f65-4135-9c9f-31c0f8d32b52"
        "See your sign-in methods"
        "The app sees which sign-in methods you set up. It does not see secrets."
    "UserAuthenticationMethod.Read.All" admin
        "38d9df27-64da-44fd-b7c5-a6fbac20248f" "aec28ec7-4d02-4e8c-b864-50163aea77eb"
        "See every user's sign-in methods"
        "The app sees which sign-in methods users set up. It does not see secrets."
    "UserAuthenticationMethod.ReadWrite" admin
        none "48971fc1-70d7-4245-af77-0beb29b53ee2"
        "Manage your sign-in methods"
        "The app adds and removes your sign-in methods."
    "UserAuthenticationMethod.ReadWrite.All" admin
        "50483e42-d915-4231-9639-7fdb7fd190e5" "b7887744-6746-4312-813d-72daeaee7e2d"
        "Manage every user's sign-in methods"
        "The app adds and removes users' sign-in methods and resets their passwords."
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn find(value: &str) -> &'static GraphPermission {
        GRAPH_PERMISSIONS.iter().find(|permission| permission.value == value).unwrap()
    }

    #[test]
    fn every_permission_has_its_own_name_and_its_own_ids() {
        let names: BTreeSet<_> = GRAPH_PERMISSIONS.iter().map(|permission| permission.value).collect();
        assert_eq!(names.len(), GRAPH_PERMISSIONS.len());
        let ids: Vec<_> = GRAPH_PERMISSIONS
            .iter()
            .flat_map(|permission| [permission.application, permission.delegated])
            .flatten()
            .collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert_eq!(ids.len(), graph().scopes.len() + graph().roles.len());
        for permission in GRAPH_PERMISSIONS {
            assert!(
                permission.application.is_some() || permission.delegated.is_some(),
                "{}",
                permission.value
            );
        }
    }

    #[test]
    fn openid_scopes_and_the_own_profile_are_delegated_only() {
        for value in ["email", "offline_access", "openid", "profile", "User.Read", "User.ReadWrite"] {
            let permission = find(value);
            assert!(permission.application.is_none() && permission.delegated.is_some(), "{value}");
            assert!(!permission.is_admin_only, "{value}");
        }
    }

    #[test]
    fn what_reaches_beyond_the_own_profile_needs_an_administrator() {
        let by_users: Vec<_> = GRAPH_PERMISSIONS
            .iter()
            .filter(|permission| permission.delegated.is_some() && !permission.is_admin_only)
            .map(|permission| permission.value)
            .collect();
        let expected = [
            "email",
            "offline_access",
            "openid",
            "profile",
            "MultiTenantOrganization.ReadBasic.All",
            "Policy.Read.ConditionalAccess",
            "User.Read",
            "User.ReadBasic.All",
            "User.ReadWrite",
        ];
        assert_eq!(by_users, expected);
    }

    #[test]
    fn the_daemon_of_the_built_in_world_finds_its_roles() {
        for value in [
            "User.ReadWrite.All",
            "User.Invite.All",
            "User.DeleteRestore.All",
            "Group.ReadWrite.All",
            "Directory.ReadWrite.All",
            "Application.ReadWrite.All",
            "Organization.Read.All",
            "Policy.Read.All",
            "Policy.ReadWrite.ApplicationConfiguration",
            "Policy.ReadWrite.CrossTenantAccess",
            "Policy.ReadWrite.ConditionalAccess",
            "Policy.ReadWrite.ConsentRequest",
            "ConsentRequest.ReadWrite.All",
        ] {
            assert!(graph().roles.iter().any(|role| role.value == value && role.for_applications), "{value}");
        }
    }

    #[test]
    fn first_party_applications_belong_to_no_tenant_and_hold_no_secret() {
        for application in all() {
            assert_eq!(application.owner, None);
            assert!(application.secrets.is_empty() && application.audience.is_multi_tenant());
        }
        assert_eq!((graph().app_id, my_apps().app_id), (GRAPH_APP_ID, MY_APPS_APP_ID));
    }

    #[test]
    fn the_consent_page_has_words_for_every_permission() {
        for GraphPermission { value, title, description, .. } in GRAPH_PERMISSIONS {
            assert!(!title.is_empty() && !title.ends_with('.') && title.len() <= 60, "{value}");
            assert!(description.ends_with('.'), "{value}");
        }
    }
}
