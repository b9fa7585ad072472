//! Microsoft Graph v1.0: reads address, options, body and caller; calls one function of the service; renders.

mod annotations;
mod applications;
mod assignments;
mod authorization_policy;
mod batch;
mod body;
mod branding;
mod conditions;
mod consent_requests;
mod consents;
mod deleted_items;
mod delta;
mod directory_roles;
pub(crate) mod error;
mod expand;
mod federated_credentials;
mod groups;
mod invitations;
mod logs;
pub(crate) mod metadata;
mod objects;
mod organization;
mod relations;
mod render;
mod role_management;
mod service_principals;
mod tenants;
pub(crate) mod throttle;
mod token_claims;
mod token_lifetime_policies;
mod users;

use crate::{App, edge};
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use domain::directory::delta::Tracked;
use domain::directory::group::{Link, LinkedKind};
use domain::directory::permission::Viewer;
use error::GraphError;
use groups::{Links, Who};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};
use service::Moment;
use service::assignments::{End, Place as AssignmentPlace};
use service::consents::Whose;
use service::directory::UserKey;
use service::owners::Owned;
use service::relations::Relation;
use service::token::AuthFailure;
use standards::odata::path::{self, Key, Segment};
use standards::odata::prefer::Prefer;
use standards::odata::query::Query;
use std::net::IpAddr;

/// Longest body.
// DEFAULT: 1 MiB; the largest body Graph documents for these resources is a manifest of some 100 KB.
const BODY: usize = 1024 * 1024;

/// Where Graph is served; one release answers at all of them.
pub(crate) const VERSIONS: &[&str] = &["/graph/v1.0/", "/v1.0/", "/beta/"];

const PREFER: HeaderName = HeaderName::from_static("prefer");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const CONSISTENCY_LEVEL: HeaderName = HeaderName::from_static("consistencylevel");

/// Makes the list of addresses and what answers them from the same lines: a line is a whole route.
macro_rules! routes {
    (|$ask:ident, $key:ident, $part:ident| $($method:literal $template:literal => $answer:expr,)*) => {
        /// Every address of Graph that is served: method and template.
        const ROUTES: &[(&str, &str)] = &[$(($method, $template)),*];

        /// Answers at an address that `ROUTES` has.
        async fn answer_at(
            (method, template): (&str, &str),
            $ask: Ask<'_>,
            $key: &Key,
            $part: Option<&str>,
        ) -> Handled {
            match (method, template) {
                $(($method, $template) => $answer,)*
                _ => Err(GraphError::Method),
            }
        }
    };
}

