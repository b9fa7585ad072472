//! The bin: objects of every kind lie in it for thirty days, come back as they were, and go for good when it is time.

use domain::time::Span;
use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, FABRIKAM, World};

const BIN: &str = "/v1.0/directory/deletedItems";
/// Set and cast of each kind.
const KINDS: [(&str, &str); 4] = [
    ("users", "microsoft.graph.user"),
    ("groups", "microsoft.graph.group"),
    ("applications", "microsoft.graph.application"),
    ("servicePrincipals", "microsoft.graph.servicePrincipal"),
];

struct Scene {
    world: World,
}

impl Scene {
    async fn new() -> Self {
        Self { world: World::new().await }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let token = self.world.daemon_token(CONTOSO).await;
        self.world.graph(&token, method, path, body).await
    }

    async fn done(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    async fn status(&self, method: &str, path: &str) -> u16 {
        self.ask(method, path, None).await.status.as_u16()
    }

    /// An application with an instance: its id, its public id, and that of the instance.
    async fn application(&self, name: &str) -> [String; 3] {
        let body = json!({ "displayName": name, "signInAudience": "AzureADMultipleOrgs" });
        let app = self.done("POST", "/v1.0/applications", Some(body)).await;
        let instance = json!({ "appId": app["appId"] });
        let instance = self.done("POST", "/v1.0/servicePrincipals", Some(instance)).await;
        [&app["id"], &app["appId"], &instance["id"]].map(|id| id.as_str().unwrap().to_owned())
    }

    async fn instance_of(&self, kind: &str) -> String {
        let app_id = self.world.app(CONTOSO, kind).app_id.unwrap();
        let path = format!("/v1.0/servicePrincipals(appId='{app_id}')");
        self.done("GET", &path, None).await["id"].as_str().unwrap().to_owned()
    }

    /// One object of each kind, in the order of `KINDS`.
    async fn one_of_each(&self) -> [String; 4] {
        let user = json!({ "accountEnabled": true, "displayName": "Erin", "mailNickname": "erin",
            "userPrincipalName": "erin@contoso.test", "passwordProfile": { "password": "Passw0rd-1" } });
        let user = self.done("POST", "/v1.0/users", Some(user)).await;
        let group = json!({ "displayName": "Erin's", "mailEnabled": false, "mailNickname": "erins",
            "securityEnabled": true });
        let group = self.done("POST", "/v1.0/groups", Some(group)).await;
        let app = json!({ "displayName": "Alone" });
        let app = self.done("POST", "/v1.0/applications", Some(app)).await;
        let [_, _, instance] = self.application("Served").await;
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        [id(&user), id(&group), id(&app), instance]
    }

    async fn bin(&self, cast: &str) -> Vec<String> {
        ids(&self.done("GET", &format!("{BIN}/{cast}?$select=id"), None).await)
    }

    /// What changed of a kind since a link, and the next link.
    async fn round(&self, link: &str) -> (Vec<Value>, String) {
        let (mut told, mut link) = (Vec::new(), link.to_owned());
        loop {
            let page = self.done("GET", &link, None).await;
            told.extend(page["value"].as_array().unwrap().iter().cloned());
            match page["@odata.nextLink"].as_str() {
                Some(next) => next.clone_into(&mut link),
                None => return (told, page["@odata.deltaLink"].as_str().unwrap().to_owned()),
            }
        }
    }
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["value"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// What the log says of an object, the newest first.
fn log_of(id: &str) -> String {
    format!("/v1.0/auditLogs/directoryAudits?$filter=targetResources/any(t:t/id%20eq%20'{id}')")
}

#[tokio::test]
async fn every_kind_is_deleted_listed_restored_and_goes_for_good_in_time() {
    let scene = Scene::new().await;
    let made = scene.one_of_each().await;
    let objects: Vec<_> = made.iter().zip(KINDS).map(|(id, (set, cast))| (id, set, cast)).collect();
    for (id, set, cast) in &objects {
        let (living, binned) = (format!("/v1.0/{set}/{id}"), format!("{BIN}/{id}"));
        let (_, link) = scene.round(&format!("/v1.0/{set}/delta?$select=id")).await;
        scene.done("DELETE", &living, None).await;
        assert_eq!((scene.status("GET", &living).await, scene.bin(cast).await), (404, vec![(*id).clone()]));
        let (told, link) = scene.round(&link).await;
        assert_eq!(told, [json!({ "id": id, "@removed": { "reason": "changed" } })], "{set}");
        let seen = scene.done("GET", &format!("{binned}?$select=id,deletedDateTime"), None).await;
        assert_eq!((&seen["id"], &seen["@odata.type"]), (&json!(id), &json!(format!("#{cast}"))));
        assert!(seen["deletedDateTime"].is_string(), "{seen}");
        let restored = scene.done("POST", &format!("{binned}/restore"), None).await;
        assert_eq!((&restored["id"], &restored["deletedDateTime"]), (&json!(id), &Value::Null));
        assert_eq!((scene.status("GET", &living).await, scene.bin(cast).await), (200, vec![]));
        let (told, link) = scene.round(&link).await;
        assert_eq!(told, [json!({ "id": id })], "{set}");
        scene.done("DELETE", &living, None).await;
        assert_eq!(scene.round(&link).await.0.len(), 1, "{set}");
    }

    // To the last moment it comes back, and nothing goes.
    scene.world.advance(Span::days(30));
    assert_eq!(scene.world.service.empty_bins(&scene.world.moment()).await.unwrap(), 0);
    for (id, set, cast) in &objects {
        assert_eq!(scene.bin(cast).await, [(*id).clone()]);
        scene.done("POST", &format!("{BIN}/{id}/restore"), None).await;
        scene.done("DELETE", &format!("/v1.0/{set}/{id}"), None).await;
    }
    // R04: after that it does not, although nobody swept.
    scene.world.advance(Span::days(30));
    scene.world.advance(Span::millis(1));
    let mut links = Vec::new();
    for (id, set, cast) in &objects {
        links.push(scene.round(&format!("/v1.0/{set}/delta?$deltatoken=latest")).await.1);
        let path = format!("{BIN}/{id}");
        assert!(scene.bin(cast).await.is_empty());
        for (method, path) in [("GET", &path), ("POST", &format!("{path}/restore")), ("DELETE", &path)] {
            assert_eq!(scene.status(method, path).await, 404, "{method} {path}");
        }
    }

    assert_eq!(scene.world.service.empty_bins(&scene.world.moment()).await.unwrap(), objects.len());
    assert_eq!(scene.world.service.empty_bins(&scene.world.moment()).await.unwrap(), 0);
    for ((id, set, _), link) in objects.iter().zip(links) {
        let (told, _) = scene.round(&link).await;
        assert_eq!(told, [json!({ "id": id, "@removed": { "reason": "deleted" } })], "{set}");
        // The log says who did it, and that nobody asked for it.
        let newest = scene.done("GET", &log_of(id), None).await["value"][0].clone();
        let (activity, by) = (newest["activityDisplayName"].as_str().unwrap(), &newest["initiatedBy"]);
        assert!(activity.starts_with("Hard "), "{newest}");
        assert_eq!((&newest["result"], &newest["operationType"]), (&json!("success"), &json!("Delete")));
        assert_eq!((&by["app"]["displayName"], &by["user"]), (&json!("Hospes"), &Value::Null));
    }
    // R22: what is made now has ids of its own.
    let again = scene.one_of_each().await;
    assert!(again.iter().all(|id| !made.contains(id)));
}

#[tokio::test]
async fn an_application_takes_its_service_principal_along() {
    let scene = Scene::new().await;
    let [app, app_id, instance] = scene.application("Shared").await;
    let elsewhere = scene.world.daemon_token(FABRIKAM).await;
    let other = json!({ "appId": app_id });
    let other = scene.world.graph(&elsewhere, "POST", "/v1.0/servicePrincipals", Some(other)).await.json();
    let other_id = other["id"].as_str().unwrap();
    let other = format!("/v1.0/servicePrincipals/{other_id}");
    let living = format!("/v1.0/servicePrincipals/{instance}");
    let (app_path, app_bin) = (format!("/v1.0/applications/{app}"), format!("{BIN}/{app}"));

    scene.done("DELETE", &app_path, None).await;
    assert_eq!(scene.status("GET", &living).await, 404);
    assert_eq!(scene.bin("microsoft.graph.servicePrincipal").await, [instance.as_str()]);
    // Alone it does not come back, and no other is made.
    let alone = scene.ask("POST", &format!("{BIN}/{instance}/restore"), None).await;
    assert_eq!(alone.status, 400, "{}", alone.text);
    let another = scene.ask("POST", "/v1.0/servicePrincipals", Some(json!({ "appId": app_id }))).await;
    assert_eq!(another.status, 400, "{}", another.text);
    // Elsewhere it is the other organization's.
    assert_eq!(scene.world.graph(&elsewhere, "GET", &other, None).await.status, 200);
    scene.done("POST", &format!("{app_bin}/restore"), None).await;
    assert_eq!((scene.status("GET", &living).await, scene.status("GET", &app_path).await), (200, 200));

    // One that was deleted by itself is not brought back by its application.
    scene.done("DELETE", &living, None).await;
    scene.done("DELETE", &app_path, None).await;
    scene.done("POST", &format!("{app_bin}/restore"), None).await;
    assert_eq!(scene.status("GET", &living).await, 404);
    scene.done("POST", &format!("{BIN}/{instance}/restore"), None).await;

    // For good, every instance goes with it, and each organization's log says so.
    scene.done("DELETE", &app_path, None).await;
    scene.done("DELETE", &app_bin, None).await;
    assert_eq!(scene.status("GET", &format!("{BIN}/{instance}")).await, 404);
    assert_eq!(scene.world.graph(&elsewhere, "GET", &other, None).await.status, 404);
    let told = scene.world.graph(&elsewhere, "GET", &log_of(other_id), None).await.json()["value"][0].clone();
    assert_eq!(told["activityDisplayName"], "Hard delete service principal");
    assert_eq!(told["initiatedBy"]["app"]["displayName"], "Hospes", "nobody of the other organization");
}

#[tokio::test]
async fn a_new_service_principal_has_nothing_of_the_deleted_one_and_keeps_it_from_coming_back() {
    let scene = Scene::new().await;
    let [_, app_id, old] = scene.application("Again").await;
    let graph = "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')";
    let graph = scene.done("GET", graph, None).await["id"].clone();
    let consent =
        json!({ "clientId": old, "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read" });
    let consent = scene.done("POST", "/v1.0/oauth2PermissionGrants", Some(consent)).await["id"].clone();
    scene.done("DELETE", &format!("/v1.0/servicePrincipals/{old}"), None).await;
    let body = json!({ "appId": app_id });
    let new = scene.done("POST", "/v1.0/servicePrincipals", Some(body)).await;
    let new = new["id"].as_str().unwrap();
    assert_ne!(new, old);
    let granted = format!("/v1.0/servicePrincipals/{new}/oauth2PermissionGrants");
    assert!(ids(&scene.done("GET", &granted, None).await).is_empty());
    let restore = format!("{BIN}/{old}/restore");
    let taken = scene.ask("POST", &restore, None).await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    assert_eq!(taken.json()["error"]["code"], "Request_MultipleObjectsWithSameKeyValue");
    scene.done("DELETE", &format!("/v1.0/servicePrincipals/{new}"), None).await;
    scene.done("POST", &restore, None).await;
    let granted = format!("/v1.0/servicePrincipals/{old}/oauth2PermissionGrants");
    assert_eq!(json!(ids(&scene.done("GET", &granted, None).await)), json!([consent]));
}

#[tokio::test]
async fn r22_a_purged_service_principal_is_nowhere_and_cannot_be_named_again() {
    let scene = Scene::new().await;
    let [app, app_id, gone] = scene.application("Gone").await;
    scene.done("DELETE", &format!("/v1.0/servicePrincipals/{gone}"), None).await;
    scene.done("DELETE", &format!("{BIN}/{gone}"), None).await;
    for (method, path) in [
        ("GET", format!("{BIN}/{gone}")),
        ("POST", format!("{BIN}/{gone}/restore")),
        ("DELETE", format!("{BIN}/{gone}")),
        ("GET", format!("/v1.0/servicePrincipals/{gone}")),
        ("GET", format!("/v1.0/servicePrincipals(appId='{app_id}')")),
        ("GET", format!("/v1.0/directoryObjects/{gone}")),
    ] {
        assert_eq!(scene.status(method, &path).await, 404, "{method} {path}");
    }
    let named = json!({ "appId": app_id, "id": gone });
    assert_eq!(scene.ask("POST", "/v1.0/servicePrincipals", Some(named)).await.status, 400);
    let made = scene.done("POST", "/v1.0/servicePrincipals", Some(json!({ "appId": app_id }))).await;
    assert_ne!(made["id"], gone);
    assert_eq!(scene.status("GET", &format!("/v1.0/applications/{app}")).await, 200);
}

#[tokio::test]
async fn r38_a_deleted_service_principal_gets_no_token_and_its_tokens_stop_until_it_is_back() {
    let scene = Scene::new().await;
    let web = scene.world.app(CONTOSO, "web");
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    let scope = "openid offline_access User.Read";
    let tokens = scene.world.sign_in(CONTOSO, "web", "carol@contoso.test", scope).await;
    let access = tokens["access_token"].as_str().unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", &secret),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("scope", scope),
    ];
    let mut browser = scene.world.browser();
    let waiting = browser.code_for(CONTOSO, web, "carol@contoso.test", scope).await;
    let [_, app_id, robot] = scene.application("Robot").await;
    let add = format!("/v1.0/servicePrincipals/{robot}/addPassword");
    let robots_secret = scene.done("POST", &add, None).await["secretText"].as_str().unwrap().to_owned();
    let robots = [
        ("grant_type", "client_credentials"),
        ("client_id", app_id.as_str()),
        ("client_secret", &robots_secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let robots_token = scene.world.token(CONTOSO, &robots).await.json();
    let robots_token = robots_token["access_token"].as_str().unwrap();
    let organization = "/v1.0/organization";
    let me = scene.world.graph(access, "GET", "/v1.0/me", None);
    assert_eq!(me.await.status, 200);
    let before = scene.world.graph(robots_token, "GET", organization, None).await.status;
    assert_ne!(before, 401);

    let instance = scene.instance_of("web").await;
    for id in [&instance, &robot] {
        scene.done("DELETE", &format!("/v1.0/servicePrincipals/{id}"), None).await;
    }
    assert_eq!(scene.world.graph(access, "GET", "/v1.0/me", None).await.status, 401);
    assert_eq!(scene.world.graph(robots_token, "GET", organization, None).await.status, 401);
    assert_eq!(
        scene.world.token(CONTOSO, &robots).await.code(),
        7_000_215,
        "its secret is in the bin with it"
    );
    assert_eq!(scene.world.token(CONTOSO, &fields).await.code(), 65_001);
    assert_eq!(scene.world.redeem(CONTOSO, web, &waiting).await.code(), 65_001);

    for id in [&instance, &robot] {
        scene.done("POST", &format!("{BIN}/{id}/restore"), None).await;
    }
    // Nobody is asked again.
    assert_eq!(scene.world.token(CONTOSO, &fields).await.status, 200);
    assert_eq!(scene.world.graph(access, "GET", "/v1.0/me", None).await.status, 200);
    assert_eq!(scene.world.token(CONTOSO, &robots).await.status, 200);
    assert_eq!(scene.world.graph(robots_token, "GET", organization, None).await.status, before);
}

#[tokio::test]
async fn r38_a_new_service_principal_does_not_bring_back_the_tokens_of_a_deleted_one() {
    let scene = Scene::new().await;
    let web = scene.world.app(CONTOSO, "web");
    let sign_in = async || {
        let tokens = scene.world.sign_in(CONTOSO, "web", "carol@contoso.test", "User.Read").await;
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    let me = async |token: &str| scene.world.graph(token, "GET", "/v1.0/me", None).await.status.as_u16();
    let old = sign_in().await;
    assert_eq!(me(&old).await, 200);
    let instance = scene.instance_of("web").await;
    scene.done("DELETE", &format!("/v1.0/servicePrincipals/{instance}"), None).await;
    scene.world.advance(Span::minutes(1));
    let again = json!({ "appId": web.app_id.unwrap() });
    scene.done("POST", "/v1.0/servicePrincipals", Some(again)).await;
    assert_eq!(me(&old).await, 401);
    assert_eq!(me(&sign_in().await).await, 200);
}

#[tokio::test]
async fn r38_nobody_gets_a_token_for_a_deleted_resource_and_what_was_given_of_it_comes_back() {
    let scene = Scene::new().await;
    let api_id = scene.world.app(CONTOSO, "api").app_id.unwrap();
    let (api, daemon) = (scene.instance_of("api").await, scene.instance_of("daemon").await);
    let app = scene.world.app(CONTOSO, "daemon");
    let (id, secret) = (app.app_id.unwrap().to_string(), app.secret.clone().unwrap());
    let scope = format!("api://{api_id}/.default");
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", &secret),
        ("scope", &scope),
    ];
    let roles =
        |answer: &Answer| testkit::claims(answer.json()["access_token"].as_str().unwrap())["roles"].clone();
    let granted = roles(&scene.world.token(CONTOSO, &fields).await);
    assert!(granted.as_array().is_some_and(|roles| !roles.is_empty()), "{granted}");

    // A group holds it, and somebody owns it.
    let dave = scene.world.user("dave@contoso.test").id.unwrap().to_string();
    let link = |id: &str| json!({ "@odata.id": format!("/v1.0/directoryObjects/{id}") });
    let group = json!({ "displayName": "APIs", "mailEnabled": false, "mailNickname": "apis",
        "securityEnabled": true, "members@odata.bind": [format!("/v1.0/directoryObjects/{api}")] });
    let group = scene.done("POST", "/v1.0/groups", Some(group)).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1.0/servicePrincipals/{api}");
    scene.done("POST", &format!("{path}/owners/$ref"), Some(link(&dave))).await;
    let lists = [
        format!("/v1.0/groups/{group}/members"),
        format!("/v1.0/users/{dave}/ownedObjects"),
        format!("/v1.0/servicePrincipals/{daemon}/appRoleAssignments?$filter=resourceId%20eq%20{api}"),
    ];
    let mut before = Vec::new();
    for list in &lists {
        let listed = ids(&scene.done("GET", list, None).await);
        assert!(!listed.is_empty(), "{list}");
        before.push(listed);
    }

    scene.done("DELETE", &path, None).await;
    let refused = scene.world.token(CONTOSO, &fields).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    for list in &lists {
        assert!(ids(&scene.done("GET", list, None).await).is_empty(), "{list}");
    }
    scene.done("POST", &format!("{BIN}/{api}/restore"), None).await;
    assert_eq!(roles(&scene.world.token(CONTOSO, &fields).await), granted);
    for (list, before) in lists.iter().zip(before) {
        assert_eq!(ids(&scene.done("GET", list, None).await), before, "{list}");
    }
    let owners = scene.done("GET", &format!("{path}/owners"), None).await;
    assert_eq!(ids(&owners), [dave]);
}

#[tokio::test]
async fn an_owner_restores_what_it_owns_and_nobody_else_learns_that_it_is_there() {
    let scene = Scene::new().await;
    let [_, _, instance] = scene.application("Owned").await;
    let carol = scene.world.user("carol@contoso.test").id.unwrap().to_string();
    let path = format!("/v1.0/servicePrincipals/{instance}");
    let link = json!({ "@odata.id": format!("/v1.0/directoryObjects/{carol}") });
    scene.done("POST", &format!("{path}/owners/$ref"), Some(link)).await;
    // An administrator agreed for everybody to what Carol and Dave use.
    let (web, scope) = (scene.world.app(CONTOSO, "web"), "openid Application.ReadWrite.All");
    let mut browser = scene.world.browser();
    let page = browser.get(&browser.authorize_url(CONTOSO, web, scope, &[])).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let mut tokens = Vec::new();
    for name in ["carol@contoso.test", "dave@contoso.test"] {
        let signed_in = scene.world.sign_in(CONTOSO, "web", name, scope).await;
        tokens.push(signed_in["access_token"].as_str().unwrap().to_owned());
    }
    scene.done("DELETE", &path, None).await;
    let nobody = uuid::Uuid::from_u128(9);
    for (method, rest) in [("POST", "/restore"), ("DELETE", "")] {
        let ask = async |id: &str| {
            let answer = scene.world.graph(&tokens[1], method, &format!("{BIN}/{id}{rest}"), None).await;
            (answer.status, answer.json()["error"]["message"].clone())
        };
        assert_eq!(ask(&instance).await, ask(&nobody.to_string()).await);
    }
    let restored = scene.world.graph(&tokens[0], "POST", &format!("{BIN}/{instance}/restore"), None).await;
    assert_eq!(restored.status, 200, "{}", restored.text);
    let other = scene.world.daemon_token(FABRIKAM).await;
    let foreign = scene.world.graph(&other, "GET", &format!("{BIN}/{instance}"), None).await;
    assert_eq!(foreign.status, 404, "R21");
}
