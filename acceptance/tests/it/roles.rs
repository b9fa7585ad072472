//! Directory roles through Graph: given, seen everywhere, counting at the next request, and taken back; groups that give
//! roles to their members; and the last administrator, who stays.

use domain::directory::group::LinkedKind;
use domain::directory::role::{self, RoleAssignment, RoleTemplate};
use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, World};

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

/// What Alice agrees to for everybody, so that tokens differ by who asks and nothing else.
const SCOPES: &str = "openid User.Read User.Read.All User.ReadWrite.All Group.ReadWrite.All RoleManagement.ReadWrite.Directory";

struct Scene {
    world: World,
    daemon: String,
    alice: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let mut browser = world.browser();
        let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), SCOPES, &[]);
        let page = browser.get(&url).await;
        let page = browser.sign_in(page, "alice@contoso.test").await;
        browser.press(&page, "accept", &[("for_organization", "1")]).await;
        let daemon = world.daemon_token(CONTOSO).await;
        let mut scene = Self { world, daemon, alice: String::new() };
        scene.alice = scene.token("alice@contoso.test").await;
        scene
    }

    async fn token(&self, name: &str) -> String {
        let tokens = self.world.sign_in(CONTOSO, "web", name, SCOPES).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.world.graph(token, method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(&self.daemon, "GET", &path.replace(' ', "%20"), None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    async fn give_as(&self, token: &str, role: RoleTemplate, principal: &str) -> Answer {
        let body = json!({ "@odata.type": "#microsoft.graph.unifiedRoleAssignment", "principalId": principal,
            "roleDefinitionId": role.id.to_string(), "directoryScopeId": "/" });
        self.ask(token, "POST", ASSIGNMENTS, Some(body)).await
    }

    /// Gives a role; answers the assignment's address.
    async fn give(&self, role: RoleTemplate, principal: &str) -> String {
        let answer = self.give_as(&self.daemon, role, principal).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        format!("{ASSIGNMENTS}/{}", answer.json()["id"].as_str().unwrap())
    }

    async fn take(&self, address: &str) -> Answer {
        self.ask(&self.daemon, "DELETE", address, None).await
    }

    async fn make_group(&self, token: &str, name: &str, more: Value) -> Answer {
        let mut body = json!({ "displayName": name, "mailEnabled": false, "mailNickname": name,
            "securityEnabled": true, "isAssignableToRole": true });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask(token, "POST", "/v1.0/groups", Some(body)).await
    }

    async fn group(&self, name: &str, more: Value) -> String {
        let answer = self.make_group(&self.daemon, name, more).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn link(&self, token: &str, group: &str, nav: &str, object: &str) -> Answer {
        let body = json!({ "@odata.id": format!("/v1.0/directoryObjects/{object}") });
        self.ask(token, "POST", &format!("/v1.0/groups/{group}/{nav}/$ref"), Some(body)).await
    }

    async fn unlink(&self, token: &str, group: &str, nav: &str, object: &str) -> Answer {
        self.ask(token, "DELETE", &format!("/v1.0/groups/{group}/{nav}/{object}/$ref"), None).await
    }

    /// What a User Administrator may do, tried.
    async fn may_create_users(&self, token: &str) -> bool {
        let mark = self.world.moment().entropy.uuid("mark").simple().to_string();
        let user = json!({ "accountEnabled": true, "displayName": "New", "mailNickname": mark,
            "userPrincipalName": format!("{mark}@contoso.test"), "passwordProfile": { "password": "Passw0rd-1" } });
        let answer = self.ask(token, "POST", "/v1.0/users", Some(user)).await;
        assert!([201, 403].contains(&answer.status.as_u16()), "{}", answer.text);
        answer.status == 201
    }
}

fn ids(list: &Value) -> Vec<&str> {
    list["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

fn names(list: &Value) -> Vec<&str> {
    list["value"].as_array().unwrap().iter().filter_map(|item| item["displayName"].as_str()).collect()
}

#[tokio::test]
async fn a_role_is_seen_everywhere_counts_at_once_and_ends_at_once() {
    let scene = Scene::new().await;
    let (carol, carols) = (scene.user("carol@contoso.test"), scene.token("carol@contoso.test").await);
    let roles = scene.get("/v1.0/directoryRoles").await;
    assert_eq!(names(&roles), ["Global Administrator"], "what nobody holds is not activated");
    assert!(!scene.may_create_users(&carols).await);

    let assignment = scene.give(role::USER_ADMINISTRATOR, &carol).await;
    assert!(scene.may_create_users(&carols).await, "with the same token");
    let one = scene.get(&format!("{assignment}?$expand=principal,roleDefinition")).await;
    assert_eq!(one["principal"]["userPrincipalName"], "carol@contoso.test");
    assert_eq!(one["roleDefinition"]["displayName"], "User Administrator");
    let template = role::USER_ADMINISTRATOR.id;
    let role = scene.get(&format!("/v1.0/directoryRoles(roleTemplateId='{template}')")).await;
    let role = role["id"].as_str().unwrap().to_owned();
    let members = format!("/v1.0/directoryRoles/{role}/members");
    let held = scene.get(&members).await;
    assert_eq!(
        (ids(&held), &held["value"][0]["@odata.type"]),
        (vec![carol.as_str()], &json!("#microsoft.graph.user"))
    );
    let cast = scene.get(&format!("{members}/microsoft.graph.user?$select=displayName")).await;
    assert_eq!(names(&cast), ["Carol Clark"]);
    for path in ["memberOf", "transitiveMemberOf", "memberOf/microsoft.graph.directoryRole"] {
        assert_eq!(ids(&scene.get(&format!("/v1.0/users/{carol}/{path}")).await), [role.as_str()], "{path}");
    }
    for filter in [
        format!("principalId eq '{carol}'"),
        format!("roleDefinitionId eq '{template}'"),
        format!("principalId eq '{carol}' and roleDefinitionId eq '{template}' and directoryScopeId eq '/'"),
    ] {
        let found = scene.get(&format!("{ASSIGNMENTS}?$filter={filter}")).await;
        assert_eq!(ids(&found).len(), 1, "{filter}");
        assert_eq!(found["value"][0]["id"], one["id"], "{filter}");
    }
    let ask = json!({ "ids": [role] });
    let path = format!("/v1.0/users/{carol}/checkMemberObjects");
    assert_eq!(scene.ask(&scene.daemon, "POST", &path, Some(ask)).await.json()["value"], json!([role]));
    let claims = testkit::claims(&scene.token("carol@contoso.test").await);
    assert_eq!(claims["wids"], json!([template.to_string()]));

    assert_eq!(scene.take(&assignment).await.status, 204);
    assert!(!scene.may_create_users(&carols).await, "with the same token");
    assert!(ids(&scene.get(&members).await).is_empty());
    assert!(ids(&scene.get(&format!("/v1.0/users/{carol}/memberOf")).await).is_empty());
    assert_eq!(scene.take(&assignment).await.status, 404);
    let roles = scene.get("/v1.0/directoryRoles?$filter=displayName eq 'User Administrator'").await;
    assert_eq!(ids(&roles), [role.as_str()], "a role stays activated");
}

#[tokio::test]
async fn roles_are_activated_and_members_put_in_as_before_assignments_were() {
    let scene = Scene::new().await;
    let dave = scene.user("dave@contoso.test");
    let template = role::GUEST_INVITER.id.to_string();
    let activate = async || {
        let body = json!({ "roleTemplateId": template });
        scene.ask(&scene.daemon, "POST", "/v1.0/directoryRoles", Some(body)).await
    };
    let by_template = format!("/v1.0/directoryRoles(roleTemplateId='{template}')");
    assert_eq!(scene.ask(&scene.daemon, "GET", &by_template, None).await.status, 404, "not activated yet");
    let role = activate().await;
    assert_eq!(role.status, 201, "{}", role.text);
    assert_eq!(activate().await.status, 400);
    let path = format!("/v1.0/directoryRoles/{}/members", role.json()["id"].as_str().unwrap());
    let body = json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/users/{dave}") });
    for status in [204, 400] {
        let answer = scene.ask(&scene.daemon, "POST", &format!("{path}/$ref"), Some(body.clone())).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    assert_eq!(ids(&scene.get(&path).await), [dave.as_str()]);
    let unlinked = format!("{path}/{dave}");
    assert_eq!(scene.take(&unlinked).await.status, 404, "without $ref the address means the user");
    assert_eq!(scene.take(&format!("{unlinked}/$ref")).await.status, 204);
    assert_eq!(scene.take(&format!("{unlinked}/$ref")).await.status, 404);

    let templates = scene.get("/v1.0/directoryRoleTemplates").await;
    let definitions = scene.get("/v1.0/roleManagement/directory/roleDefinitions").await;
    assert_eq!(ids(&templates), ids(&definitions));
    let found = scene
        .get("/v1.0/roleManagement/directory/roleDefinitions?$filter=displayName eq 'Guest Inviter'&$select=id")
        .await;
    assert_eq!(found["value"], json!([{ "id": template }]));
}

#[tokio::test]
async fn r21_r36_what_cannot_hold_a_role_gets_none_and_leaves_a_record() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let plain = scene.group("plain", json!({ "isAssignableToRole": false })).await;
    let instances = scene.get("/v1.0/servicePrincipals?$top=1").await;
    let instance = ids(&instances)[0].to_owned();
    scene.give(role::SECURITY_READER, &carol).await;
    for (principal, status) in [
        (scene.user("bob@fabrikam.test"), 404),
        ("00000000-0000-0000-0000-000000000001".to_owned(), 404),
        (plain, 400),
        (instance, 400),
        (carol.clone(), 400),
    ] {
        let before = scene.world.directory_refusals(CONTOSO);
        let answer = scene.give_as(&scene.daemon, role::SECURITY_READER, &principal).await;
        assert_eq!(answer.status, status, "{principal}: {}", answer.text);
        assert_eq!(scene.world.directory_refusals(CONTOSO), before + 1);
    }
    let of = |more: Value| {
        let mut body =
            json!({ "principalId": carol, "roleDefinitionId": role::GUEST_INVITER.id.to_string() });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for more in [
        json!({}),
        json!({ "directoryScopeId": "/administrativeUnits/1" }),
        json!({ "directoryScopeId": "/", "condition": "x" }),
        json!({ "directoryScopeId": "/", "principal": {} }),
    ] {
        let answer = scene.ask(&scene.daemon, "POST", ASSIGNMENTS, Some(of(more.clone()))).await;
        assert_eq!(answer.status, 400, "{more}: {}", answer.text);
    }
    let unknown = of(json!({ "directoryScopeId": "/", "roleDefinitionId": carol }));
    assert_eq!(scene.ask(&scene.daemon, "POST", ASSIGNMENTS, Some(unknown)).await.status, 404);
    for query in
        ["$filter=principalId ne 'x'", "$expand=appScope", "$orderby=id", "$expand=principal($select=id)"]
    {
        let path = format!("{ASSIGNMENTS}?{}", query.replace(' ', "%20"));
        assert_eq!(scene.ask(&scene.daemon, "GET", &path, None).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn r24_only_administrators_of_roles_give_roles_and_a_guest_may_be_one_by_their_word() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    let carols = scene.token("carol@contoso.test").await;
    assert_eq!(scene.give_as(&carols, role::GUEST_INVITER, &dave).await.status, 403);
    scene.give(role::USER_ADMINISTRATOR, &carol).await;
    assert_eq!(scene.give_as(&carols, role::GUEST_INVITER, &dave).await.status, 403);
    scene.give(role::PRIVILEGED_ROLE_ADMINISTRATOR, &carol).await;
    assert_eq!(scene.give_as(&carols, role::GUEST_INVITER, &dave).await.status, 201);

    let guest = scene.world.make_guest("bob@fabrikam.test").await;
    let bobs = scene.token("bob@fabrikam.test").await;
    let list = |path: &'static str| scene.ask(&bobs, "GET", path, None);
    assert_eq!(list("/v1.0/directoryRoles").await.status, 403);
    assert_eq!(scene.give_as(&bobs, role::GUEST_INVITER, &guest).await.status, 403);
    scene.give(role::GLOBAL_READER, &guest).await;
    assert_eq!(list("/v1.0/directoryRoles").await.status, 200);
    assert_eq!(list("/v1.0/users").await.status, 200);
    assert_eq!(scene.give_as(&bobs, role::GUEST_INVITER, &guest).await.status, 403);
}

#[tokio::test]
async fn the_last_global_administrator_stays() {
    let scene = Scene::new().await;
    let (alice, carol) = (scene.user("alice@contoso.test"), scene.user("carol@contoso.test"));
    let role = role::object_id(scene.world.tenant_id(CONTOSO), role::GLOBAL_ADMINISTRATOR.id);
    let found = scene.get(&format!("{ASSIGNMENTS}?$filter=principalId eq '{alice}'")).await;
    let assignment = format!("{ASSIGNMENTS}/{}", ids(&found)[0]);
    let is_kept = async || {
        for (method, path, body) in [
            ("DELETE", assignment.clone(), None),
            ("DELETE", format!("/v1.0/directoryRoles/{role}/members/{alice}/$ref"), None),
            ("DELETE", format!("/v1.0/users/{alice}"), None),
            ("PATCH", format!("/v1.0/users/{alice}"), Some(json!({ "accountEnabled": false }))),
        ] {
            let answer = scene.ask(&scene.alice, method, &path, body).await;
            assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text);
            assert!(answer.text.contains("without a Global Administrator"), "{}", answer.text);
        }
    };
    is_kept().await;
    // Whoever cannot sign in administers nothing.
    scene.give(role::GLOBAL_ADMINISTRATOR, &carol).await;
    let disabled = Some(json!({ "accountEnabled": false }));
    let path = format!("/v1.0/users/{carol}");
    assert_eq!(scene.ask(&scene.alice, "PATCH", &path, disabled).await.status, 204);
    is_kept().await;
    let group = scene.group("admins", json!({})).await;
    let held = scene.give(role::GLOBAL_ADMINISTRATOR, &group).await;
    is_kept().await;
    // A member of a group that holds the role is one, and then it is this one who stays.
    let dave = scene.user("dave@contoso.test");
    assert_eq!(scene.link(&scene.daemon, &group, "members", &dave).await.status, 204);
    assert_eq!(scene.take(&assignment).await.status, 204);
    assert_eq!(scene.unlink(&scene.daemon, &group, "members", &dave).await.status, 400);
    assert_eq!(scene.take(&held).await.status, 400);
    assert_eq!(scene.take(&format!("/v1.0/groups/{group}")).await.status, 400);
    scene.give(role::GLOBAL_ADMINISTRATOR, &alice).await;
    assert_eq!(scene.unlink(&scene.daemon, &group, "members", &dave).await.status, 204);
    assert_eq!(scene.take(&format!("/v1.0/groups/{group}")).await.status, 204);
}

#[tokio::test]
async fn of_two_administrators_who_are_removed_at_once_one_stays() {
    let scene = Scene::new().await;
    let (alice, carol) = (scene.user("alice@contoso.test"), scene.user("carol@contoso.test"));
    let carols = scene.give(role::GLOBAL_ADMINISTRATOR, &carol).await;
    let held = RoleAssignment {
        principal: alice.parse().unwrap(),
        kind: LinkedKind::User,
        role: role::GLOBAL_ADMINISTRATOR.id,
    };
    let alices = format!("{ASSIGNMENTS}/{}", held.id());
    let (one, other) = tokio::join!(scene.take(&alices), scene.take(&carols));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400]);
}

#[tokio::test]
async fn a_group_gives_its_roles_to_its_direct_members() {
    let scene = Scene::new().await;
    let (carol, carols) = (scene.user("carol@contoso.test"), scene.token("carol@contoso.test").await);
    let group = scene.group("helpers", json!({})).await;
    scene.give(role::USER_ADMINISTRATOR, &group).await;
    assert!(!scene.may_create_users(&carols).await);
    assert_eq!(scene.link(&scene.daemon, &group, "members", &carol).await.status, 204);
    assert!(scene.may_create_users(&carols).await);
    let role = role::object_id(scene.world.tenant_id(CONTOSO), role::USER_ADMINISTRATOR.id).to_string();
    let get = |path: String| {
        let scene = &scene;
        async move { scene.get(&path).await }
    };
    assert_eq!(ids(&get(format!("/v1.0/users/{carol}/memberOf")).await), [group.as_str()]);
    let all = get(format!("/v1.0/users/{carol}/transitiveMemberOf")).await;
    let mut expected = [group.as_str(), role.as_str()];
    expected.sort_unstable();
    assert_eq!(ids(&all), expected);
    let held = get(format!("/v1.0/users/{carol}/transitiveMemberOf/microsoft.graph.directoryRole")).await;
    assert_eq!(ids(&held), [role.as_str()]);
    assert_eq!(ids(&get(format!("/v1.0/groups/{group}/memberOf")).await), [role.as_str()]);
    let members = get(format!("/v1.0/directoryRoles/{role}/members")).await;
    assert_eq!(
        (ids(&members), &members["value"][0]["@odata.type"]),
        (vec![group.as_str()], &json!("#microsoft.graph.group"))
    );
    let claims = testkit::claims(&scene.token("carol@contoso.test").await);
    assert!(claims["wids"].to_string().contains(&role::USER_ADMINISTRATOR.id.to_string()));

    // A deleted group gives nothing, and gives it again when it comes back.
    assert_eq!(scene.take(&format!("/v1.0/groups/{group}")).await.status, 204);
    assert!(!scene.may_create_users(&carols).await);
    let restore = format!("/v1.0/directory/deletedItems/{group}/restore");
    assert_eq!(scene.ask(&scene.daemon, "POST", &restore, None).await.status, 200);
    assert!(scene.may_create_users(&carols).await);
    assert_eq!(scene.unlink(&scene.daemon, &group, "members", &carol).await.status, 204);
    assert!(!scene.may_create_users(&carols).await);
}

#[tokio::test]
async fn r24_a_group_that_gives_roles_is_out_of_reach_of_those_who_manage_groups_and_users() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    let (carols, daves) = (scene.token("carol@contoso.test").await, scene.token("dave@contoso.test").await);
    assert_eq!(scene.make_group(&carols, "mine", json!({})).await.status, 403);
    let group = scene.group("roles", json!({})).await;
    let patch = json!({ "isAssignableToRole": false });
    let path = format!("/v1.0/groups/{group}");
    assert_eq!(scene.ask(&scene.daemon, "PATCH", &path, Some(patch)).await.status, 400);
    let inner = scene.group("inner", json!({ "isAssignableToRole": false })).await;
    assert_eq!(scene.link(&scene.daemon, &group, "members", &inner).await.status, 400, "no nesting");

    scene.give(role::USER_ADMINISTRATOR, &carol).await;
    assert_eq!(scene.link(&carols, &inner, "members", &carol).await.status, 204);
    assert_eq!(scene.link(&carols, &group, "members", &carol).await.status, 403);
    assert_eq!(scene.ask(&carols, "DELETE", &path, None).await.status, 403);
    // Dave owns it: he manages it, and whoever manages users no longer manages him.
    let change = async || {
        let body = json!({ "jobTitle": "Chief" });
        scene.ask(&carols, "PATCH", &format!("/v1.0/users/{dave}"), Some(body)).await.status
    };
    assert_eq!(scene.link(&daves, &group, "members", &carol).await.status, 403);
    assert_eq!(scene.link(&scene.daemon, &group, "owners", &dave).await.status, 204);
    assert_eq!(scene.link(&daves, &group, "members", &carol).await.status, 204);
    assert_eq!(change().await, 403);
    assert_eq!(scene.unlink(&scene.daemon, &group, "owners", &dave).await.status, 204);
    assert_eq!(scene.unlink(&daves, &group, "members", &carol).await.status, 403);
    assert_eq!(change().await, 204);
    // Administrators of roles need not manage groups.
    assert_eq!(scene.take(&format!("/v1.0/groups/{inner}")).await.status, 204);
    scene.give(role::PRIVILEGED_ROLE_ADMINISTRATOR, &dave).await;
    assert_eq!(scene.unlink(&daves, &group, "members", &carol).await.status, 204);
}

#[tokio::test]
async fn pages_of_what_somebody_is_in_keep_their_size_with_roles_among_them() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    for role in [role::SECURITY_READER, role::GUEST_INVITER] {
        scene.give(role, &carol).await;
    }
    for name in ["a", "b"] {
        let members =
            json!({ "isAssignableToRole": false, "members@odata.bind": [format!("/v1.0/users/{carol}")] });
        scene.group(name, members).await;
    }
    let (mut seen, mut next) = (Vec::new(), Some(format!("/v1.0/users/{carol}/memberOf?$top=1")));
    while let Some(path) = next {
        let page = scene.get(&path).await;
        assert_eq!(ids(&page).len(), 1);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let link = page["@odata.nextLink"].as_str();
        next = link.map(|link| link.strip_prefix(testkit::BASE).unwrap().to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 4);
    let (mut assignments, mut next) = (0, Some(format!("{ASSIGNMENTS}?$top=1")));
    while let Some(path) = next {
        let page = scene.get(&path).await;
        assignments += ids(&page).len();
        let link = page["@odata.nextLink"].as_str();
        next = link.map(|link| link.strip_prefix(testkit::BASE).unwrap().to_owned());
    }
    assert_eq!(assignments, 3, "with Alice's");
}
