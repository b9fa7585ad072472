//! Every route, tried by everybody who must not get in, with real ids and well-formed bodies: the same request with rights
//! succeeds, so nothing but the missing rights refuses it. The routes are the router's own; there is no list of excuses.

use axum::body::Body;
use domain::directory::first_party::GRAPH_PERMISSIONS;
use domain::time::Span;
use hospes_http::{Guard, Route, routes};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Answer, CONTOSO, FABRIKAM, Setup, World};

/// How a route behind a token is asked. `{names}` in address and body are things of the `Scene`.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) address: &'static str,
    /// What a guest is answered whose application may do everything. Not his to do is 403, or 404 where he may not even
    /// know whether the thing exists.
    guest: u16,
    pub(crate) body: &'static str,
}

const fn row(method: &'static str, address: &'static str, guest: u16, body: &'static str) -> Row {
    Row { method, address, guest, body }
}

/// Stands for the bytes of a picture.
const PICTURE: &str = "picture";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\xf5\0\0\0\x24\x08\x06\0\0\0";

/// Names the other user of the scene.
const OTHER: &str = r#"{"@odata.id":"/v1.0/directoryObjects/{other}"}"#;

/// Names the policy of the scene.
const POLICY: &str =
    r#"{"@odata.id":"https://graph.microsoft.com/v1.0/policies/tokenLifetimePolicies/{policy}"}"#;