// What a request asks, the key in its address, and the key of something below that.
routes! { |ask, key, part|
    "POST" "/v1.0/$batch" => batch::run(ask).await,
    "GET" "/v1.0/me" => users::get(ask, UserKey::Me),
    "PATCH" "/v1.0/me" => users::patch(ask, UserKey::Me).await,
    "GET" "/v1.0/users" => users::list(ask),
    "POST" "/v1.0/users" => users::create(ask).await,
    "GET" "/v1.0/users/$count" => users::count(ask),
    "GET" "/v1.0/users/delta" => delta::list(ask, Tracked::Users),
    "GET" "/v1.0/users/{id}" => users::get(ask, users::key(key)?),
    "PATCH" "/v1.0/users/{id}" => users::patch(ask, users::key(key)?).await,
    "DELETE" "/v1.0/users/{id}" => users::delete(ask, users::key(key)?).await,
    "GET" "/v1.0/users/{id}/sponsors" => users::sponsors(ask, users::key(key)?),
    "POST" "/v1.0/invitations" => invitations::create(ask).await,
    "GET" "/v1.0/organization" => organization::list(&ask),
    "GET" "/v1.0/organization/{id}" => organization::get(&ask, key),
    "PATCH" "/v1.0/organization/{id}" => organization::patch(ask, key).await,
    "GET" "/v1.0/organization/{id}/branding" => branding::get(&ask, key),
    "PATCH" "/v1.0/organization/{id}/branding" => branding::patch(ask, key).await,
    "GET" "/v1.0/organization/{id}/branding/bannerLogo" => branding::get_logo(&ask, key),
    "PUT" "/v1.0/organization/{id}/branding/bannerLogo" => branding::put_logo(ask, key).await,
    "DELETE" "/v1.0/organization/{id}/branding/bannerLogo" => branding::delete_logo(ask, key).await,
    "GET" "/v1.0/organization/{id}/branding/localizations/0/bannerLogo" => branding::get_logo(&ask, key),
    "PUT" "/v1.0/organization/{id}/branding/localizations/0/bannerLogo" => branding::put_logo(ask, key).await,
    "DELETE" "/v1.0/organization/{id}/branding/localizations/0/bannerLogo" => branding::delete_logo(ask, key).await,
    "GET" "/v1.0/organization/{id}/branding/localizations/default/bannerLogo" => branding::get_logo(&ask, key),
    "PUT" "/v1.0/organization/{id}/branding/localizations/default/bannerLogo" => branding::put_logo(ask, key).await,
    "DELETE" "/v1.0/organization/{id}/branding/localizations/default/bannerLogo" => branding::delete_logo(ask, key).await,
    "GET" "/v1.0/policies/authorizationPolicy" => authorization_policy::get(ask),
    "PATCH" "/v1.0/policies/authorizationPolicy" => authorization_policy::patch(ask).await,
    "GET" "/v1.0/policies/adminConsentRequestPolicy" => consent_requests::get_policy(&ask),
    "PUT" "/v1.0/policies/adminConsentRequestPolicy" => consent_requests::put_policy(ask).await,
    "GET" "/v1.0/policies/tokenLifetimePolicies" => token_lifetime_policies::list(&ask),
    "POST" "/v1.0/policies/tokenLifetimePolicies" => token_lifetime_policies::create(ask).await,
    "GET" "/v1.0/policies/tokenLifetimePolicies/{id}" => token_lifetime_policies::get(&ask, key),
    "PATCH" "/v1.0/policies/tokenLifetimePolicies/{id}" => token_lifetime_policies::patch(ask, key).await,
    "DELETE" "/v1.0/policies/tokenLifetimePolicies/{id}" => token_lifetime_policies::delete(ask, key).await,
    "GET" "/v1.0/policies/tokenLifetimePolicies/{id}/appliesTo" => token_lifetime_policies::objects(&ask, key),
    "GET" "/v1.0/applications/{id}/tokenLifetimePolicies" => token_lifetime_policies::of(&ask, Owned::Application(applications::key(key)?)),
    "GET" "/v1.0/applications/{id}/tokenLifetimePolicies/$ref" => token_lifetime_policies::references(&ask, Owned::Application(applications::key(key)?)),
    "POST" "/v1.0/applications/{id}/tokenLifetimePolicies/$ref" => token_lifetime_policies::assign(ask, Owned::Application(applications::key(key)?)).await,
    "DELETE" "/v1.0/applications/{id}/tokenLifetimePolicies/{part}/$ref" => token_lifetime_policies::unassign(ask, Owned::Application(applications::key(key)?), part).await,
    "GET" "/v1.0/servicePrincipals/{id}/tokenLifetimePolicies" => token_lifetime_policies::of(&ask, Owned::Instance(service_principals::key(key)?)),
    "GET" "/v1.0/servicePrincipals/{id}/tokenLifetimePolicies/$ref" => token_lifetime_policies::references(&ask, Owned::Instance(service_principals::key(key)?)),
    "POST" "/v1.0/servicePrincipals/{id}/tokenLifetimePolicies/$ref" => token_lifetime_policies::assign(ask, Owned::Instance(service_principals::key(key)?)).await,
    "DELETE" "/v1.0/servicePrincipals/{id}/tokenLifetimePolicies/{part}/$ref" => token_lifetime_policies::unassign(ask, Owned::Instance(service_principals::key(key)?), part).await,
    "GET" "/v1.0/identityGovernance/appConsent/appConsentRequests" => consent_requests::list_apps(&ask),
    "GET" "/v1.0/identityGovernance/appConsent/appConsentRequests/{id}" => consent_requests::get_app(&ask, key),
    "GET" "/v1.0/identityGovernance/appConsent/appConsentRequests/{id}/userConsentRequests" => consent_requests::list_requests(&ask, key),
    "GET" "/v1.0/identityGovernance/appConsent/appConsentRequests/{id}/userConsentRequests/{part}" => consent_requests::get_request(&ask, key, part),
    "POST" "/v1.0/directory/tenants" => tenants::create(ask).await,
    "GET" "/v1.0/domains" => organization::list_domains(&ask),
    "GET" "/v1.0/domains/{id}" => organization::get_domain(&ask, key),
    "GET" "/v1.0/applications" => applications::list(ask),
    "POST" "/v1.0/applications" => applications::create(ask).await,
    "GET" "/v1.0/applications/$count" => applications::count(ask),
    "GET" "/v1.0/applications/delta" => delta::list(ask, Tracked::Applications),
    "GET" "/v1.0/applications/{id}" => applications::get(&ask, key),
    "PATCH" "/v1.0/applications/{id}" => applications::patch(ask, key).await,
    "DELETE" "/v1.0/applications/{id}" => applications::delete(ask, key).await,
    "POST" "/v1.0/applications/{id}/addPassword" => applications::add_password(ask, key).await,
    "POST" "/v1.0/applications/{id}/removePassword" => applications::remove_password(ask, key).await,
    "GET" "/v1.0/applications/{id}/federatedIdentityCredentials" => federated_credentials::list(ask, key),
    "POST" "/v1.0/applications/{id}/federatedIdentityCredentials" => federated_credentials::create(ask, key).await,
    "GET" "/v1.0/applications/{id}/federatedIdentityCredentials/{part}" => federated_credentials::get(&ask, key, part),
    "PATCH" "/v1.0/applications/{id}/federatedIdentityCredentials/{part}" => federated_credentials::patch(ask, key, part).await,
    "DELETE" "/v1.0/applications/{id}/federatedIdentityCredentials/{part}" => federated_credentials::delete(ask, key, part).await,
    "GET" "/v1.0/servicePrincipals" => service_principals::list(ask),
    "POST" "/v1.0/servicePrincipals" => service_principals::create(ask).await,
    "GET" "/v1.0/servicePrincipals/$count" => service_principals::count(ask),
    "GET" "/v1.0/servicePrincipals/delta" => delta::list(ask, Tracked::ServicePrincipals),
    "GET" "/v1.0/servicePrincipals/{id}" => service_principals::get(&ask, key),
    "PATCH" "/v1.0/servicePrincipals/{id}" => service_principals::patch(ask, key).await,
    "DELETE" "/v1.0/servicePrincipals/{id}" => service_principals::delete(ask, key).await,
    "POST" "/v1.0/servicePrincipals/{id}/addPassword" => service_principals::add_password(ask, key).await,
    "POST" "/v1.0/servicePrincipals/{id}/removePassword" => service_principals::remove_password(ask, key).await,
    "GET" "/v1.0/servicePrincipals/{id}/appRoleAssignments" => assignments::list(&ask, &AssignmentPlace::Instance(service_principals::key(key)?, End::Principal)),
    "POST" "/v1.0/servicePrincipals/{id}/appRoleAssignments" => assignments::create(ask, AssignmentPlace::Instance(service_principals::key(key)?, End::Principal)).await,
    "DELETE" "/v1.0/servicePrincipals/{id}/appRoleAssignments/{part}" => assignments::delete(ask, AssignmentPlace::Instance(service_principals::key(key)?, End::Principal), part).await,
    "GET" "/v1.0/servicePrincipals/{id}/appRoleAssignedTo" => assignments::list(&ask, &AssignmentPlace::Instance(service_principals::key(key)?, End::Resource)),
    "POST" "/v1.0/servicePrincipals/{id}/appRoleAssignedTo" => assignments::create(ask, AssignmentPlace::Instance(service_principals::key(key)?, End::Resource)).await,
    "DELETE" "/v1.0/servicePrincipals/{id}/appRoleAssignedTo/{part}" => assignments::delete(ask, AssignmentPlace::Instance(service_principals::key(key)?, End::Resource), part).await,
    "GET" "/v1.0/me/appRoleAssignments" => assignments::list(&ask, &AssignmentPlace::User(UserKey::Me)),
    "POST" "/v1.0/me/appRoleAssignments" => assignments::create(ask, AssignmentPlace::User(UserKey::Me)).await,
    "DELETE" "/v1.0/me/appRoleAssignments/{part}" => assignments::delete(ask, AssignmentPlace::User(UserKey::Me), part).await,
    "GET" "/v1.0/users/{id}/appRoleAssignments" => assignments::list(&ask, &AssignmentPlace::User(users::key(key)?)),
    "POST" "/v1.0/users/{id}/appRoleAssignments" => assignments::create(ask, AssignmentPlace::User(users::key(key)?)).await,
    "DELETE" "/v1.0/users/{id}/appRoleAssignments/{part}" => assignments::delete(ask, AssignmentPlace::User(users::key(key)?), part).await,
    "GET" "/v1.0/groups/{id}/appRoleAssignments" => assignments::list(&ask, &AssignmentPlace::Group(groups::key(key)?)),
    "POST" "/v1.0/groups/{id}/appRoleAssignments" => assignments::create(ask, AssignmentPlace::Group(groups::key(key)?)).await,
    "DELETE" "/v1.0/groups/{id}/appRoleAssignments/{part}" => assignments::delete(ask, AssignmentPlace::Group(groups::key(key)?), part).await,
    "GET" "/v1.0/oauth2PermissionGrants" => consents::list(&ask, &Whose::Everybody),
    "POST" "/v1.0/oauth2PermissionGrants" => consents::create(ask).await,
    "GET" "/v1.0/oauth2PermissionGrants/{id}" => consents::get(&ask, key),
    "PATCH" "/v1.0/oauth2PermissionGrants/{id}" => consents::patch(ask, key).await,
    "DELETE" "/v1.0/oauth2PermissionGrants/{id}" => consents::delete(ask, key).await,
    "GET" "/v1.0/me/oauth2PermissionGrants" => consents::list(&ask, &Whose::User(UserKey::Me)),
    "GET" "/v1.0/servicePrincipals/{id}/oauth2PermissionGrants" => consents::list(&ask, &Whose::Instance(service_principals::key(key)?)),
    "GET" "/v1.0/users/{id}/oauth2PermissionGrants" => consents::list(&ask, &Whose::User(users::key(key)?)),
    "GET" "/v1.0/applications/{id}/owners" => relations::owners(&ask, Owned::Application(applications::key(key)?)),
    "POST" "/v1.0/applications/{id}/owners/$ref" => relations::add_owner(ask, Owned::Application(applications::key(key)?)).await,
    "DELETE" "/v1.0/applications/{id}/owners/{part}/$ref" => relations::remove_owner(ask, Owned::Application(applications::key(key)?), part).await,
    "GET" "/v1.0/servicePrincipals/{id}/owners" => relations::owners(&ask, Owned::Instance(service_principals::key(key)?)),
    "POST" "/v1.0/servicePrincipals/{id}/owners/$ref" => relations::add_owner(ask, Owned::Instance(service_principals::key(key)?)).await,
    "DELETE" "/v1.0/servicePrincipals/{id}/owners/{part}/$ref" => relations::remove_owner(ask, Owned::Instance(service_principals::key(key)?), part).await,
    "GET" "/v1.0/me/directReports" => relations::list(&ask, &UserKey::Me, Relation::DirectReports),
    "GET" "/v1.0/me/manager" => relations::manager(&ask, &UserKey::Me),
    "GET" "/v1.0/me/ownedObjects" => relations::list(&ask, &UserKey::Me, Relation::OwnedObjects),
    "POST" "/v1.0/me/revokeSignInSessions" => relations::revoke_sessions(ask, UserKey::Me).await,
    "GET" "/v1.0/users/{id}/directReports" => relations::list(&ask, &users::key(key)?, Relation::DirectReports),
    "GET" "/v1.0/users/{id}/manager" => relations::manager(&ask, &users::key(key)?),
    "PUT" "/v1.0/users/{id}/manager/$ref" => relations::set_manager(ask, users::key(key)?).await,
    "DELETE" "/v1.0/users/{id}/manager/$ref" => relations::clear_manager(ask, users::key(key)?).await,
    "GET" "/v1.0/users/{id}/ownedObjects" => relations::list(&ask, &users::key(key)?, Relation::OwnedObjects),
    "POST" "/v1.0/users/{id}/revokeSignInSessions" => relations::revoke_sessions(ask, users::key(key)?).await,
    "POST" "/v1.0/users/{id}/sponsors/$ref" => relations::add_sponsor(ask, users::key(key)?).await,
    "DELETE" "/v1.0/users/{id}/sponsors/{part}/$ref" => relations::remove_sponsor(ask, users::key(key)?, part).await,
    "POST" "/v1.0/directoryObjects/getByIds" => objects::by_ids(&ask),
    "GET" "/v1.0/directoryObjects/{id}" => objects::get(&ask, key),
    "DELETE" "/v1.0/directoryObjects/{id}" => objects::delete(ask, key).await,
    "POST" "/v1.0/directoryObjects/{id}/checkMemberGroups" => groups::check_groups(ask, key, Who::Object, false),
    "POST" "/v1.0/directoryObjects/{id}/getMemberGroups" => groups::member_groups(ask, key, Who::Object, false),
    "POST" "/v1.0/directoryObjects/{id}/checkMemberObjects" => groups::check_groups(ask, key, Who::Object, true),
    "POST" "/v1.0/directoryObjects/{id}/getMemberObjects" => groups::member_groups(ask, key, Who::Object, true),
    "GET" "/v1.0/tenantRelationships/findTenantInformationByDomainName/{id}" => objects::organization_information(&ask, key),
    "GET" "/v1.0/tenantRelationships/findTenantInformationByTenantId/{id}" => objects::organization_information(&ask, key),
    "GET" "/v1.0/auditLogs/directoryAudits" => logs::list_audits(&ask),
    "GET" "/v1.0/auditLogs/directoryAudits/{id}" => logs::get_audit(&ask, key),
    "GET" "/v1.0/auditLogs/signIns" => logs::list_sign_ins(&ask),
    "GET" "/v1.0/auditLogs/signIns/{id}" => logs::get_sign_in(&ask, key),
    "GET" "/v1.0/groups" => groups::list(ask),
    "POST" "/v1.0/groups" => groups::create(ask).await,
    "GET" "/v1.0/groups/$count" => groups::count(ask),
    "GET" "/v1.0/groups/delta" => delta::list(ask, Tracked::Groups),
    "GET" "/v1.0/groups/{id}" => groups::get(ask, key),
    "PATCH" "/v1.0/groups/{id}" => groups::patch(ask, key).await,
    "DELETE" "/v1.0/groups/{id}" => groups::delete(ask, key).await,
    "GET" "/v1.0/groups/{id}/members" => groups::links(ask, key, Links::Members, None),
    "GET" "/v1.0/groups/{id}/members/microsoft.graph.group" => groups::links(ask, key, Links::Members, Some(LinkedKind::Group)),
    "GET" "/v1.0/groups/{id}/members/microsoft.graph.servicePrincipal" => groups::links(ask, key, Links::Members, Some(LinkedKind::ServicePrincipal)),
    "GET" "/v1.0/groups/{id}/members/microsoft.graph.user" => groups::links(ask, key, Links::Members, Some(LinkedKind::User)),
    "GET" "/v1.0/groups/{id}/members/$count" => groups::count_links(ask, key, Links::Members),
    "GET" "/v1.0/groups/{id}/owners" => groups::links(ask, key, Links::Owners, None),
    "GET" "/v1.0/groups/{id}/owners/microsoft.graph.group" => groups::links(ask, key, Links::Owners, Some(LinkedKind::Group)),
    "GET" "/v1.0/groups/{id}/owners/microsoft.graph.servicePrincipal" => groups::links(ask, key, Links::Owners, Some(LinkedKind::ServicePrincipal)),
    "GET" "/v1.0/groups/{id}/owners/microsoft.graph.user" => groups::links(ask, key, Links::Owners, Some(LinkedKind::User)),
    "GET" "/v1.0/groups/{id}/owners/$count" => groups::count_links(ask, key, Links::Owners),
    "GET" "/v1.0/groups/{id}/transitiveMembers" => groups::links(ask, key, Links::TransitiveMembers, None),
    "GET" "/v1.0/groups/{id}/transitiveMembers/microsoft.graph.group" => groups::links(ask, key, Links::TransitiveMembers, Some(LinkedKind::Group)),
    "GET" "/v1.0/groups/{id}/transitiveMembers/microsoft.graph.servicePrincipal" => groups::links(ask, key, Links::TransitiveMembers, Some(LinkedKind::ServicePrincipal)),
    "GET" "/v1.0/groups/{id}/transitiveMembers/microsoft.graph.user" => groups::links(ask, key, Links::TransitiveMembers, Some(LinkedKind::User)),
    "GET" "/v1.0/groups/{id}/transitiveMembers/$count" => groups::count_links(ask, key, Links::TransitiveMembers),
    "POST" "/v1.0/groups/{id}/members/$ref" => groups::add(ask, key, Link::Member).await,
    "DELETE" "/v1.0/groups/{id}/members/{part}/$ref" => groups::remove(ask, key, Link::Member, part).await,
    "POST" "/v1.0/groups/{id}/owners/$ref" => groups::add(ask, key, Link::Owner).await,
    "DELETE" "/v1.0/groups/{id}/owners/{part}/$ref" => groups::remove(ask, key, Link::Owner, part).await,
    "GET" "/v1.0/groups/{id}/memberOf" => groups::memberships(ask, key, Who::Group, false, None),
    "GET" "/v1.0/groups/{id}/memberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::Group, false),
    "GET" "/v1.0/groups/{id}/memberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::Group, false, Some(LinkedKind::Group)),
    "GET" "/v1.0/groups/{id}/transitiveMemberOf" => groups::memberships(ask, key, Who::Group, true, None),
    "GET" "/v1.0/groups/{id}/transitiveMemberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::Group, true),
    "GET" "/v1.0/groups/{id}/transitiveMemberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::Group, true, Some(LinkedKind::Group)),
    "POST" "/v1.0/groups/{id}/checkMemberGroups" => groups::check_groups(ask, key, Who::Group, false),
    "POST" "/v1.0/groups/{id}/getMemberGroups" => groups::member_groups(ask, key, Who::Group, false),
    "POST" "/v1.0/groups/{id}/checkMemberObjects" => groups::check_groups(ask, key, Who::Group, true),
    "POST" "/v1.0/groups/{id}/getMemberObjects" => groups::member_groups(ask, key, Who::Group, true),
    "GET" "/v1.0/me/memberOf" => groups::memberships(ask, key, Who::Me, false, None),
    "GET" "/v1.0/me/memberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::Me, false),
    "GET" "/v1.0/me/memberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::Me, false, Some(LinkedKind::Group)),
    "GET" "/v1.0/me/transitiveMemberOf" => groups::memberships(ask, key, Who::Me, true, None),
    "GET" "/v1.0/me/transitiveMemberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::Me, true),
    "GET" "/v1.0/me/transitiveMemberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::Me, true, Some(LinkedKind::Group)),
    "POST" "/v1.0/me/checkMemberGroups" => groups::check_groups(ask, key, Who::Me, false),
    "POST" "/v1.0/me/getMemberGroups" => groups::member_groups(ask, key, Who::Me, false),
    "POST" "/v1.0/me/checkMemberObjects" => groups::check_groups(ask, key, Who::Me, true),
    "POST" "/v1.0/me/getMemberObjects" => groups::member_groups(ask, key, Who::Me, true),
    "GET" "/v1.0/servicePrincipals/{id}/memberOf" => groups::memberships(ask, key, Who::ServicePrincipal, false, None),
    "GET" "/v1.0/servicePrincipals/{id}/memberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::ServicePrincipal, false),
    "GET" "/v1.0/servicePrincipals/{id}/memberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::ServicePrincipal, false, Some(LinkedKind::Group)),
    "GET" "/v1.0/servicePrincipals/{id}/transitiveMemberOf" => groups::memberships(ask, key, Who::ServicePrincipal, true, None),
    "GET" "/v1.0/servicePrincipals/{id}/transitiveMemberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::ServicePrincipal, true),
    "GET" "/v1.0/servicePrincipals/{id}/transitiveMemberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::ServicePrincipal, true, Some(LinkedKind::Group)),
    "POST" "/v1.0/servicePrincipals/{id}/checkMemberGroups" => groups::check_groups(ask, key, Who::ServicePrincipal, false),
    "POST" "/v1.0/servicePrincipals/{id}/getMemberGroups" => groups::member_groups(ask, key, Who::ServicePrincipal, false),
    "POST" "/v1.0/servicePrincipals/{id}/checkMemberObjects" => groups::check_groups(ask, key, Who::ServicePrincipal, true),
    "POST" "/v1.0/servicePrincipals/{id}/getMemberObjects" => groups::member_groups(ask, key, Who::ServicePrincipal, true),
    "GET" "/v1.0/users/{id}/memberOf" => groups::memberships(ask, key, Who::User, false, None),
    "GET" "/v1.0/users/{id}/memberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::User, false),
    "GET" "/v1.0/users/{id}/memberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::User, false, Some(LinkedKind::Group)),
    "GET" "/v1.0/users/{id}/transitiveMemberOf" => groups::memberships(ask, key, Who::User, true, None),
    "GET" "/v1.0/users/{id}/transitiveMemberOf/microsoft.graph.directoryRole" => directory_roles::held(&ask, key, Who::User, true),
    "GET" "/v1.0/users/{id}/transitiveMemberOf/microsoft.graph.group" => groups::memberships(ask, key, Who::User, true, Some(LinkedKind::Group)),
    "POST" "/v1.0/users/{id}/checkMemberGroups" => groups::check_groups(ask, key, Who::User, false),
    "POST" "/v1.0/users/{id}/getMemberGroups" => groups::member_groups(ask, key, Who::User, false),
    "POST" "/v1.0/users/{id}/checkMemberObjects" => groups::check_groups(ask, key, Who::User, true),
    "POST" "/v1.0/users/{id}/getMemberObjects" => groups::member_groups(ask, key, Who::User, true),
    "GET" "/v1.0/directoryRoleTemplates" => directory_roles::list_templates(&ask),
    "GET" "/v1.0/directoryRoleTemplates/{id}" => directory_roles::get_template(&ask, key),
    "GET" "/v1.0/directoryRoles" => directory_roles::list(&ask),
    "POST" "/v1.0/directoryRoles" => directory_roles::activate(ask).await,
    "GET" "/v1.0/directoryRoles/{id}" => directory_roles::get(&ask, key),
    "GET" "/v1.0/directoryRoles/{id}/members" => directory_roles::members(ask, key, None),
    "GET" "/v1.0/directoryRoles/{id}/members/microsoft.graph.group" => directory_roles::members(ask, key, Some(LinkedKind::Group)),
    "GET" "/v1.0/directoryRoles/{id}/members/microsoft.graph.servicePrincipal" => directory_roles::members(ask, key, Some(LinkedKind::ServicePrincipal)),
    "GET" "/v1.0/directoryRoles/{id}/members/microsoft.graph.user" => directory_roles::members(ask, key, Some(LinkedKind::User)),
    "POST" "/v1.0/directoryRoles/{id}/members/$ref" => directory_roles::add(ask, key).await,
    "DELETE" "/v1.0/directoryRoles/{id}/members/{part}/$ref" => directory_roles::remove(ask, key, part).await,
    "GET" "/v1.0/roleManagement/directory/roleDefinitions" => role_management::list_definitions(&ask),
    "GET" "/v1.0/roleManagement/directory/roleDefinitions/{id}" => role_management::get_definition(&ask, key),
    "GET" "/v1.0/roleManagement/directory/roleAssignments" => role_management::list(&ask),
    "POST" "/v1.0/roleManagement/directory/roleAssignments" => role_management::create(ask).await,
    "GET" "/v1.0/roleManagement/directory/roleAssignments/{id}" => role_management::get(&ask, key),
    "DELETE" "/v1.0/roleManagement/directory/roleAssignments/{id}" => role_management::delete(ask, key).await,
    "GET" "/v1.0/directory/deletedItems/microsoft.graph.group" => groups::list_deleted(ask),
    "GET" "/v1.0/directory/deletedItems/microsoft.graph.user" => deleted_items::list_users(ask),
    "GET" "/v1.0/directory/deletedItems/microsoft.graph.application" => deleted_items::list_applications(ask),
    "GET" "/v1.0/directory/deletedItems/microsoft.graph.servicePrincipal" => deleted_items::list_service_principals(ask),
    "GET" "/v1.0/directory/deletedItems/{id}" => deleted_items::get(&ask, key),
    "DELETE" "/v1.0/directory/deletedItems/{id}" => deleted_items::purge(ask, key).await,
    "POST" "/v1.0/directory/deletedItems/{id}/restore" => deleted_items::restore(ask, key).await,
}

