//! App roles that users hold themselves and through the groups that they are in.

use domain::id::{PartId, ServicePrincipalId};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::{Chore, Recorded};
use testkit::{Answer, CONTOSO, World, claims};
use uuid::Uuid;

const ROLE: &str = "00000000-0000-0000-0000-000000000001";
const OTHER_ROLE: &str = "00000000-0000-0000-0000-000000000002";

struct Scene {
    world: World,
    token: String,
    /// The service principal of Contoso's web application, which demands assignment.
    web: String,
    /// That of an API with two roles, which it calls.
    api: String,
    scope: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let token = world.daemon_token(CONTOSO).await;
        let [web, api] = ["web", "api"].map(|kind| world.app(CONTOSO, kind).app_id.unwrap());
        let scope = format!("api://{api}/access_as_user offline_access");
        let mut scene = Self { world, token, web: String::new(), api: String::new(), scope };
        let role = |id: &str, value: &str| {
            json!({ "id": id, "value": value, "displayName": value, "description": value, "isEnabled": true,
                "allowedMemberTypes": ["User"] })
        };
        let path = format!("/v1.0/applications(appId='{api}')");
        let mut roles = scene.ask("GET", &path, None).await.json()["appRoles"].as_array().unwrap().clone();
        roles.extend([role(ROLE, "Reader"), role(OTHER_ROLE, "Writer")]);
        let patched = scene.ask("PATCH", &path, Some(json!({ "appRoles": roles }))).await;
        assert_eq!(patched.status, 204, "{}", patched.text);
        let path = |app| format!("/v1.0/servicePrincipals(appId='{app}')");
        scene.web = scene.ask("GET", &path(web), None).await.json()["id"].as_str().unwrap().to_owned();
        scene.api = scene.ask("GET", &path(api), None).await.json()["id"].as_str().unwrap().to_owned();
        let required = json!({ "appRoleAssignmentRequired": true });
        assert_eq!(scene.ask("PATCH", &path(web), Some(required)).await.status, 204);
        scene
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.world.graph(&self.token, method, path, body).await
    }

    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|id| format!("/v1.0/directoryObjects/{id}")).collect();
        let body = json!({ "displayName": name, "mailEnabled": false, "mailNickname": name,
            "securityEnabled": true, "members@odata.bind": members });
        let made = self.ask("POST", "/v1.0/groups", Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    /// Gives a role of the API.
    async fn assign(&self, set: &str, principal: &str, role: &str) -> Answer {
        self.assign_of(&self.api, set, principal, role).await
    }

    async fn assign_of(&self, resource: &str, set: &str, principal: &str, role: &str) -> Answer {
        let body = json!({ "principalId": principal, "resourceId": resource, "appRoleId": role });
        self.ask("POST", &format!("/v1.0/{set}/{principal}/appRoleAssignments"), Some(body)).await
    }

    fn dave(&self) -> String {
        self.world.user("dave@contoso.test").id.unwrap().to_string()
    }

    /// Lets somebody in who holds no role.
    async fn let_in(&self, set: &str, principal: &str) {
        let made = self.assign_of(&self.web, set, principal, &Uuid::nil().to_string()).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }

    /// The `roles` of a token of Dave's for the API, or the code of the refusal at sign-in.
    async fn sign_in(&self) -> Result<BTreeSet<String>, String> {
        let mut browser = self.world.browser();
        let app = self.world.app(CONTOSO, "web");
        let url = browser.authorize_url(CONTOSO, app, &self.scope, &[]);
        let page = browser.get(&url).await;
        let mut page = browser.sign_in(page, "dave@contoso.test").await;
        for action in ["accept", "stay_no"] {
            if page.text.contains(&format!("value=\"{action}\"")) {
                page = browser.press(&page, action, &[]).await;
            }
        }
        if page.text.contains("AADSTS50105") {
            return Err("50105".to_owned());
        }
        let tokens = self.world.sign_in(CONTOSO, "web", "dave@contoso.test", &self.scope).await;
        let claims = claims(tokens["access_token"].as_str().unwrap());
        let roles = claims["roles"].as_array().cloned().unwrap_or_default();
        Ok(roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect())
    }
}