/// A new route is a line here, and a new kind of thing one in `Scene::new`.
pub(crate) const ROWS: &[Row] = &[
    row("POST", "/v1.0/$batch", 403, r#"{"requests":[{"id":"1","method":"GET","url":"/users"}]}"#),
    row("GET", "/v1.0/me", 200, ""),
    row("PATCH", "/v1.0/me", 204, r#"{"mobilePhone":"+1 555 0100"}"#),
    row("GET", "/v1.0/users", 403, ""),
    row(
        "POST",
        "/v1.0/users",
        403,
        r#"{"accountEnabled":true,"displayName":"New","mailNickname":"new","userPrincipalName":"new@contoso.test",
            "passwordProfile":{"password":"Passw0rd-1"}}"#,
    ),
    row("GET", "/v1.0/users/$count", 403, ""),
    row("GET", "/v1.0/users/delta", 403, ""),
    row("GET", "/v1.0/users/{user}", 200, ""),
    row("PATCH", "/v1.0/users/{user}", 404, r#"{"jobTitle":"Chief"}"#),
    row("DELETE", "/v1.0/users/{user}", 404, ""),
    row("GET", "/v1.0/users/{user}/sponsors", 404, ""),
    row(
        "POST",
        "/v1.0/invitations",
        403,
        r#"{"invitedUserEmailAddress":"eve@fabrikam.test","inviteRedirectUrl":"https://app.contoso.test/"}"#,
    ),
    row("GET", "/v1.0/organization", 200, ""),
    row("GET", "/v1.0/organization/{tenant}", 200, ""),
    row("PATCH", "/v1.0/organization/{tenant}", 403, r#"{"displayName":"Renamed"}"#),
    row("GET", "/v1.0/organization/{tenant}/branding", 200, ""),
    row("PATCH", "/v1.0/organization/{tenant}/branding", 403, r#"{"signInPageText":"Hello"}"#),
    row("GET", "/v1.0/organization/{tenant}/branding/bannerLogo", 200, ""),
    row("PUT", "/v1.0/organization/{tenant}/branding/bannerLogo", 403, PICTURE),
    row("DELETE", "/v1.0/organization/{tenant}/branding/bannerLogo", 403, ""),
    row("GET", "/v1.0/organization/{tenant}/branding/localizations/0/bannerLogo", 200, ""),
    row("PUT", "/v1.0/organization/{tenant}/branding/localizations/0/bannerLogo", 403, PICTURE),
    row("DELETE", "/v1.0/organization/{tenant}/branding/localizations/0/bannerLogo", 403, ""),
    row("GET", "/v1.0/organization/{tenant}/branding/localizations/default/bannerLogo", 200, ""),
    row("PUT", "/v1.0/organization/{tenant}/branding/localizations/default/bannerLogo", 403, PICTURE),
    row("DELETE", "/v1.0/organization/{tenant}/branding/localizations/default/bannerLogo", 403, ""),
    row("GET", "/v1.0/policies/authorizationPolicy", 403, ""),
    row("PATCH", "/v1.0/policies/authorizationPolicy", 403, r#"{"allowInvitesFrom":"everyone"}"#),
    row("GET", "/v1.0/policies/adminConsentRequestPolicy", 403, ""),
    row("PUT", "/v1.0/policies/adminConsentRequestPolicy", 403, r#"{"isEnabled":true}"#),
    row("GET", "/v1.0/policies/tokenLifetimePolicies", 403, ""),
    row(
        "POST",
        "/v1.0/policies/tokenLifetimePolicies",
        403,
        r#"{"displayName":"New","definition":["{\"TokenLifetimePolicy\":{\"Version\":1,\"AccessTokenLifetime\":\"8:00:00\"}}"]}"#,
    ),
    row("GET", "/v1.0/policies/tokenLifetimePolicies/{policy}", 403, ""),
    row("PATCH", "/v1.0/policies/tokenLifetimePolicies/{policy}", 403, r#"{"displayName":"Renamed"}"#),
    row("DELETE", "/v1.0/policies/tokenLifetimePolicies/{policy}", 403, ""),
    row("GET", "/v1.0/policies/tokenLifetimePolicies/{policy}/appliesTo", 403, ""),
    row("GET", "/v1.0/applications/{application}/tokenLifetimePolicies", 403, ""),
    row("GET", "/v1.0/applications/{application}/tokenLifetimePolicies/$ref", 403, ""),
    row("POST", "/v1.0/applications/{free-application}/tokenLifetimePolicies/$ref", 403, POLICY),
    row("DELETE", "/v1.0/applications/{application}/tokenLifetimePolicies/{policy}/$ref", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}/tokenLifetimePolicies", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}/tokenLifetimePolicies/$ref", 403, ""),
    row("POST", "/v1.0/servicePrincipals/{client}/tokenLifetimePolicies/$ref", 403, POLICY),
    row("DELETE", "/v1.0/servicePrincipals/{instance}/tokenLifetimePolicies/{policy}/$ref", 403, ""),
    row("GET", "/v1.0/identityGovernance/appConsent/appConsentRequests", 403, ""),
    row("GET", "/v1.0/identityGovernance/appConsent/appConsentRequests/{asked-app}", 403, ""),
    row(
        "GET",
        "/v1.0/identityGovernance/appConsent/appConsentRequests/{asked-app}/userConsentRequests",
        403,
        "",
    ),
    row(
        "GET",
        "/v1.0/identityGovernance/appConsent/appConsentRequests/{asked-app}/userConsentRequests/{request}",
        403,
        "",
    ),
    row("POST", "/v1.0/directory/tenants", 403, r#"{"displayName":"Litware","initialDomainName":"litware"}"#),
    row("GET", "/v1.0/domains", 200, ""),
    row("GET", "/v1.0/domains/{domain}", 200, ""),
    row("GET", "/v1.0/applications", 403, ""),
    row("POST", "/v1.0/applications", 403, r#"{"displayName":"New"}"#),
    row("GET", "/v1.0/applications/$count", 403, ""),
    row("GET", "/v1.0/applications/delta", 403, ""),
    row("GET", "/v1.0/applications/{application}", 403, ""),
    row("PATCH", "/v1.0/applications/{application}", 403, r#"{"displayName":"Renamed"}"#),
    row("DELETE", "/v1.0/applications/{application}", 403, ""),
    row("POST", "/v1.0/applications/{application}/addPassword", 403, "{}"),
    row("POST", "/v1.0/applications/{application}/removePassword", 403, r#"{"keyId":"{secret}"}"#),
    row("GET", "/v1.0/applications/{application}/federatedIdentityCredentials", 403, ""),
    row(
        "POST",
        "/v1.0/applications/{application}/federatedIdentityCredentials",
        403,
        r#"{"name":"other","issuer":"https://issuer.test","subject":"other","audiences":["api://x"]}"#,
    ),
    row("GET", "/v1.0/applications/{application}/federatedIdentityCredentials/{federated}", 403, ""),
    row(
        "PATCH",
        "/v1.0/applications/{application}/federatedIdentityCredentials/{federated}",
        403,
        r#"{"subject":"else"}"#,
    ),
    row("DELETE", "/v1.0/applications/{application}/federatedIdentityCredentials/{federated}", 403, ""),
    row("GET", "/v1.0/servicePrincipals", 403, ""),
    row("POST", "/v1.0/servicePrincipals", 403, r#"{"appId":"{new-app-id}"}"#),
    row("GET", "/v1.0/servicePrincipals/$count", 403, ""),
    row("GET", "/v1.0/servicePrincipals/delta", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}", 403, ""),
    row("PATCH", "/v1.0/servicePrincipals/{instance}", 403, r#"{"accountEnabled":false}"#),
    row("DELETE", "/v1.0/servicePrincipals/{instance}", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{client}/appRoleAssignments", 403, ""),
    row(
        "POST",
        "/v1.0/servicePrincipals/{client}/appRoleAssignments",
        403,
        r#"{"principalId":"{client}","resourceId":"{instance}","appRoleId":"{other-role}"}"#,
    ),
    row("DELETE", "/v1.0/servicePrincipals/{client}/appRoleAssignments/{held}", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}/appRoleAssignedTo", 403, ""),
    row(
        "POST",
        "/v1.0/servicePrincipals/{instance}/appRoleAssignedTo",
        403,
        r#"{"principalId":"{user}","resourceId":"{instance}","appRoleId":"{other-role}"}"#,
    ),
    row("DELETE", "/v1.0/servicePrincipals/{instance}/appRoleAssignedTo/{held}", 403, ""),
    row("GET", "/v1.0/me/appRoleAssignments", 200, ""),
    row(
        "POST",
        "/v1.0/me/appRoleAssignments",
        403,
        r#"{"principalId":"{admin}","resourceId":"{instance}","appRoleId":"{other-role}"}"#,
    ),
    row("DELETE", "/v1.0/me/appRoleAssignments/{held-by-admin}", 403, ""),
    row("GET", "/v1.0/users/{user}/appRoleAssignments", 403, ""),
    row(
        "POST",
        "/v1.0/users/{user}/appRoleAssignments",
        403,
        r#"{"principalId":"{user}","resourceId":"{instance}","appRoleId":"{other-role}"}"#,
    ),
    row("DELETE", "/v1.0/users/{user}/appRoleAssignments/{held-by-user}", 403, ""),
    row("GET", "/v1.0/groups/{group}/appRoleAssignments", 403, ""),
    row(
        "POST",
        "/v1.0/groups/{group}/appRoleAssignments",
        403,
        r#"{"principalId":"{group}","resourceId":"{instance}","appRoleId":"{other-role}"}"#,
    ),
    row("DELETE", "/v1.0/groups/{group}/appRoleAssignments/{held-by-group}", 403, ""),
    row("GET", "/v1.0/oauth2PermissionGrants", 403, ""),
    row(
        "POST",
        "/v1.0/oauth2PermissionGrants",
        403,
        r#"{"clientId":"{client}","consentType":"AllPrincipals","resourceId":"{graph}","scope":"User.Read"}"#,
    ),
    row("GET", "/v1.0/oauth2PermissionGrants/{consent}", 403, ""),
    row("PATCH", "/v1.0/oauth2PermissionGrants/{consent}", 403, r#"{"scope":"User.Read"}"#),
    row("DELETE", "/v1.0/oauth2PermissionGrants/{consent}", 403, ""),
    row("GET", "/v1.0/me/oauth2PermissionGrants", 200, ""),
    row("GET", "/v1.0/servicePrincipals/{client}/oauth2PermissionGrants", 403, ""),
    row("GET", "/v1.0/users/{user}/oauth2PermissionGrants", 403, ""),
    row("GET", "/v1.0/applications/{application}/owners", 403, ""),
    row(
        "POST",
        "/v1.0/applications/{application}/owners/$ref",
        403,
        r#"{"@odata.id":"/v1.0/directoryObjects/{other}"}"#,
    ),
    row("DELETE", "/v1.0/applications/{application}/owners/{admin}/$ref", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}/owners", 403, ""),
    row(
        "POST",
        "/v1.0/servicePrincipals/{instance}/owners/$ref",
        403,
        r#"{"@odata.id":"/v1.0/directoryObjects/{other}"}"#,
    ),
    row("DELETE", "/v1.0/servicePrincipals/{instance}/owners/{admin}/$ref", 403, ""),
    row("GET", "/v1.0/me/directReports", 200, ""),
    row("GET", "/v1.0/me/manager", 404, ""),
    row("GET", "/v1.0/me/ownedObjects", 200, ""),
    row("GET", "/v1.0/users/{user}/directReports", 404, ""),
    row("GET", "/v1.0/users/{user}/manager", 404, ""),
    row("PUT", "/v1.0/users/{user}/manager/$ref", 404, r#"{"@odata.id":"/v1.0/directoryObjects/{other}"}"#),
    row("DELETE", "/v1.0/users/{user}/manager/$ref", 404, ""),
    row("GET", "/v1.0/users/{user}/ownedObjects", 404, ""),
    row("POST", "/v1.0/users/{user}/revokeSignInSessions", 404, ""),
    row("POST", "/v1.0/users/{user}/sponsors/$ref", 404, r#"{"@odata.id":"/v1.0/directoryObjects/{admin}"}"#),
    row("DELETE", "/v1.0/users/{user}/sponsors/{other}/$ref", 404, ""),
    row("POST", "/v1.0/directoryObjects/getByIds", 403, r#"{"ids":["{user}"],"types":["user"]}"#),
    row("GET", "/v1.0/directoryObjects/{group}", 403, ""),
    row("DELETE", "/v1.0/directoryObjects/{group}", 404, ""),
    row("POST", "/v1.0/directoryObjects/{user}/checkMemberGroups", 404, r#"{"groupIds":["{group}"]}"#),
    row("POST", "/v1.0/directoryObjects/{user}/getMemberGroups", 404, r#"{"securityEnabledOnly":true}"#),
    row("POST", "/v1.0/directoryObjects/{user}/checkMemberObjects", 404, r#"{"ids":["{group}"]}"#),
    row("POST", "/v1.0/directoryObjects/{user}/getMemberObjects", 404, r#"{"securityEnabledOnly":false}"#),
    row(
        "GET",
        "/v1.0/tenantRelationships/findTenantInformationByDomainName(domainName='fabrikam.test')",
        200,
        "",
    ),
    row("GET", "/v1.0/tenantRelationships/findTenantInformationByTenantId(tenantId='PARTNER')", 200, ""),
    row("GET", "/v1.0/auditLogs/directoryAudits", 403, ""),
    row("GET", "/v1.0/auditLogs/directoryAudits/{audit}", 403, ""),
    row("GET", "/v1.0/auditLogs/signIns", 403, ""),
    row("GET", "/v1.0/auditLogs/signIns/{sign-in}", 403, ""),
    row("GET", "/v1.0/groups", 403, ""),
    row(
        "POST",
        "/v1.0/groups",
        403,
        r#"{"displayName":"New","mailEnabled":false,"mailNickname":"new","securityEnabled":true}"#,
    ),
    row("GET", "/v1.0/groups/$count", 403, ""),
    row("GET", "/v1.0/groups/delta", 403, ""),
    row("GET", "/v1.0/groups/{group}", 404, ""),
    row("PATCH", "/v1.0/groups/{group}", 404, r#"{"displayName":"Renamed"}"#),
    row("DELETE", "/v1.0/groups/{group}", 404, ""),
    row("GET", "/v1.0/groups/{group}/members", 404, ""),
    row("GET", "/v1.0/groups/{group}/members/microsoft.graph.group", 404, ""),
    row("GET", "/v1.0/groups/{group}/members/microsoft.graph.servicePrincipal", 404, ""),
    row("GET", "/v1.0/groups/{group}/members/microsoft.graph.user", 404, ""),
    row("GET", "/v1.0/groups/{group}/members/$count", 404, ""),
    row("GET", "/v1.0/groups/{group}/owners", 404, ""),
    row("GET", "/v1.0/groups/{group}/owners/microsoft.graph.group", 404, ""),
    row("GET", "/v1.0/groups/{group}/owners/microsoft.graph.servicePrincipal", 404, ""),
    row("GET", "/v1.0/groups/{group}/owners/microsoft.graph.user", 404, ""),
    row("GET", "/v1.0/groups/{group}/owners/$count", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMembers", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMembers/microsoft.graph.group", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMembers/microsoft.graph.servicePrincipal", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMembers/microsoft.graph.user", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMembers/$count", 404, ""),
    row(
        "POST",
        "/v1.0/groups/{group}/members/$ref",
        404,
        r#"{"@odata.id":"/v1.0/directoryObjects/{other}"}"#,
    ),
    row("DELETE", "/v1.0/groups/{group}/members/{user}/$ref", 404, ""),
    row("POST", "/v1.0/groups/{group}/owners/$ref", 404, r#"{"@odata.id":"/v1.0/directoryObjects/{other}"}"#),
    row("DELETE", "/v1.0/groups/{group}/owners/{user}/$ref", 404, ""),
    row("GET", "/v1.0/groups/{group}/memberOf", 404, ""),
    row("GET", "/v1.0/groups/{group}/memberOf/microsoft.graph.directoryRole", 404, ""),
    row("GET", "/v1.0/groups/{group}/memberOf/microsoft.graph.group", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMemberOf", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMemberOf/microsoft.graph.directoryRole", 404, ""),
    row("GET", "/v1.0/groups/{group}/transitiveMemberOf/microsoft.graph.group", 404, ""),
    row("POST", "/v1.0/groups/{group}/checkMemberGroups", 404, r#"{"groupIds":["{group}"]}"#),
    row("POST", "/v1.0/groups/{group}/getMemberGroups", 404, r#"{"securityEnabledOnly":true}"#),
    row("POST", "/v1.0/groups/{group}/checkMemberObjects", 404, r#"{"ids":["{group}"]}"#),
    row("POST", "/v1.0/groups/{group}/getMemberObjects", 404, r#"{"securityEnabledOnly":false}"#),
    row("GET", "/v1.0/me/memberOf", 200, ""),
    row("GET", "/v1.0/me/memberOf/microsoft.graph.directoryRole", 200, ""),
    row("GET", "/v1.0/me/memberOf/microsoft.graph.group", 200, ""),
    row("GET", "/v1.0/me/transitiveMemberOf", 200, ""),
    row("GET", "/v1.0/me/transitiveMemberOf/microsoft.graph.directoryRole", 200, ""),
    row("GET", "/v1.0/me/transitiveMemberOf/microsoft.graph.group", 200, ""),
    row("POST", "/v1.0/me/checkMemberGroups", 200, r#"{"groupIds":["{group}"]}"#),
    row("POST", "/v1.0/me/getMemberGroups", 200, r#"{"securityEnabledOnly":true}"#),
    row("POST", "/v1.0/me/checkMemberObjects", 200, r#"{"ids":["{group}"]}"#),
    row("POST", "/v1.0/me/getMemberObjects", 200, r#"{"securityEnabledOnly":false}"#),
    row("POST", "/v1.0/servicePrincipals/{instance}/addPassword", 403, "{}"),
    row("POST", "/v1.0/servicePrincipals/{instance}/removePassword", 403, r#"{"keyId":"{instance-secret}"}"#),
    row("GET", "/v1.0/servicePrincipals/{instance}/memberOf", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}/memberOf/microsoft.graph.directoryRole", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}/memberOf/microsoft.graph.group", 403, ""),
    row("GET", "/v1.0/servicePrincipals/{instance}/transitiveMemberOf", 403, ""),
    row(
        "GET",
        "/v1.0/servicePrincipals/{instance}/transitiveMemberOf/microsoft.graph.directoryRole",
        403,
        "",
    ),
    row("GET", "/v1.0/servicePrincipals/{instance}/transitiveMemberOf/microsoft.graph.group", 403, ""),
    row("POST", "/v1.0/servicePrincipals/{instance}/checkMemberGroups", 403, r#"{"groupIds":["{group}"]}"#),
    row("POST", "/v1.0/servicePrincipals/{instance}/getMemberGroups", 403, r#"{"securityEnabledOnly":true}"#),
    row("POST", "/v1.0/servicePrincipals/{instance}/checkMemberObjects", 403, r#"{"ids":["{group}"]}"#),
    row(
        "POST",
        "/v1.0/servicePrincipals/{instance}/getMemberObjects",
        403,
        r#"{"securityEnabledOnly":false}"#,
    ),
    row("GET", "/v1.0/users/{user}/memberOf", 404, ""),
    row("GET", "/v1.0/users/{user}/memberOf/microsoft.graph.directoryRole", 404, ""),
    row("GET", "/v1.0/users/{user}/memberOf/microsoft.graph.group", 404, ""),
    row("GET", "/v1.0/users/{user}/transitiveMemberOf", 404, ""),
    row("GET", "/v1.0/users/{user}/transitiveMemberOf/microsoft.graph.directoryRole", 404, ""),
    row("GET", "/v1.0/users/{user}/transitiveMemberOf/microsoft.graph.group", 404, ""),
    row("POST", "/v1.0/users/{user}/checkMemberGroups", 404, r#"{"groupIds":["{group}"]}"#),
    row("POST", "/v1.0/users/{user}/getMemberGroups", 404, r#"{"securityEnabledOnly":true}"#),
    row("POST", "/v1.0/users/{user}/checkMemberObjects", 404, r#"{"ids":["{group}"]}"#),
    row("POST", "/v1.0/users/{user}/getMemberObjects", 404, r#"{"securityEnabledOnly":false}"#),
    row("GET", "/v1.0/directoryRoleTemplates", 403, ""),
    row("GET", "/v1.0/directoryRoleTemplates/62e90394-69f5-4237-9190-012177145e10", 403, ""),
    row("GET", "/v1.0/directoryRoles", 403, ""),
    row("POST", "/v1.0/directoryRoles", 403, r#"{"roleTemplateId":"fe930be7-5e62-47db-91af-98c3a49a38b1"}"#),
    row("GET", "/v1.0/directoryRoles/{activated}", 403, ""),
    row("GET", "/v1.0/directoryRoles/{activated}/members", 403, ""),
    row("GET", "/v1.0/directoryRoles/{activated}/members/microsoft.graph.group", 403, ""),
    row("GET", "/v1.0/directoryRoles/{activated}/members/microsoft.graph.servicePrincipal", 403, ""),
    row("GET", "/v1.0/directoryRoles/{activated}/members/microsoft.graph.user", 403, ""),
    row(
        "POST",
        "/v1.0/directoryRoles/{activated}/members/$ref",
        403,
        r#"{"@odata.id":"/v1.0/directoryObjects/{user}"}"#,
    ),
    row("DELETE", "/v1.0/directoryRoles/{activated}/members/{other}/$ref", 403, ""),
    row("GET", "/v1.0/roleManagement/directory/roleDefinitions", 403, ""),
    row(
        "GET",
        "/v1.0/roleManagement/directory/roleDefinitions/62e90394-69f5-4237-9190-012177145e10",
        403,
        "",
    ),
    row("GET", "/v1.0/roleManagement/directory/roleAssignments", 403, ""),
    row(
        "POST",
        "/v1.0/roleManagement/directory/roleAssignments",
        403,
        r#"{"principalId":"{user}","roleDefinitionId":"fe930be7-5e62-47db-91af-98c3a49a38b1","directoryScopeId":"/"}"#,
    ),
    row("GET", "/v1.0/roleManagement/directory/roleAssignments/{assignment}", 403, ""),
    row("DELETE", "/v1.0/roleManagement/directory/roleAssignments/{assignment}", 403, ""),
    row("GET", "/v1.0/directory/deletedItems/microsoft.graph.group", 403, ""),
    row("GET", "/v1.0/directory/deletedItems/microsoft.graph.user", 403, ""),
    row("GET", "/v1.0/directory/deletedItems/microsoft.graph.application", 403, ""),
    row("GET", "/v1.0/directory/deletedItems/microsoft.graph.servicePrincipal", 403, ""),
    row("GET", "/v1.0/directory/deletedItems/{deleted-user}", 403, ""),
    row("GET", "/v1.0/directory/deletedItems/{deleted-application}", 403, ""),
    row("GET", "/v1.0/directory/deletedItems/{deleted-instance}", 403, ""),
    row("DELETE", "/v1.0/directory/deletedItems/{deleted-user}", 404, ""),
    row("DELETE", "/v1.0/directory/deletedItems/{deleted-application}", 404, ""),
    row("DELETE", "/v1.0/directory/deletedItems/{deleted-instance}", 404, ""),
    row("POST", "/v1.0/directory/deletedItems/{deleted-user}/restore", 404, ""),
    row("POST", "/v1.0/directory/deletedItems/{deleted-application}/restore", 404, ""),
    row("POST", "/v1.0/directory/deletedItems/{deleted-instance}/restore", 404, ""),
    row("GET", "/oidc/userinfo", 200, ""),
    row("POST", "/oidc/userinfo", 200, ""),
    // The last one: it ends the token that asks for it.
    row("POST", "/v1.0/me/revokeSignInSessions", 200, ""),
];

impl Row {
    /// The address as the router's list writes it: the first thing in it is `{id}`, the second `{part}`. Below `me`, who
    /// is the first thing, there is only the second.
    pub(crate) fn template(&self) -> String {
        let mut names = ["{id}", "{part}"].into_iter().skip(usize::from(self.is_of_me()));
        // A role's template is the same everywhere and stands here as it is.
        let is_key = |segment: &str| segment.starts_with('{') || uuid::Uuid::parse_str(segment).is_ok();
        let segments = self.address.split('/').map(|segment| match segment.split_once('(') {
            // A function's parameter is the thing that it asks for.
            Some((function, _)) => format!("{function}/{}", names.next().unwrap()),
            None if is_key(segment) => names.next().unwrap().to_owned(),
            None => segment.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    }

    fn names_a_thing(&self) -> bool {
        self.address.contains('{')
    }

    fn is_of_me(&self) -> bool {
        self.address.starts_with("/v1.0/me/")
    }

    fn is_log(&self) -> bool {
        self.address.starts_with("/v1.0/auditLogs/")
    }

    pub(crate) fn is_graph(&self) -> bool {
        self.address.starts_with("/v1.0/")
    }
}

/// Contoso with one thing of every kind, Bob of Fabrikam as its guest, and tokens.
pub(crate) struct Scene {
    pub(crate) world: World,
    things: BTreeMap<&'static str, String>,
    /// Of Alice, the administrator, through an application that may do everything.
    pub(crate) admin: String,
    /// Every delegated permission that there is, in one scope.
    scope: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        // By default a tenant lets guests invite, as Entra does.
        let allow_invites_from = Some("adminsGuestInvitersAndAllMembers");
        let world = World::with(Setup { allow_invites_from, ..Setup::default() }).await;
        let delegated = GRAPH_PERMISSIONS.iter().filter(|permission| permission.delegated.is_some());
        let scope: Vec<&str> = delegated.map(|permission| permission.value).collect();
        let scope = scope.join(" ");
        // Alice agrees for everybody, so that from now on nobody is asked.
        let mut browser = world.browser();
        let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), &scope, &[]);
        let page = browser.get(&url).await;
        let page = browser.sign_in(page, "alice@contoso.test").await;
        browser.press(&page, "accept", &[("for_organization", "1")]).await;
        let admin = world.sign_in(CONTOSO, "web", "alice@contoso.test", &scope).await;
        let admin = admin["access_token"].as_str().unwrap().to_owned();
        let mut scene = Self { world, things: BTreeMap::new(), admin, scope };
        scene.put("tenant", scene.world.tenant_id(CONTOSO).to_string());
        scene.put("domain", CONTOSO.to_owned());
        scene.put("user", scene.world.user("dave@contoso.test").id.unwrap().to_string());
        scene.put("role", uuid::Uuid::from_u128(1).to_string());
        scene.put("other-role", uuid::Uuid::from_u128(2).to_string());
        let role = |id: &str, value: &str| {
            json!({ "id": id, "value": value, "displayName": value, "description": value, "isEnabled": true,
                "allowedMemberTypes": ["User", "Application"] })
        };
        let roles = [role(&scene.things["role"], "One"), role(&scene.things["other-role"], "Two")];
        let app = scene.make("/v1.0/applications", json!({ "displayName": "App", "appRoles": roles })).await;
        scene.put_id("application", &app);
        let secret = scene.make("/v1.0/applications/{application}/addPassword", json!({})).await;
        scene.put("secret", secret["keyId"].as_str().unwrap().to_owned());
        let federated = json!({ "name": "build", "issuer": "https://issuer.test", "subject": "repo",
            "audiences": ["api://AzureADTokenExchange"] });
        let address = "/v1.0/applications/{application}/federatedIdentityCredentials";
        let federated = scene.make(address, federated).await;
        scene.put_id("federated", &federated);
        let instance = scene.make("/v1.0/servicePrincipals", json!({ "appId": app["appId"] })).await;
        scene.put_id("instance", &instance);
        let secret = scene.make("/v1.0/servicePrincipals/{instance}/addPassword", json!({})).await;
        scene.put("instance-secret", secret["keyId"].as_str().unwrap().to_owned());
        let app = scene.make("/v1.0/applications", json!({ "displayName": "New" })).await;
        scene.put("new-app-id", app["appId"].as_str().unwrap().to_owned());
        scene.put_id("free-application", &app);
        let app = scene.make("/v1.0/applications", json!({ "displayName": "Client" })).await;
        let client = scene.make("/v1.0/servicePrincipals", json!({ "appId": app["appId"] })).await;
        scene.put_id("client", &client);
        scene.put("admin", scene.world.user("alice@contoso.test").id.unwrap().to_string());
        let found = scene
            .ask(
                "GET",
                "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')",
                "",
                Some(&scene.admin),
            )
            .await;
        scene.put_id("graph", &found.json());
        let app = scene.make("/v1.0/applications", json!({ "displayName": "Deleted" })).await;
        scene.put_id("deleted-application", &app);
        let app = scene.make("/v1.0/applications", json!({ "displayName": "Without" })).await;
        let instance = scene.make("/v1.0/servicePrincipals", json!({ "appId": app["appId"] })).await;
        scene.put_id("deleted-instance", &instance);
        let user = json!({ "accountEnabled": true, "displayName": "Deleted", "mailNickname": "deleted",
            "userPrincipalName": "deleted@contoso.test", "passwordProfile": { "password": "Passw0rd-1" } });
        let user = scene.make("/v1.0/users", user).await;
        scene.put_id("deleted-user", &user);
        scene.put("other", scene.world.user("carol@contoso.test").id.unwrap().to_string());
        let link = format!("/v1.0/directoryObjects/{}", scene.things["user"]);
        let group = json!({ "displayName": "Group", "mailEnabled": false, "mailNickname": "group",
            "securityEnabled": true, "members@odata.bind": [link], "owners@odata.bind": [link] });
        let group = scene.make("/v1.0/groups", group).await;
        scene.put_id("group", &group);
        for (held, holder) in [
            ("held", "client"),
            ("held-by-admin", "admin"),
            ("held-by-group", "group"),
            ("held-by-user", "user"),
        ] {
            let [holder, instance, role] =
                [holder, "instance", "role"].map(|name| scene.things[name].clone());
            let body = json!({ "principalId": holder, "resourceId": instance, "appRoleId": role });
            let made = scene.make("/v1.0/servicePrincipals/{instance}/appRoleAssignedTo", body).await;
            scene.put_id(held, &made);
        }
        let [client, user, graph] = ["client", "user", "graph"].map(|name| scene.things[name].clone());
        let consent = json!({ "clientId": client, "consentType": "Principal", "principalId": user,
            "resourceId": graph, "scope": "User.Read email" });
        let consent = scene.make("/v1.0/oauth2PermissionGrants", consent).await;
        scene.put_id("consent", &consent);
        let held = json!({ "principalId": scene.things["other"], "directoryScopeId": "/",
            "roleDefinitionId": "5d6b6bb7-de71-4623-b4af-96380a352509" });
        let held = scene.make("/v1.0/roleManagement/directory/roleAssignments", held).await;
        scene.put_id("assignment", &held);
        let role = "/v1.0/directoryRoles(roleTemplateId='5d6b6bb7-de71-4623-b4af-96380a352509')";
        let role = scene.ask("GET", role, "", Some(&scene.admin)).await.json();
        scene.put_id("activated", &role);
        let definition = r#"{"TokenLifetimePolicy":{"Version":1,"AccessTokenLifetime":"2:00:00"}}"#;
        let policy = json!({ "displayName": "Policy", "definition": [definition] });
        let policy = scene.make("/v1.0/policies/tokenLifetimePolicies", policy).await;
        scene.put_id("policy", &policy);
        scene.ask_for_approval().await;
        for (method, address, body) in [
            ("DELETE", "/v1.0/applications/{deleted-application}", ""),
            ("DELETE", "/v1.0/servicePrincipals/{deleted-instance}", ""),
            ("DELETE", "/v1.0/users/{deleted-user}", ""),
            ("POST", "/v1.0/applications/{application}/tokenLifetimePolicies/$ref", POLICY),
            ("POST", "/v1.0/servicePrincipals/{instance}/tokenLifetimePolicies/$ref", POLICY),
            ("PUT", "/v1.0/organization/{tenant}/branding/bannerLogo", PICTURE),
            ("PUT", "/v1.0/users/{admin}/manager/$ref", OTHER),
            ("PUT", "/v1.0/users/{user}/manager/$ref", OTHER),
            ("POST", "/v1.0/users/{user}/sponsors/$ref", OTHER),
        ] {
            let done = scene.ask(method, address, body, Some(&scene.admin)).await;
            assert_eq!(done.status, 204, "{}", done.text);
        }
        for (name, log) in [("audit", "directoryAudits"), ("sign-in", "signIns")] {
            let address = format!("/v1.0/auditLogs/{log}?$top=1");
            let newest = scene.ask("GET", &address, "", Some(&scene.admin)).await.json();
            scene.put_id(name, &newest["value"][0]);
        }
        scene
    }

    /// Dave asks an administrator to approve Contoso's single-page application.
    async fn ask_for_approval(&mut self) {
        let policy = "/v1.0/policies/adminConsentRequestPolicy";
        let done = self.ask("PUT", policy, r#"{"isEnabled":true}"#, Some(&self.admin)).await;
        assert_eq!(done.status, 204, "{}", done.text);
        let app = self.world.app(CONTOSO, "spa");
        let id = app.app_id.unwrap().to_string();
        let mut browser = self.world.browser();
        let page = browser.get(&browser.authorize_url(CONTOSO, app, "Directory.Read.All", &[])).await;
        let page = browser.sign_in(page, "dave@contoso.test").await;
        let page = browser.press(&page, "request", &[("reason", "I need it")]).await;
        assert!(page.text.contains("Request sent"), "{page:?}");
        self.put("asked-app", id);
        let requests =
            "/v1.0/identityGovernance/appConsent/appConsentRequests/{asked-app}/userConsentRequests";
        let found = self.ask("GET", requests, "", Some(&self.admin)).await.json();
        self.put_id("request", &found["value"][0]);
    }

    pub(crate) fn put(&mut self, name: &'static str, value: String) {
        self.things.insert(name, value);
    }

    fn put_id(&mut self, name: &'static str, thing: &Value) {
        self.put(name, thing["id"].as_str().unwrap().to_owned());
    }

    /// Makes a thing as the administrator.
    async fn make(&self, address: &str, body: Value) -> Value {
        let answer = self.ask("POST", address, &body.to_string(), Some(&self.admin)).await;
        assert!(answer.status.is_success(), "{address}: {}", answer.text);
        answer.json()
    }

    fn fill(&self, text: &str) -> String {
        let filled =
            |text: String, (name, value): (&&str, &String)| text.replace(&format!("{{{name}}}"), value);
        // Another organisation's name is no thing of this one.
        let text = text.replace("PARTNER", &self.world.tenant_id(FABRIKAM).to_string());
        self.things.iter().fold(text, filled)
    }

    pub(crate) async fn ask(&self, method: &str, address: &str, body: &str, token: Option<&str>) -> Answer {
        let address = self.fill(address);
        assert!(!address.contains('{'), "{address}: no such thing in the scene");
        // Some counts need it, and it hurts nobody.
        let mut request =
            Request::builder().method(method).uri(address).header("ConsistencyLevel", "eventual");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (kind, body) = match body {
            PICTURE => ("image/png", Body::from(PNG)),
            body => ("application/json", Body::from(self.fill(body))),
        };
        self.world.send(request.header(header::CONTENT_TYPE, kind).body(body).unwrap()).await
    }

    async fn try_row(&self, row: &Row, token: Option<&str>) -> Answer {
        self.ask(row.method, row.address, row.body, token).await
    }

    /// A token of somebody who signs in to Contoso's web application.
    async fn token(&self, name: &str, scope: &str) -> String {
        let tokens = self.world.sign_in(CONTOSO, "web", name, scope).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}

/// The status of an answer; of a batch's only request, for a batch is open to everybody and asks for each.
fn status(row: &Row, answer: &Answer) -> u16 {
    if row.address == "/v1.0/$batch" && answer.status == StatusCode::OK {
        let status = answer.json()["responses"][0]["status"].as_u64();
        return status.and_then(|status| status.try_into().ok()).unwrap();
    }
    answer.status.as_u16()
}

#[test]
fn every_route_behind_a_token_has_its_row_and_every_row_its_route() {
    let bearer = routes().into_iter().filter(|route| route.guard == Guard::Bearer);
    let served: BTreeSet<_> = bearer.map(|route| (route.method, route.path.to_owned())).collect();
    let tried: BTreeSet<_> = ROWS.iter().map(|row| (row.method, row.template())).collect();
    let (untried, unserved) = (served.difference(&tried), tried.difference(&served));
    assert_eq!(untried.collect::<Vec<_>>(), Vec::<&(&str, String)>::new(), "add a line to ROWS");
    assert_eq!(unserved.collect::<Vec<_>>(), Vec::<&(&str, String)>::new(), "the router has no such line");
}

#[tokio::test]
async fn with_rights_every_request_of_these_tests_succeeds() {
    let read = Scene::new().await;
    for row in ROWS {
        // What changes something has a scene of its own: what one deletes, another wants to find.
        let own = if row.method == "GET" { None } else { Some(Scene::new().await) };
        let scene = own.as_ref().unwrap_or(&read);
        let answer = scene.try_row(row, Some(&scene.admin)).await;
        assert!(matches!(status(row, &answer), 200..=399), "{row:?}: {} {}", answer.status, answer.text);
    }
}

#[tokio::test]
async fn without_a_token_every_protected_route_answers_401() {
    let scene = Scene::new().await;
    for row in ROWS {
        let before = scene.world.stray_refusals();
        let answer = scene.try_row(row, None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{row:?}");
        assert_eq!(scene.world.stray_refusals(), before + 1, "{row:?} left no record");
    }
}

#[tokio::test]
async fn an_old_token_is_refused_everywhere() {
    let scene = Scene::new().await;
    scene.world.advance(Span::hours(2));
    for row in ROWS {
        let answer = scene.try_row(row, Some(&scene.admin)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{row:?}");
    }
}

#[tokio::test]
async fn r01_r21_a_foreign_tenants_token_finds_nothing() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let token = world.daemon_token(FABRIKAM).await;
    let records = || {
        let tenant = world.service.store().tenant(world.tenant_id(CONTOSO));
        tenant.read(|tx| tx.count_directory_records()).unwrap()
    };
    let words = |answer: &Answer| {
        (answer.status, answer.json()["error"]["code"].clone(), answer.json()["error"]["message"].clone())
    };
    // The logs come first: later, its own hold the ids that the caller itself asked for here.
    let (logs, others): (Vec<_>, Vec<_>) =
        ROWS.iter().filter(|row| row.is_graph()).partition(|row| row.is_log() && !row.names_a_thing());
    for row in logs.into_iter().chain(others) {
        let (refusals, before) = (world.directory_refusals(FABRIKAM), records());
        let answer = scene.try_row(row, Some(&token)).await;
        // An application is no "me", whatever it asks for there.
        if row.names_a_thing() && !row.is_of_me() {
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{row:?}: {}", answer.text);
            // A name of nobody gets exactly the same answer: nothing tells that this one exists.
            let segments = row.address.split('/').map(|segment| match segment {
                "{domain}" => "nobody.test",
                segment if segment.starts_with('{') => "00000000-0000-0000-0000-00000000004d",
                segment => segment,
            });
            let nobody = segments.collect::<Vec<_>>().join("/");
            let other = scene.ask(row.method, &nobody, row.body, Some(&token)).await;
            assert_eq!(words(&answer), words(&other), "{row:?}");
        }
        if answer.status.as_u16() >= 400 {
            assert!(world.directory_refusals(FABRIKAM) > refusals, "{row:?} left no record");
        }
        // Whatever it found or did at home, here it was not.
        assert_eq!(records(), before, "{row:?}");
        for (name, thing) in &scene.things {
            assert!(!answer.text.contains(thing), "{row:?} shows the {name}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn r24_a_guest_writes_nothing_and_lists_nothing() {
    let scene = Scene::new().await;
    scene.world.make_guest("bob@fabrikam.test").await;
    let token = scene.token("bob@fabrikam.test", &scene.scope).await;
    for row in ROWS {
        let before = scene.world.directory_refusals(CONTOSO);
        let answer = scene.try_row(row, Some(&token)).await;
        assert_eq!(status(row, &answer), row.guest, "{row:?}: {}", answer.text);
        // No route lets him write, but to his own object.
        assert!(
            row.guest >= 400
                || row.method == "GET"
                || row.address.starts_with("/v1.0/me")
                || row.address == "/oidc/userinfo"
        );
        if row.guest >= 400 {
            assert!(scene.world.directory_refusals(CONTOSO) > before, "{row:?} left no record");
        }
    }
}

#[tokio::test]
async fn a_token_without_the_permission_is_refused_everywhere() {
    let scene = Scene::new().await;
    // Of the administrator: nothing but the application's missing permission stands in the way.
    let bare = scene.token("alice@contoso.test", "openid").await;
    let without_openid = scene.token("alice@contoso.test", "User.Read").await;
    for row in ROWS {
        let before = scene.world.directory_refusals(CONTOSO) + scene.world.stray_refusals();
        let token = if row.is_graph() { &bare } else { &without_openid };
        let answer = scene.try_row(row, Some(token)).await;
        assert_eq!(status(row, &answer), 403, "{row:?}: {}", answer.text);
        let after = scene.world.directory_refusals(CONTOSO) + scene.world.stray_refusals();
        assert!(after > before, "{row:?} left no record");
    }
}

/// A route that no token protects.
async fn try_route(world: &World, method: &str, route: &Route) -> Answer {
    let path = route.path.replace("{tenant}", &world.tenant_id(CONTOSO).to_string());
    let path = path.replace("{name}", &format!("{}.css", world.tenant_id(CONTOSO)));
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    world.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn routes_without_a_token_keep_what_stands_before_them() {
    let (scene, dev) = (Scene::new().await, World::with(Setup { is_dev: true, ..Setup::default() }).await);
    for route in routes() {
        let answer = try_route(&scene.world, route.method, &route).await;
        match route.guard {
            // Tried by `ROWS`.
            Guard::Bearer => {}
            Guard::Client => assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{route:?}"),
            Guard::Dev => {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{route:?}");
                assert_eq!(try_route(&dev, route.method, &route).await.status, StatusCode::OK, "{route:?}");
            }
            Guard::Form | Guard::Ticket => {
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{route:?}");
                assert!(answer.headers.get(header::LOCATION).is_none(), "{route:?}");
            }
            Guard::Open => {
                let status = answer.status.as_u16();
                assert!(status < 500 && status != 404 && status != 405, "{route:?}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn a_method_without_a_row_is_served_nowhere() {
    let world = World::with(Setup { is_dev: true, ..Setup::default() }).await;
    let token = world.daemon_token(CONTOSO).await;
    let served: BTreeSet<_> = routes().iter().map(|route| (route.path, route.method)).collect();
    for route in routes() {
        for method in ["DELETE", "GET", "PATCH", "POST", "PUT"] {
            if served.contains(&(route.path, method)) {
                continue;
            }
            let answer = match route.path.strip_prefix("/v1.0/") {
                Some(path) => {
                    let path = path.replace("Name/{id}", "Name(domainName='x')");
                    let path = path.replace("TenantId/{id}", "TenantId(tenantId='x')");
                    let path = format!("/v1.0/{}", path.replace(['{', '}'], ""));
                    world.graph(&token, method, &path, None).await
                }
                None => try_route(&world, method, &route).await,
            };
            let status = answer.status.as_u16();
            // The token endpoint says it in OAuth's words.
            let is_refused = status == 405 || (route.guard == Guard::Client && status == 400);
            assert!(is_refused, "{method} {route:?}: {} {}", answer.status, answer.text);
        }
    }
}