pub(crate) const fn routes() -> &'static [(&'static str, &'static str)] {
    ROUTES
}

/// One request, read.
pub(crate) struct Ask<'a> {
    pub(crate) app: &'a App,
    pub(crate) viewer: &'a Viewer,
    pub(crate) moment: &'a Moment,
    /// The caller's proof as it came, for the requests of a batch.
    pub(crate) bearer: Option<HeaderValue>,
    pub(crate) query: Query,
    /// `ConsistencyLevel: eventual` was sent.
    pub(crate) is_advanced: bool,
    pub(crate) prefer: Prefer,
    pub(crate) body: Map<String, Value>,
    /// The body of an address whose content is bytes, not JSON.
    pub(crate) stream: Bytes,
    /// The address of this collection, for next links: our own, whatever host the caller named (R39).
    pub(crate) address: String,
}

impl Ask<'_> {
    /// Refuses every option that this address does not act on: to ignore one is to answer another question.
    pub(crate) fn serves(&self, options: &[&str]) -> Result<(), GraphError> {
        let query = &self.query;
        let asked = [
            ("$count", query.count),
            ("$deltatoken", query.deltatoken.is_some()),
            ("$expand", query.expand.is_some()),
            ("$filter", query.filter.is_some()),
            ("$orderby", !query.orderby.is_empty()),
            ("$search", query.search.is_some()),
            ("$select", query.select.is_some()),
            ("$skiptoken", query.skiptoken.is_some()),
            ("$top", query.top.is_some()),
        ];
        match asked.into_iter().find(|(option, is_asked)| *is_asked && !options.contains(option)) {
            Some((option, _)) => Err(GraphError::Option(option)),
            None => Ok(()),
        }
    }
}