#[tokio::test]
async fn direct_members_of_a_group_hold_its_roles_while_they_are_in_it() {
    let scene = Scene::new().await;
    let dave = scene.dave();
    assert_eq!(scene.sign_in().await, Err("50105".to_owned()));
    let inner = scene.group("inner", &[&dave]).await;
    let outer = scene.group("outer", &[&inner]).await;
    // Not through a nested group.
    scene.let_in("groups", &outer).await;
    assert_eq!(scene.sign_in().await, Err("50105".to_owned()));
    scene.let_in("groups", &inner).await;
    assert_eq!(scene.sign_in().await, Ok([].into()));
    assert_eq!(scene.assign("groups", &outer, OTHER_ROLE).await.status, 201);
    assert_eq!(scene.sign_in().await, Ok([].into()));

    let through_group = scene.assign("groups", &inner, ROLE).await.json();
    assert_eq!(through_group["principalType"], "Group");
    assert_eq!(scene.sign_in().await, Ok(["Reader".to_owned()].into()));
    let own = scene.assign("users", &dave, OTHER_ROLE).await.json();
    assert_eq!(scene.sign_in().await, Ok(["Reader".to_owned(), "Writer".to_owned()].into()));

    // Both are the user's, and what the group was given is taken from the group.
    let path = format!("/v1.0/users/{dave}/appRoleAssignments");
    let of_api = format!("{path}?$filter=resourceId%20eq%20{}", scene.api);
    let listed = scene.ask("GET", &of_api, None).await.json();
    let held: BTreeSet<_> =
        listed["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    let (group_id, own_id) = (through_group["id"].as_str().unwrap(), own["id"].as_str().unwrap());
    assert_eq!(held, [group_id, own_id].into());
    assert_eq!(scene.ask("DELETE", &format!("{path}/{group_id}"), None).await.status, 404);
    assert_eq!(scene.ask("DELETE", &format!("{path}/{own_id}"), None).await.status, 204);
    assert_eq!(scene.sign_in().await, Ok(["Reader".to_owned()].into()));

    let members = format!("/v1.0/groups/{inner}/members/{dave}/$ref");
    assert_eq!(scene.ask("DELETE", &members, None).await.status, 204);
    assert_eq!(scene.sign_in().await, Err("50105".to_owned()));
}

#[tokio::test]
async fn a_deleted_group_gives_no_roles_until_it_is_restored() {
    let scene = Scene::new().await;
    let group = scene.group("readers", &[&scene.dave()]).await;
    scene.let_in("groups", &group).await;
    assert!(scene.sign_in().await.is_ok());
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/groups/{group}"), None).await.status, 204);
    assert_eq!(scene.sign_in().await, Err("50105".to_owned()));
    scene.ask("POST", &format!("/v1.0/directory/deletedItems/{group}/restore"), None).await;
    assert!(scene.sign_in().await.is_ok());
}

#[tokio::test]
async fn r36_an_assignment_is_written_at_the_end_that_it_names() {
    let scene = Scene::new().await;
    let (dave, group) = (scene.dave(), scene.group("readers", &[]).await);
    let body = json!({ "principalId": dave, "resourceId": scene.api, "appRoleId": ROLE });
    let wrong = scene.ask("POST", &format!("/v1.0/groups/{group}/appRoleAssignments"), Some(body)).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    assert!(wrong.text.contains("principalId"), "{}", wrong.text);
    assert_eq!(scene.assign("users", &dave, ROLE).await.status, 201);
    let twice = scene.assign("users", &dave, ROLE).await;
    assert!(twice.status == 400 && twice.text.contains("already exists"), "{}", twice.text);
    // Dave reads his own, and may give nobody anything.
    let scope = "Directory.Read.All AppRoleAssignment.ReadWrite.All Application.Read.All User.Read.All";
    let tokens = {
        let mut browser = scene.world.browser();
        let app = scene.world.app(CONTOSO, "web");
        let url = browser.authorize_url(CONTOSO, app, scope, &[]);
        let alice = scene.world.user("alice@contoso.test").id.unwrap().to_string();
        scene.let_in("users", &alice).await;
        scene.let_in("users", &dave).await;
        let page = browser.get(&url).await;
        let page = browser.sign_in(page, "alice@contoso.test").await;
        browser.press(&page, "accept", &[("for_organization", "1")]).await;
        scene.world.sign_in(CONTOSO, "web", "dave@contoso.test", scope).await
    };
    let token = tokens["access_token"].as_str().unwrap();
    let own = scene.world.graph(token, "GET", "/v1.0/me/appRoleAssignments", None).await;
    assert_eq!(own.json()["value"].as_array().unwrap().len(), 2, "{}", own.text);
    let body = json!({ "principalId": dave, "resourceId": scene.api, "appRoleId": OTHER_ROLE });
    let refused = scene.world.graph(token, "POST", "/v1.0/me/appRoleAssignments", Some(body)).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
}

#[tokio::test]
async fn a_principal_holds_1500_roles_and_no_more() {
    let scene = Scene::new().await;
    let (dave, now) = (scene.dave(), scene.world.moment().now);
    let principal = Uuid::parse_str(&dave).unwrap();
    let tenant = scene.world.service.store().tenant(scene.world.tenant_id(CONTOSO));
    // Of resources that are gone by now: they count.
    let filled = tenant.write(move |tx| {
        for number in 1..=1_499_u128 {
            let (id, resource) =
                (Uuid::from_u128(number << 64), ServicePrincipalId::new(Uuid::from_u128(number)));
            tx.assign_app_role(id, principal, resource, PartId::new(Uuid::nil()), now)?;
        }
        Ok(Recorded::chore(Chore::Sweep, ()))
    });
    filled.await.unwrap();
    assert_eq!(scene.assign("users", &dave, ROLE).await.status, 201);
    let refused = scene.assign("users", &dave, OTHER_ROLE).await;
    assert!(refused.status == 400 && refused.text.contains("1500"), "{}", refused.text);
    // Pages show only what is still there, and come to an end.
    let mut next = Some(format!("/v1.0/users/{dave}/appRoleAssignments?$top=999"));
    let mut seen = 0;
    while let Some(path) = next {
        let page = scene.ask("GET", &path, None).await.json();
        seen += page["value"].as_array().unwrap().len();
        next = page["@odata.nextLink"].as_str().map(|link| link.trim_start_matches(testkit::BASE).to_owned());
    }
    assert_eq!(seen, 1);
}
