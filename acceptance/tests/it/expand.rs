//! `$expand`, and the spellings of addresses and bodies that clients use.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, World};

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

    async fn status(&self, method: &str, path: &str, body: Option<Value>) -> u16 {
        self.ask(method, path, body).await.status.as_u16()
    }

    async fn group(&self, name: &str, members: &[&str], owners: &[&str]) -> String {
        let links = |ids: &[&str]| -> Vec<String> {
            ids.iter().map(|id| format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}")).collect()
        };
        let mut body = json!({ "@odata.type": "#microsoft.graph.group", "displayName": name, "mailEnabled": false,
            "mailNickname": name, "securityEnabled": true });
        for (name, ids) in [("members@odata.bind", links(members)), ("owners@odata.bind", links(owners))] {
            if !ids.is_empty() {
                body[name] = json!(ids);
            }
        }
        let answer = self.ask("POST", "/v1.0/groups", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// A request with `ConsistencyLevel: eventual`.
    async fn advanced(&self, token: &str, path: &str) -> Answer {
        let request = Request::get(format!("/v1.0/{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header("ConsistencyLevel", "eventual");
        self.world.send(request.body(Body::empty()).unwrap()).await
    }

    async fn put_manager(&self, user: &str, manager: &str) {
        let body = json!({ "@odata.id": format!("/v1.0/users/{manager}") });
        assert_eq!(self.status("PUT", &format!("/v1.0/users/{user}/manager/$ref"), Some(body)).await, 204);
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }
}

#[tokio::test]
async fn members_and_owners_come_with_groups() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    let group = scene.group("crew", &[&carol], &[&dave]).await;
    let empty = scene.group("empty", &[], &[]).await;
    let found = scene.get(&format!("/v1.0/groups/{group}?$select=id&$expand=members($select=id)")).await;
    let member = json!([{ "@odata.type": "#microsoft.graph.user", "id": carol }]);
    assert_eq!((&found["id"], &found["members"]), (&json!(group), &member));
    let first = scene.get("/v1.0/groups?$select=id&$expand=owners($select=id,displayName)&$top=1").await;
    let next = first["@odata.nextLink"].as_str().unwrap().strip_prefix(testkit::BASE).unwrap();
    let second = scene.get(next).await;
    let pages = [&first["value"][0], &second["value"][0]];
    let owners = |id: &str| pages.iter().find(|found| found["id"] == id).unwrap()["owners"].clone();
    assert_eq!((&owners(&group)[0]["id"], owners(&empty)), (&json!(dave), json!([])));
    assert!(owners(&group)[0]["displayName"].is_string());
}

#[tokio::test]
async fn at_most_twenty_come_along_and_the_deleted_do_not() {
    let scene = Scene::new().await;
    let outer = scene.group("outer", &[], &[]).await;
    let mut inner = Vec::new();
    for index in 0..22 {
        inner.push(scene.group(&format!("inner{index}"), &[], &[]).await);
    }
    inner.sort();
    for id in &inner {
        let body = json!({ "@odata.id": format!("/v1.0/directoryObjects/{id}") });
        assert_eq!(
            scene.status("POST", &format!("/v1.0/groups/{outer}/members/$ref"), Some(body)).await,
            204
        );
    }
    assert_eq!(scene.status("DELETE", &format!("/v1.0/groups/{}", inner[0]), None).await, 204);
    let found = scene.get(&format!("/v1.0/groups/{outer}?$expand=members")).await;
    let ids: Vec<&str> =
        found["members"].as_array().unwrap().iter().map(|member| member["id"].as_str().unwrap()).collect();
    assert_eq!(ids, inner[1..21].iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn groups_and_roles_come_with_users() {
    let scene = Scene::new().await;
    let (alice, carol) = (scene.user("alice@contoso.test"), scene.user("carol@contoso.test"));
    let inner = scene.group("inner", &[&carol], &[]).await;
    let outer = scene.group("outer", &[&inner], &[]).await;
    let user = format!("/v1.0/users/{carol}");
    let ids = |found: &Value, name: &str| {
        let mut ids: Vec<String> = found[name]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let found = scene.get(&format!("{user}?$expand=memberOf")).await;
    assert_eq!(ids(&found, "memberOf"), std::slice::from_ref(&inner));
    let mut both = vec![inner, outer];
    both.sort();
    let found = scene.get(&format!("{user}?$expand=transitiveMemberOf")).await;
    assert_eq!(ids(&found, "transitiveMemberOf"), both);
    let all = scene.get("/v1.0/users?$expand=memberOf&$top=999").await;
    let administrator = all["value"].as_array().unwrap().iter().find(|user| user["id"] == alice).unwrap();
    assert_eq!(administrator["memberOf"][0]["@odata.type"], "#microsoft.graph.directoryRole");
}

#[tokio::test]
async fn what_is_not_expanded_is_refused() {
    let scene = Scene::new().await;
    let group = scene.group("crew", &[], &[]).await;
    for path in [
        "/v1.0/users?$expand=memberOf,transitiveMemberOf".to_owned(),
        "/v1.0/users?$expand=memberOf($levels=2)".to_owned(),
        "/v1.0/users?$expand=manager($levels=2)".to_owned(),
        "/v1.0/applications?$expand=members".to_owned(),
        "/v1.0/applications?$expand=owners($select=magic;$top=2)".to_owned(),
        "/v1.0/servicePrincipals?$expand=appRoleAssignments($select=magic)".to_owned(),
        "/v1.0/users?$expand=magic".to_owned(),
        "/v1.0/users?$expand=*".to_owned(),
        format!("/v1.0/groups/{group}?$expand=members($expand=memberOf)"),
        format!("/v1.0/groups/{group}?$expand=members&$expand=owners"),
        format!("/v1.0/groups/{group}/members?$expand=memberOf"),
        "/v1.0/users?$skip=1".to_owned(),
        "/v1.0/users?$magic=1".to_owned(),
    ] {
        assert_eq!(scene.status("GET", &path, None).await, 400, "{path}");
    }
}

#[tokio::test]
async fn r23_an_expansion_shows_nobody_more_than_the_relation_does() {
    let scene = Scene::new().await;
    let guest = scene.world.make_guest("bob@fabrikam.test").await;
    let carol = scene.user("carol@contoso.test");
    let group = scene.group("crew", &[&carol], &[]).await;
    let own = scene.group("own", &[&carol, &guest], &[]).await;
    let scope = "openid User.Read User.ReadBasic.All Group.Read.All";
    let mut browser = scene.world.browser();
    let url = browser.authorize_url(CONTOSO, scene.world.app(CONTOSO, "web"), scope, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let token = async |name: &'static str| {
        let tokens = scene.world.sign_in(CONTOSO, "web", name, scope).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    let (bob, dave) = (token("bob@fabrikam.test").await, token("dave@contoso.test").await);
    for (viewer, path, status) in [
        (&bob, "me?$expand=memberOf".to_owned(), 200),
        (&bob, format!("users/{carol}?$expand=memberOf"), 404),
        (&bob, format!("groups/{group}?$expand=members"), 404),
        (&bob, "groups?$expand=members".to_owned(), 403),
        (&bob, format!("groups/{own}?$expand=members"), 200),
        // Whoever reads names only is not told who is in what.
        (&dave, format!("users/{carol}"), 200),
        (&dave, format!("users/{carol}?$expand=memberOf"), 403),
        (&dave, "users?$expand=memberOf".to_owned(), 403),
        (&dave, format!("users/{carol}?$expand=manager"), 403),
        (&dave, "users?$expand=manager".to_owned(), 403),
        (&dave, "users?$expand=directReports".to_owned(), 403),
        (&dave, format!("users/{carol}?$expand=appRoleAssignments"), 403),
        (&dave, "me?$expand=manager".to_owned(), 200),
        (&bob, "me?$expand=manager".to_owned(), 200),
        (&bob, format!("users/{carol}?$expand=manager"), 404),
        (&bob, format!("users/{carol}?$expand=directReports"), 404),
        (&bob, format!("users/{carol}?$expand=sponsors"), 404),
        (&bob, format!("users/{carol}?$expand=ownedObjects"), 404),
        (&bob, format!("groups/{own}?$expand=appRoleAssignments"), 403),
        (&dave, "groups?$expand=members".to_owned(), 200),
    ] {
        let answer = scene.world.graph(viewer, "GET", &format!("/v1.0/{path}"), None).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
}

/// One's own manager is seen by everybody who sees oneself; who is above the manager is another's business.
#[tokio::test]
async fn r23_levels_above_ones_own_manager_need_the_right_to_read_users() {
    let scene = Scene::new().await;
    let [alice, carol, dave] =
        ["alice", "carol", "dave"].map(|name| scene.user(&format!("{name}@contoso.test")));
    let guest = scene.world.make_guest("bob@fabrikam.test").await;
    for user in [&dave, &guest] {
        scene.put_manager(user, &carol).await;
    }
    scene.put_manager(&carol, &alice).await;
    for name in ["bob@fabrikam.test", "dave@contoso.test"] {
        let tokens = scene.world.sign_in(CONTOSO, "web", name, "openid User.Read").await;
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        let one = scene.advanced(&token, "me?$select=id&$expand=manager($levels=1)").await;
        assert_eq!(one.status, 200, "{}", one.text);
        // Nothing but the id: the caller may not read others.
        let manager = json!({ "@odata.type": "#microsoft.graph.user", "id": carol });
        assert_eq!(one.json()["manager"], manager);
        let all = scene.advanced(&token, "me?$select=id&$expand=manager($levels=max)").await;
        assert!([403, 404].contains(&all.status.as_u16()), "{}", all.text);
    }
}

#[tokio::test]
async fn managers_come_one_above_the_other() {
    let scene = Scene::new().await;
    let [alice, carol, dave] =
        ["alice", "carol", "dave"].map(|name| scene.user(&format!("{name}@contoso.test")));
    scene.put_manager(&dave, &carol).await;
    scene.put_manager(&carol, &alice).await;
    let typed = |id: &str| json!({ "@odata.type": "#microsoft.graph.user", "id": id });
    let ask = async |options: &str| {
        let path = format!("users/{dave}?$select=id&$expand=manager({options})&$count=true");
        let answer = scene.advanced(&scene.token, &path).await;
        assert_eq!(answer.status, 200, "{options}: {}", answer.text);
        answer.json()["manager"].clone()
    };
    let mut chain = typed(&carol);
    assert_eq!(ask("$levels=1;$select=id").await, chain);
    chain["manager"] = typed(&alice);
    for options in ["$levels=2;$select=id", "$select=id;$levels=1000", "$levels=max;$select=id"] {
        assert_eq!(ask(options).await, chain, "{options}");
    }
    // In a circle everybody comes once.
    scene.put_manager(&carol, &dave).await;
    assert_eq!(ask("$levels=max;$select=id").await, typed(&carol));
    // Nobody is above somebody who is gone.
    assert_eq!(scene.status("DELETE", &format!("/v1.0/users/{carol}"), None).await, 204);
    assert_eq!(ask("$levels=max;$select=id").await, Value::Null);
    for options in ["$levels=0", "$levels=1001", "$levels=-1", "$levels=x"] {
        let path = format!("users/{dave}?$expand=manager({options})");
        assert_eq!(scene.advanced(&scene.token, &path).await.status, 400, "{options}");
    }
    // Without `ConsistencyLevel`.
    let path = format!("/v1.0/users/{dave}?$expand=manager($levels=max)");
    assert_eq!(scene.ask("GET", &path, None).await.json()["error"]["code"], "Request_UnsupportedQuery");
}

#[tokio::test]
async fn managers_and_reports_come_with_users() {
    let scene = Scene::new().await;
    let [alice, carol, dave] =
        ["alice", "carol", "dave"].map(|name| scene.user(&format!("{name}@contoso.test")));
    scene.put_manager(&dave, &carol).await;
    let all = scene.get("/v1.0/users?$select=id&$expand=manager($select=id,mail)&$top=999").await;
    let of = |all: &Value, id: &str| {
        all["value"].as_array().unwrap().iter().find(|user| user["id"] == id).unwrap().clone()
    };
    assert_eq!(of(&all, &dave)["manager"]["id"], json!(carol));
    assert_eq!(of(&all, &dave)["manager"]["mail"], json!("carol@contoso.test"));
    assert!(of(&all, &alice).get("manager").is_none());
    let all = scene.get("/v1.0/users?$expand=directReports($select=id)&$top=999").await;
    let reports = json!([{ "@odata.type": "#microsoft.graph.user", "id": dave }]);
    assert_eq!(
        (&of(&all, &carol)["directReports"], &of(&all, &dave)["directReports"]),
        (&reports, &json!([]))
    );
    let link = json!({ "@odata.id": format!("/v1.0/users/{alice}") });
    assert_eq!(scene.status("POST", &format!("/v1.0/users/{dave}/sponsors/$ref"), Some(link)).await, 204);
    let group = scene.group("owned", &[], &[&dave]).await;
    let found = scene.get(&format!("/v1.0/users/{dave}?$expand=ownedObjects($select=id)")).await;
    let owned = found["ownedObjects"].as_array().unwrap();
    assert!(owned.iter().any(|object| object["id"] == group.as_str()), "{owned:?}");
    let found = scene.get(&format!("/v1.0/users/{dave}?$expand=sponsors($select=id)")).await;
    assert_eq!(found["sponsors"][0]["id"], json!(alice));
}

#[tokio::test]
async fn owners_come_with_applications_and_service_principals() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let app = scene.world.app(CONTOSO, "web").app_id.unwrap();
    let owner = json!({ "@odata.type": "#microsoft.graph.user", "id": carol });
    for kind in ["applications", "servicePrincipals"] {
        let path = format!("/v1.0/{kind}(appId='{app}')");
        let link = json!({ "@odata.id": format!("/v1.0/users/{carol}") });
        assert_eq!(scene.status("POST", &format!("{path}/owners/$ref"), Some(link)).await, 204);
        let found = scene.get(&format!("{path}?$select=appId&$expand=owners($select=id)")).await;
        assert_eq!((&found["appId"], &found["owners"]), (&json!(app), &json!([owner])), "{kind}");
        let all = scene.get(&format!("/v1.0/{kind}?$select=appId&$expand=owners($select=id)")).await;
        let of = |app: Value| {
            let all = all["value"].as_array().unwrap();
            all.iter().find(|found| found["appId"] == app).unwrap()["owners"].clone()
        };
        let other = scene.world.app(CONTOSO, "spa").app_id.unwrap();
        assert_eq!((of(json!(app)), of(json!(other))), (json!([owner]), json!([])), "{kind}");
    }
}

#[tokio::test]
async fn app_roles_come_with_whoever_holds_them_and_with_their_resource() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let group = scene.group("crew", &[&carol], &[]).await;
    let app = scene.world.app(CONTOSO, "web").app_id.unwrap();
    let resource = format!("/v1.0/servicePrincipals(appId='{app}')");
    let id = scene.get(&resource).await["id"].clone();
    for (kind, principal) in [("users", &carol), ("groups", &group)] {
        let body = json!({ "principalId": principal, "resourceId": id,
            "appRoleId": "00000000-0000-0000-0000-000000000000" });
        let path = format!("/v1.0/{kind}/{principal}/appRoleAssignments");
        assert_eq!(scene.status("POST", &path, Some(body)).await, 201, "{kind}");
    }
    let names = |found: &Value, name: &str| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let found = found[name].as_array().unwrap().iter();
        let mut names: Vec<_> =
            found.map(|one| (text(&one["principalType"]), text(&one["resourceDisplayName"]))).collect();
        names.sort();
        names
    };
    let name = scene.get(&resource).await["displayName"].as_str().unwrap().to_owned();
    let both = [("Group".to_owned(), name.clone()), ("User".to_owned(), name)];
    // Whatever a user holds: also through the group.
    let user = scene.get(&format!("/v1.0/users/{carol}?$select=id&$expand=appRoleAssignments")).await;
    assert_eq!(names(&user, "appRoleAssignments"), both);
    let found = scene.get(&format!("/v1.0/groups/{group}?$expand=appRoleAssignments")).await;
    assert_eq!(names(&found, "appRoleAssignments"), both[..1]);
    let found = scene
        .get(&format!("{resource}?$expand=appRoleAssignedTo($select=principalType,resourceDisplayName)"))
        .await;
    assert_eq!(names(&found, "appRoleAssignedTo"), both);
    assert_eq!(found["appRoleAssignedTo"][0].as_object().unwrap().len(), 2);
    // The same as the address of the relation says, for each of a page.
    let all = scene.get("/v1.0/servicePrincipals?$select=id&$expand=appRoleAssignments").await;
    let mut compared = 0;
    for found in all["value"].as_array().unwrap() {
        let path = format!("/v1.0/servicePrincipals/{}/appRoleAssignments", found["id"].as_str().unwrap());
        let expected = scene.get(&format!("{path}?$top=20")).await;
        assert_eq!(found["appRoleAssignments"], expected["value"]);
        compared += found["appRoleAssignments"].as_array().unwrap().len();
    }
    assert!(compared > 0);
}

#[tokio::test]
async fn every_spelling_leads_to_the_same_object() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let group = scene.group("crew", &[&carol], &[]).await;
    let guest = scene.world.make_guest("bob@fabrikam.test").await;
    let app = scene.world.app(CONTOSO, "web").app_id.unwrap();
    for (path, id) in [
        (format!("/v1.0/users('{carol}')"), &carol),
        ("/v1.0/users('carol@contoso.test')".to_owned(), &carol),
        ("/v1.0/users(userPrincipalName='carol@contoso.test')".to_owned(), &carol),
        ("/v1.0/users(userPrincipalName=%27carol%40contoso.test%27)".to_owned(), &carol),
        ("/beta/users/carol@contoso.test".to_owned(), &carol),
        ("/graph/v1.0/users/carol@contoso.test".to_owned(), &carol),
        ("/v1.0/users/bob_fabrikam.test%23EXT%23%40contoso.test".to_owned(), &guest),
        ("/v1.0/users('bob_fabrikam.test%23EXT%23@contoso.test')".to_owned(), &guest),
        (format!("/v1.0/groups('{group}')"), &group),
    ] {
        assert_eq!(scene.get(&path).await["id"], **id, "{path}");
    }
    for kind in ["applications", "servicePrincipals"] {
        assert_eq!(scene.get(&format!("/v1.0/{kind}(appId='{app}')")).await["appId"], json!(app), "{kind}");
    }
    for path in ["/v1.0/users(magic='x')", "/v1.0/groups(displayName='crew')"] {
        assert_eq!(scene.status("GET", path, None).await, 404, "{path}");
    }
    let members = format!("/v1.0/groups('{group}')/members");
    assert_eq!(scene.status("DELETE", &format!("{members}('{carol}')/$ref"), None).await, 204);
    assert_eq!(scene.get(&members).await["value"], json!([]));
    assert_eq!(scene.status("GET", &format!("{members}(id='{carol}')"), None).await, 400);
}

#[tokio::test]
async fn a_body_of_another_type_or_a_link_that_is_not_made_is_refused() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let user = format!("/v1.0/users/{carol}");
    let patch = |kind: &str| Some(json!({ "@odata.type": kind, "jobTitle": "Chief" }));
    assert_eq!(scene.status("PATCH", &user, patch("#microsoft.graph.user")).await, 204);
    assert_eq!(scene.status("PATCH", &user, patch("#microsoft.graph.group")).await, 400);
    let lost = json!({ "displayName": "App", "magic@odata.bind": [user] });
    assert_eq!(scene.status("POST", "/v1.0/applications", Some(lost)).await, 400);
}

#[tokio::test]
async fn a_condition_that_nothing_meets_changes_nothing() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let user = format!("/v1.0/users/{carol}");
    let patch = |condition: &str, title: &str| {
        let request = Request::patch(&user)
            .header(header::AUTHORIZATION, format!("Bearer {}", scene.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::IF_MATCH, condition)
            .body(Body::from(json!({ "jobTitle": title }).to_string()))
            .unwrap();
        scene.world.send(request)
    };
    assert_eq!(patch("*", "First").await.status, 204);
    let refused = patch("W/\"1\"", "Second").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["code"]),
        (412, &json!("resourceModified"))
    );
    assert_eq!(scene.get(&format!("{user}?$select=jobTitle")).await["jobTitle"], "First");
}