/// What a handler hands back.
pub(crate) enum Answer {
    Count(i64),
    Json(StatusCode, Value),
    NoContent,
    /// What was asked for, and the preferences that it honours (`Preference-Applied`, RFC 7240 §3).
    Preferred(String, Value),
    /// A media type and its bytes.
    Stream(&'static str, Vec<u8>),
}

pub(crate) type Handled = Result<Answer, GraphError>;

/// Serves any address below a version.
pub(crate) async fn serve(app: &App, request: Request, peer: Option<IpAddr>) -> Response {
    let moment = edge::moment(app, request.headers(), peer);
    let client_id = edge::text(request.headers(), &CLIENT_REQUEST_ID).filter(|id| id.len() <= 128);
    let client_id = client_id.map_or_else(|| moment.origin.correlation.to_string(), str::to_owned);
    let outcome = answer(app, request, &moment).await;
    let mut response = match outcome {
        Ok(Answer::Json(status, body)) => json(status, &body),
        Ok(Answer::Count(count)) => {
            let mut response = count.to_string().into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            response
        }
        Ok(Answer::Stream(kind, bytes)) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        Ok(Answer::NoContent) => StatusCode::NO_CONTENT.into_response(),
        Ok(Answer::Preferred(applied, body)) => {
            let mut response = json(StatusCode::OK, &body);
            if let Ok(applied) = HeaderValue::try_from(applied) {
                response.headers_mut().insert(HeaderName::from_static("preference-applied"), applied);
            }
            response
        }
        Err(error) => error.respond(&app.service.settings().base, &client_id, &moment),
    };
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("odata-version"), HeaderValue::from_static("4.0"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&moment.entropy.uuid("request").to_string()) {
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    if let Ok(id) = HeaderValue::try_from(client_id) {
        headers.insert(CLIENT_REQUEST_ID, id);
    }
    response
}

fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, serde_json::to_vec(body).unwrap_or_default()).into_response();
    let form =
        "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
    response
}

