//! Groups as Graph's clients use them: who is in them, through what, and who may say so.

use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, FABRIKAM, World};

struct Scene {
    world: World,
    token: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let token = world.daemon_token(CONTOSO).await;
        Self { world, token }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.world.graph(&self.token, method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    async fn group(&self, name: &str, more: Value) -> String {
        let mut body = json!({ "displayName": name, "mailEnabled": false, "mailNickname": name.replace(' ', ""),
            "securityEnabled": true });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.ask("POST", "/v1.0/groups", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn link(&self, group: &str, nav: &str, object: &str) -> Answer {
        let body =
            json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{object}") });
        self.ask("POST", &format!("/v1.0/groups/{group}/{nav}/$ref"), Some(body)).await
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }
}

fn ids(list: &Value) -> Vec<&str> {
    let mut ids: Vec<&str> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap_or_default())
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_group_is_made_read_changed_found_deleted_and_restored() {
    let scene = Scene::new().await;
    let id = scene.group("Sales West", json!({ "description": "Sells" })).await;
    let path = format!("/v1.0/groups/{id}");
    let group = scene.get(&path).await;
    assert_eq!((&group["displayName"], &group["groupTypes"]), (&json!("Sales West"), &json!([])));
    assert_eq!(scene.ask("PATCH", &path, Some(json!({ "displayName": "Sales East" }))).await.status, 204);
    for query in [
        "$filter=displayName eq 'sales east'",
        "$filter=startsWith(displayName,'SALES')",
        "$filter=mailNickname eq 'saleswest'",
        "$filter=securityEnabled eq true and mailEnabled eq false",
        "$orderby=displayName&$select=id",
    ] {
        let found = scene.get(&format!("/v1.0/groups?{}", query.replace(' ', "%20"))).await;
        assert_eq!(ids(&found), [id.as_str()], "{query}");
    }
    assert_eq!(scene.ask("DELETE", &path, None).await.status, 204);
    assert_eq!(scene.ask("GET", &path, None).await.status, 404);
    let bin = scene.get("/v1.0/directory/deletedItems/microsoft.graph.group").await;
    assert_eq!(
        (ids(&bin), &bin["value"][0]["@odata.type"]),
        (vec![id.as_str()], &json!("#microsoft.graph.group"))
    );
    let restored = scene.ask("POST", &format!("/v1.0/directory/deletedItems/{id}/restore"), None).await;
    assert_eq!(restored.status, 200, "{}", restored.text);
    assert_eq!(scene.get(&path).await["displayName"], "Sales East");
    scene.ask("DELETE", &path, None).await;
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/directory/deletedItems/{id}"), None).await.status, 204);
    assert!(ids(&scene.get("/v1.0/directory/deletedItems/microsoft.graph.group").await).is_empty());
}

#[tokio::test]
async fn members_come_directly_and_through_groups() {
    let scene = Scene::new().await;
    let (alice, carol, dave) =
        (scene.user("alice@contoso.test"), scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    let [outer, inner, third] = [
        scene.group("Outer", json!({})).await,
        scene.group("Inner", json!({})).await,
        scene.group("Third", json!({})).await,
    ];
    for (group, object) in
        [(&outer, &inner), (&outer, &alice), (&inner, &carol), (&inner, &third), (&third, &dave)]
    {
        let answer = scene.link(group, "members", object).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let list = |path: String| {
        let scene = &scene;
        async move { scene.get(&path).await }
    };
    let direct = list(format!("/v1.0/groups/{outer}/members")).await;
    let mut expected = vec![inner.as_str(), alice.as_str()];
    expected.sort_unstable();
    assert_eq!(ids(&direct), expected);
    for item in direct["value"].as_array().unwrap() {
        let kind = if item["id"] == *alice { "#microsoft.graph.user" } else { "#microsoft.graph.group" };
        assert_eq!(item["@odata.type"], kind);
    }
    let all = list(format!("/v1.0/groups/{outer}/transitiveMembers")).await;
    assert_eq!(ids(&all).len(), 5);
    let users = list(format!(
        "/v1.0/groups/{outer}/transitiveMembers/microsoft.graph.user?$orderby=displayName&$top=2"
    ))
    .await;
    assert_eq!(users["value"].as_array().unwrap().len(), 2);
    let rest = users["@odata.nextLink"].as_str().unwrap().strip_prefix(testkit::BASE).unwrap().to_owned();
    let rest = list(rest).await;
    assert_eq!(ids(&rest).len(), 1);

    let of_dave = list(format!("/v1.0/users/{dave}/transitiveMemberOf/microsoft.graph.group")).await;
    assert_eq!(ids(&of_dave).len(), 3);
    assert_eq!(ids(&list(format!("/v1.0/users/{dave}/memberOf")).await), [third.as_str()]);
    let roles = list(format!("/v1.0/users/{alice}/memberOf")).await;
    let role = roles["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["@odata.type"] == "#microsoft.graph.directoryRole");
    assert_eq!(role.unwrap()["displayName"], "Global Administrator");

    let ask = |path: &str, body: Value| {
        let path = format!("/v1.0/users/{dave}/{path}");
        let scene = &scene;
        async move { scene.ask("POST", &path, Some(body)).await }
    };
    let groups = ask("getMemberGroups", json!({ "securityEnabledOnly": true })).await.json();
    assert_eq!(groups["value"].as_array().unwrap().len(), 3);
    let checked = ask("checkMemberGroups", json!({ "groupIds": [outer, alice] })).await.json();
    assert_eq!(checked["value"], json!([outer]));
    let many: Vec<&String> = vec![&outer; 21];
    assert_eq!(ask("checkMemberGroups", json!({ "groupIds": many })).await.status, 400);

    // What a deleted group holds is not reached through it, and is again when it comes back.
    scene.ask("DELETE", &format!("/v1.0/groups/{inner}"), None).await;
    assert_eq!(ids(&list(format!("/v1.0/groups/{outer}/transitiveMembers")).await), [alice.as_str()]);
    assert_eq!(
        ids(&list(format!("/v1.0/users/{dave}/transitiveMemberOf/microsoft.graph.group")).await),
        [third.as_str()]
    );
    scene.ask("POST", &format!("/v1.0/directory/deletedItems/{inner}/restore"), None).await;
    assert_eq!(ids(&list(format!("/v1.0/groups/{outer}/transitiveMembers")).await).len(), 5);
}

#[tokio::test]
async fn links_that_cannot_be_are_refused_and_change_nothing() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let bob = scene.user("bob@fabrikam.test");
    let [a, b, c] = [
        scene.group("A", json!({})).await,
        scene.group("B", json!({})).await,
        scene.group("C", json!({})).await,
    ];
    assert_eq!(scene.link(&a, "members", &b).await.status, 204);
    assert_eq!(scene.link(&b, "members", &c).await.status, 204);
    for (group, nav, object, status) in [
        (&a, "members", &a, 400),
        (&c, "members", &a, 400),
        (&a, "members", &b, 400),
        (&a, "owners", &b, 400),
        (&a, "members", &bob, 404),
        (&a, "members", &"00000000-0000-0000-0000-000000000001".to_owned(), 404),
    ] {
        let before = scene.world.directory_refusals(CONTOSO);
        let answer = scene.link(group, nav, object).await;
        assert_eq!(answer.status, status, "{nav} {object}: {}", answer.text);
        assert_eq!(scene.world.directory_refusals(CONTOSO), before + 1);
    }
    for reference in ["https://evil.test/v1.0/directoryObjects/x", "x", "//evil.test/directoryObjects/x"] {
        let body = json!({ "@odata.id": reference.replace('x', &carol) });
        let answer = scene.ask("POST", &format!("/v1.0/groups/{a}/members/$ref"), Some(body)).await;
        assert_eq!(answer.status, 400, "{reference}");
    }
    // Without `/$ref` the address means the member itself, which nobody who writes it means.
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/groups/{a}/members/{b}"), None).await.status, 404);
    let several =
        json!({ "members@odata.bind": [format!("/v1.0/users/{carol}"), format!("/v1.0/users/{bob}")] });
    assert_eq!(scene.ask("PATCH", &format!("/v1.0/groups/{a}"), Some(several)).await.status, 404);
    assert_eq!(ids(&scene.get(&format!("/v1.0/groups/{a}/members")).await), [b.as_str()], "all or nothing");
    let several = json!({ "members@odata.bind": [format!("/v1.0/users/{carol}")] });
    assert_eq!(scene.ask("PATCH", &format!("/v1.0/groups/{a}"), Some(several)).await.status, 204);
    assert_eq!(
        scene.ask("DELETE", &format!("/v1.0/groups/{a}/members/{carol}/$ref"), None).await.status,
        204
    );
    assert_eq!(
        scene.ask("DELETE", &format!("/v1.0/groups/{a}/members/{carol}/$ref"), None).await.status,
        404
    );
}

#[tokio::test]
async fn r36_a_link_needs_rights_over_both_ends() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    let sign_in = async |name: &str, scope: &str| {
        let tokens = scene.world.sign_in(CONTOSO, "web", name, scope).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    // The owner manages the group; what the application may not read cannot be put in.
    let owner = format!("/v1.0/users/{carol}");
    let group = scene.group("Owned", json!({ "owners@odata.bind": [owner] })).await;
    let mut browser = scene.world.browser();
    let scopes = "openid Group.ReadWrite.All User.Read.All";
    let url = browser.authorize_url(CONTOSO, scene.world.app(CONTOSO, "web"), scopes, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let path = format!("/v1.0/groups/{group}/members/$ref");
    let body = json!({ "@odata.id": format!("/v1.0/users/{dave}") });
    for (name, scope, status) in [
        ("carol@contoso.test", "openid Group.ReadWrite.All", 403),
        ("dave@contoso.test", "openid Group.ReadWrite.All User.Read.All", 403),
        ("carol@contoso.test", "openid Group.ReadWrite.All User.Read.All", 204),
    ] {
        let token = sign_in(name, scope).await;
        let answer = scene.world.graph(&token, "POST", &path, Some(body.clone())).await;
        assert_eq!(answer.status, status, "{name} {scope}: {}", answer.text);
    }
}

#[tokio::test]
async fn r21_another_tenants_group_is_not_there() {
    let scene = Scene::new().await;
    let id = scene.group("Secret", json!({})).await;
    let foreign = scene.world.daemon_token(FABRIKAM).await;
    for path in ["", "/members", "/transitiveMembers", "/owners", "/memberOf"] {
        let answer = scene.world.graph(&foreign, "GET", &format!("/v1.0/groups/{id}{path}"), None).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let list = scene.world.graph(&foreign, "GET", "/v1.0/groups", None).await;
    assert!(!list.text.contains(&id));
}

#[tokio::test]
async fn r23_a_guest_sees_the_groups_they_are_in_and_little_of_those() {
    let scene = Scene::new().await;
    let guest = scene.world.make_guest("bob@fabrikam.test").await;
    let [own, other] = [scene.group("Own", json!({})).await, scene.group("Other", json!({})).await];
    assert_eq!(scene.link(&own, "members", &guest).await.status, 204);
    let mut browser = scene.world.browser();
    let scopes = "openid User.Read GroupMember.Read.All";
    let url = browser.authorize_url(CONTOSO, scene.world.app(CONTOSO, "web"), scopes, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let tokens = scene.world.sign_in(CONTOSO, "web", "bob@fabrikam.test", scopes).await;
    let token = tokens["access_token"].as_str().unwrap();
    let get = |path: String| {
        let world = &scene.world;
        async move { world.graph(token, "GET", &path, None).await }
    };
    for path in ["/v1.0/me/memberOf".to_owned(), format!("/v1.0/users/{guest}/memberOf")] {
        assert_eq!(ids(&get(path).await.json()), [own.as_str()]);
    }
    let seen = get(format!("/v1.0/groups/{own}")).await.json();
    assert_eq!((&seen["displayName"], seen.get("mailNickname")), (&json!("Own"), None));
    assert_eq!(get(format!("/v1.0/groups/{other}")).await.status, 404);
    assert_eq!(get(format!("/v1.0/groups/{other}/members")).await.status, 404);
    assert_eq!(get("/v1.0/groups".to_owned()).await.status, 403);
}

impl Scene {
    /// A token of a new application with just these permissions.
    async fn daemon_with(&self, permissions: &[&str]) -> String {
        use domain::directory::first_party::{GRAPH_APP_ID, graph};
        let app =
            self.ask("POST", "/v1.0/applications", Some(json!({ "displayName": "Narrow" }))).await.json();
        let (id, app_id) = (app["id"].as_str().unwrap(), app["appId"].as_str().unwrap());
        let secret =
            self.ask("POST", &format!("/v1.0/applications/{id}/addPassword"), Some(json!({}))).await.json();
        let own = self.ask("POST", "/v1.0/servicePrincipals", Some(json!({ "appId": app_id }))).await.json();
        let own = own["id"].as_str().unwrap();
        let resource = self.get(&format!("/v1.0/servicePrincipals(appId='{GRAPH_APP_ID}')")).await;
        // The seeded daemon may not give roles; the administrator may.
        let admin = self.admin().await;
        for permission in permissions {
            let role = graph().roles.iter().find(|role| role.value == *permission).unwrap().id.to_string();
            let body = json!({ "principalId": own, "resourceId": resource["id"], "appRoleId": role });
            let path = format!("/v1.0/servicePrincipals/{own}/appRoleAssignments");
            let answer = self.world.graph(&admin, "POST", &path, Some(body)).await;
            assert_eq!(answer.status, 201, "{permission}: {}", answer.text);
        }
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", app_id),
            ("client_secret", secret["secretText"].as_str().unwrap()),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let answer = self.world.token(CONTOSO, &fields).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn admin(&self) -> String {
        let scopes = "openid AppRoleAssignment.ReadWrite.All Application.ReadWrite.All";
        let mut browser = self.world.browser();
        let url = browser.authorize_url(CONTOSO, self.world.app(CONTOSO, "web"), scopes, &[]);
        let page = browser.get(&url).await;
        let page = browser.sign_in(page, "alice@contoso.test").await;
        if page.text.contains("value=\"accept\"") {
            browser.press(&page, "accept", &[("for_organization", "1")]).await;
        }
        let tokens = self.world.sign_in(CONTOSO, "web", "alice@contoso.test", scopes).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn r36_who_may_name_members_may_not_name_owners() {
    let scene = Scene::new().await;
    let group = scene.group("Owned", json!({})).await;
    let token = scene.daemon_with(&["GroupMember.ReadWrite.All", "User.Read.All"]).await;
    let body = json!({ "@odata.id": format!("/v1.0/users/{}", scene.user("carol@contoso.test")) });
    for (nav, status) in [("members", 204), ("owners", 403)] {
        let path = format!("/v1.0/groups/{group}/{nav}/$ref");
        let answer = scene.world.graph(&token, "POST", &path, Some(body.clone())).await;
        assert_eq!(answer.status, status, "{nav}: {}", answer.text);
    }
}

#[tokio::test]
async fn r23_of_what_may_not_be_read_only_ids_are_shown_and_nothing_is_asked() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let group =
        scene.group("Members", json!({ "members@odata.bind": [format!("/v1.0/users/{carol}")] })).await;
    let token = scene.daemon_with(&["GroupMember.Read.All"]).await;
    let get = |path: String| {
        let (world, token) = (&scene.world, token.clone());
        async move { world.graph(&token, "GET", &path, None).await }
    };
    for path in ["members", "members/microsoft.graph.user"] {
        let list = get(format!("/v1.0/groups/{group}/{path}")).await.json();
        assert_eq!(list["value"], json!([{ "@odata.type": "#microsoft.graph.user", "id": carol }]), "{path}");
    }
    let asked =
        get(format!("/v1.0/groups/{group}/members/microsoft.graph.user?$filter=startswith(mail,'c')")).await;
    assert_eq!(asked.status, 400, "{}", asked.text);
    let basic = scene.daemon_with(&["User.ReadBasic.All"]).await;
    for (method, path, body) in [
        ("GET", "memberOf", None),
        ("POST", "getMemberObjects", Some(json!({ "securityEnabledOnly": false }))),
        ("POST", "getMemberGroup%73", Some(json!({ "securityEnabledOnly": false }))),
    ] {
        let before = scene.world.directory_refusals(CONTOSO);
        let answer = scene.world.graph(&basic, method, &format!("/v1.0/users/{carol}/{path}"), body).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
        assert_eq!(scene.world.directory_refusals(CONTOSO), before + 1, "{path} left no record");
    }
}

#[tokio::test]
async fn r04_a_deleted_group_comes_back_for_thirty_days() {
    let scene = Scene::new().await;
    let id = scene.group("Old", json!({})).await;
    scene.ask("DELETE", &format!("/v1.0/groups/{id}"), None).await;
    scene.world.advance(domain::time::Span::days(31));
    let token = scene.world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/directory/deletedItems/{id}/restore");
    assert_eq!(scene.world.graph(&token, "POST", &path, None).await.status, 404);
}

#[tokio::test]
async fn next_links_lead_back_to_the_address_as_it_was_written() {
    let scene = Scene::new().await;
    let invited = scene.world.invite(CONTOSO, "eve@fabrikam.test").await;
    let guest = invited["invitedUser"]["id"].as_str().unwrap();
    let name = scene.get(&format!("/v1.0/users/{guest}?$select=userPrincipalName")).await;
    let name = name["userPrincipalName"].as_str().unwrap().replace('#', "%23");
    let mut groups = Vec::new();
    for number in 0..3 {
        let carol = format!("/v1.0/users/{}", scene.user("carol@contoso.test"));
        let members = json!({ "members@odata.bind": [format!("/v1.0/users/{guest}"), carol] });
        groups.push(scene.group(&format!("G{number}"), members).await);
    }
    for (path, count) in [
        (format!("/v1.0/groups('{}')/members?$top=1", groups[0]), 2),
        (format!("/v1.0/groups/{}/members/microsoft.graph.user?$top=1", groups[0]), 2),
        (format!("/v1.0/users/{name}/memberOf?$top=1"), 3),
    ] {
        let (mut seen, mut next) = (0, Some(path.clone()));
        while let Some(path) = next {
            let page = scene.get(&path).await;
            seen += page["value"].as_array().unwrap().len();
            next = page["@odata.nextLink"]
                .as_str()
                .map(|link| link.strip_prefix(testkit::BASE).unwrap().to_owned());
        }
        assert_eq!(seen, count, "{path}");
    }
}