/// Looks at the caller, then at the request; a refusal that the service did not record is recorded here (R32).
async fn answer(app: &App, request: Request, moment: &Moment) -> Handled {
    let bearer =
        edge::text(request.headers(), &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let viewer = match bearer {
        None => Err(AuthFailure::Missing),
        Some(bearer) => app.service.authenticate(bearer, moment)?,
    };
    let viewer = match viewer {
        Ok(viewer) => {
            edge::line::note_tenant(viewer.tenant);
            viewer
        }
        Err(failure) => {
            app.service.record_malformed(None, 50_027, moment).await?;
            return Err(GraphError::Unauthenticated(failure));
        }
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let outcome = handle(app, &viewer, &method, &path, request, moment).await;
    // What only asks is recorded here, like any read, although its question is posted.
    let is_read = method == Method::GET || is_question(&path);
    if let Err(error) = &outcome
        && let Some(code) = error.unrecorded(is_read)
    {
        app.service.record_refused_request(&viewer, &format!("{method} {path}"), code, moment).await?;
    }
    outcome
}

async fn handle(
    app: &App,
    viewer: &Viewer,
    method: &Method,
    path: &str,
    request: Request,
    moment: &Moment,
) -> Handled {
    let below = VERSIONS.iter().find_map(|prefix| path.strip_prefix(prefix));
    let segments = below.and_then(path::parse).ok_or(GraphError::Path)?;
    let bearer = request.headers().get(header::AUTHORIZATION).cloned();
    let is_advanced = edge::text(request.headers(), &CONSISTENCY_LEVEL)
        .is_some_and(|level| level.eq_ignore_ascii_case("eventual"));
    let request_condition = edge::text(request.headers(), &header::IF_MATCH).map(str::to_owned);
    let prefer = edge::text(request.headers(), &PREFER).map(Prefer::parse).unwrap_or_default();
    let query = Query::parse(request.uri().query().unwrap_or_default())
        .map_err(|error| GraphError::Query(error.to_string()))?;
    let is_stream = segments.last().is_some_and(|segment| segment.name == "bannerLogo");
    let (body, stream) = match is_stream {
        true => (Map::new(), read_bytes(request).await?),
        false => (read_body(request).await?, Bytes::new()),
    };
    // As it was written, keys and all: a next link leads back to it.
    let written = below.unwrap_or_default().trim_matches('/');
    let address = format!("{}/v1.0/{written}", app.service.settings().base);
    // Objects of the directory carry no ETag (facts: graph §1): no other condition than "if there is one" can be met.
    if method != Method::GET && request_condition.is_some_and(|condition| condition != "*") {
        return Err(GraphError::Condition);
    }
    let ask = Ask { app, viewer, moment, bearer, query, is_advanced, prefer, body, stream, address };
    dispatch(method, &segments, ask).await
}

async fn read_bytes(request: Request) -> Result<Bytes, GraphError> {
    axum::body::to_bytes(request.into_body(), BODY).await.map_err(|_| GraphError::BodyTooLarge)
}

async fn read_body(request: Request) -> Result<Map<String, Value>, GraphError> {
    let is_json =
        edge::text(request.headers(), &header::CONTENT_TYPE).is_none_or(|kind| kind.contains("json"));
    let bytes = read_bytes(request).await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    if !is_json {
        return Err(GraphError::MediaType);
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) | Err(_) => Err(GraphError::Body("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.".to_owned())),
    }
}

/// Actions that only ask, and that clients may write with their namespace.
const QUESTIONS: [&str; 5] =
    ["checkMemberGroups", "checkMemberObjects", "getByIds", "getMemberGroups", "getMemberObjects"];

/// Actions that do something.
const DEEDS: [&str; 1] = ["revokeSignInSessions"];

/// The function of a collection that stands where a key could.
const DELTA: &str = "delta";

/// Whether an address is of an action that only asks, however it is written.
fn is_question(path: &str) -> bool {
    let below = VERSIONS.iter().find_map(|prefix| path.strip_prefix(prefix));
    let last = below.and_then(path::parse).and_then(|mut segments| segments.pop());
    last.is_some_and(|last| QUESTIONS.contains(&last.name.trim_start_matches("microsoft.graph.")))
}

/// Collections below what is there once.
const IN_SINGLETONS: [&str; 7] = [
    "/v1.0/auditLogs/directoryAudits/",
    "/v1.0/auditLogs/signIns/",
    "/v1.0/directory/deletedItems/",
    "/v1.0/identityGovernance/appConsent/appConsentRequests/",
    "/v1.0/policies/tokenLifetimePolicies/",
    "/v1.0/roleManagement/directory/roleAssignments/",
    "/v1.0/roleManagement/directory/roleDefinitions/",
];

/// An address with its keys taken out, as the table writes it.
struct Place {
    template: String,
    key: Option<Key>,
    /// The second key, of something below the first.
    part: Option<String>,
}

/// Finds the template of an address: `users/x`, `users('x')` and `users(appId='x')` are one.
fn place(segments: &[Segment]) -> Option<Place> {
    let mut template = String::from("/v1.0");
    let (mut key, mut part) = (None, None);
    let mut names = segments.iter();
    let first = names.next()?;
    template.push('/');
    template.push_str(&first.name);
    let is_singleton = matches!(
        first.name.as_str(),
        "auditLogs"
            | "directory"
            | "identityGovernance"
            | "me"
            | "policies"
            | "roleManagement"
            | "tenantRelationships"
    );
    if first.key != Key::None {
        template.push_str("/{id}");
        key = Some(first.key.clone());
    }
    for segment in names {
        template.push('/');
        let name = match segment.name.strip_prefix("graph.") {
            Some(cast) => format!("microsoft.graph.{cast}"),
            None => segment.name.clone(),
        };
        // Actions and functions are written with their namespace, too.
        let name = match name.strip_prefix("microsoft.graph.") {
            Some(action) if QUESTIONS.contains(&action) || DEEDS.contains(&action) || action == DELTA => {
                action.to_owned()
            }
            Some(_) | None => name,
        };
        let is_key = key.is_none()
            && name != DELTA
            && !name.starts_with('$')
            && !name.starts_with("microsoft.graph.")
            && name != "getByIds"
            && (!is_singleton || IN_SINGLETONS.contains(&template.as_str()));
        if is_key {
            template.push_str("{id}");
            key = Some(Key::Single(name));
        } else if is_part(&template, &name) {
            template.push_str("{part}");
            part = Some(name);
        } else {
            template.push_str(&name);
        }
        // A function's parameter, or another spelling: `members('x')` is `members/x`.
        match (&segment.key, &key) {
            (Key::None, _) => {}
            (found, None) => {
                template.push_str("/{id}");
                key = Some(found.clone());
            }
            (Key::Single(text), Some(_)) if part.is_none() => {
                template.push_str("/{part}");
                part = Some(text.clone());
            }
            // A credential's name is unique below its application.
            (Key::Named(field, text), Some(_))
                if part.is_none() && field == "name" && segment.name == "federatedIdentityCredentials" =>
            {
                template.push_str("/{part}");
                part = Some(text.clone());
            }
            (Key::Named(..) | Key::Single(_), Some(_)) => return None,
        }
    }
    Some(Place { template, key, part })
}

/// Whether a name below a collection is the key of something in it.
fn is_part(template: &str, name: &str) -> bool {
    let is_collection = [
        "/appRoleAssignments/",
        "/appRoleAssignedTo/",
        "/federatedIdentityCredentials/",
        "/members/",
        "/owners/",
        "/sponsors/",
        "/tokenLifetimePolicies/",
        "/userConsentRequests/",
    ]
    .iter()
    .any(|end| template.ends_with(end));
    is_collection && !name.starts_with('$') && !name.starts_with("microsoft.graph.")
}

/// Whether the table has the address, and the method there.
fn is_served(method: &Method, template: &str, segments: &[Segment]) -> Result<(), GraphError> {
    let mut methods =
        ROUTES.iter().filter(|(_, path)| *path == template).map(|(served, _)| *served).peekable();
    if methods.peek().is_none() {
        let name = segments.last().map(|segment| segment.name.clone()).unwrap_or_default();
        return Err(GraphError::Segment(name));
    }
    if methods.any(|served| served == method.as_str()) { Ok(()) } else { Err(GraphError::Method) }
}

async fn dispatch(method: &Method, segments: &[Segment], ask: Ask<'_>) -> Handled {
    let Some(Place { template, key, part }) = place(segments) else { return Err(GraphError::Path) };
    // The one function name that comes before a key in Python's SDK.
    let is_me = template.starts_with("/v1.0/users/{id}")
        && key == Some(Key::Single("me-token-to-replace".to_owned()));
    let template = if is_me { template.replacen("/v1.0/users/{id}", "/v1.0/me", 1) } else { template };
    is_served(method, &template, segments)?;
    if ask.query.deltatoken.is_some() && !template.ends_with(DELTA) {
        return Err(GraphError::Option("$deltatoken"));
    }
    edge::line::note_template(&template);
    throttle::admit(&ask, method, &template)?;
    annotations::check(&template, &ask.body)?;
    let key = key.unwrap_or(Key::None);
    answer_at((method.as_str(), &template), ask, &key, part.as_deref()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(path: &str) -> String {
        place(&path::parse(path).unwrap()).unwrap().template
    }

    #[test]
    fn every_spelling_of_an_address_finds_its_template() {
        for (path, expected) in [
            ("users", "/v1.0/users"),
            ("users/x", "/v1.0/users/{id}"),
            ("users('x')", "/v1.0/users/{id}"),
            ("users/$count", "/v1.0/users/$count"),
            ("users/bob%23EXT%23%40contoso.test/sponsors", "/v1.0/users/{id}/sponsors"),
            ("applications(appId='x')/addPassword", "/v1.0/applications/{id}/addPassword"),
            (
                "servicePrincipals/x/appRoleAssignedTo/y",
                "/v1.0/servicePrincipals/{id}/appRoleAssignedTo/{part}",
            ),
            ("directory/deletedItems/graph.user", "/v1.0/directory/deletedItems/microsoft.graph.user"),
            ("directory/deletedItems/x/restore", "/v1.0/directory/deletedItems/{id}/restore"),
            (
                "applications/x/federatedIdentityCredentials(name='y')",
                "/v1.0/applications/{id}/federatedIdentityCredentials/{part}",
            ),
            ("policies/tokenLifetimePolicies", "/v1.0/policies/tokenLifetimePolicies"),
            ("policies/tokenLifetimePolicies/x", "/v1.0/policies/tokenLifetimePolicies/{id}"),
            (
                "policies/tokenLifetimePolicies('x')/appliesTo",
                "/v1.0/policies/tokenLifetimePolicies/{id}/appliesTo",
            ),
            (
                "applications(appId='x')/tokenLifetimePolicies/$ref",
                "/v1.0/applications/{id}/tokenLifetimePolicies/$ref",
            ),
            (
                "servicePrincipals('x')/tokenLifetimePolicies('y')/$ref",
                "/v1.0/servicePrincipals/{id}/tokenLifetimePolicies/{part}/$ref",
            ),
            ("users/delta", "/v1.0/users/delta"),
            ("users/delta()", "/v1.0/users/delta"),
            ("groups/microsoft.graph.delta()", "/v1.0/groups/delta"),
            ("me", "/v1.0/me"),
            ("groups('x')/members('y')/$ref", "/v1.0/groups/{id}/members/{part}/$ref"),
            ("directoryObjects/microsoft.graph.getByIds", "/v1.0/directoryObjects/getByIds"),
            (
                "tenantRelationships/findTenantInformationByTenantId(tenantId='x')",
                "/v1.0/tenantRelationships/findTenantInformationByTenantId/{id}",
            ),
            ("groups/x/members/$ref", "/v1.0/groups/{id}/members/$ref"),
            ("groups/x/members/y/$ref", "/v1.0/groups/{id}/members/{part}/$ref"),
            ("groups('x')/members/graph.user", "/v1.0/groups/{id}/members/microsoft.graph.user"),
            ("me/memberOf/microsoft.graph.group", "/v1.0/me/memberOf/microsoft.graph.group"),
            ("groups('x')/members('y')/$ref", "/v1.0/groups/{id}/members/{part}/$ref"),
            ("directory/deletedItems('x')/restore", "/v1.0/directory/deletedItems/{id}/restore"),
            ("users/x/microsoft.graph.getMemberGroups", "/v1.0/users/{id}/getMemberGroups"),
        ] {
            assert_eq!(template(path), expected, "{path}");
        }
    }
}
