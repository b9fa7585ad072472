//! Managers, sponsors, owners, objects by their ids, and the end of sessions.

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

    async fn link(&self, method: &str, path: &str, object: &str) -> Answer {
        let body = json!({ "@odata.id": format!("{}/v1.0/users/{object}", testkit::BASE) });
        self.ask(method, &format!("/v1.0/{path}/$ref"), Some(body)).await
    }

    async fn ids(&self, path: &str) -> Vec<String> {
        let answer = self.ask("GET", &format!("/v1.0/{path}"), None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let items = answer.json()["value"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }

    /// Contoso's web application may be used with these scopes, by everybody.
    async fn consent(&self, scope: &str) {
        let app_id = self.world.app(CONTOSO, "web").app_id.unwrap();
        let id = |answer: Answer| answer.json()["id"].as_str().unwrap().to_owned();
        let path = |app: &str| format!("/v1.0/servicePrincipals(appId='{app}')");
        let client = id(self.ask("GET", &path(&app_id.to_string()), None).await);
        let graph = id(self.ask("GET", &path("00000003-0000-0000-c000-000000000000"), None).await);
        let body = json!({ "clientId": client, "consentType": "AllPrincipals", "resourceId": graph,
            "scope": scope });
        let made = self.ask("POST", "/v1.0/oauth2PermissionGrants", Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }

    async fn token_of(&self, name: &str, scope: &str) -> String {
        let tokens = self.world.sign_in(CONTOSO, "web", name, scope).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_manager_is_set_replaced_and_taken_away() {
    let scene = Scene::new().await;
    let [alice, carol, dave] =
        ["alice", "carol", "dave"].map(|name| scene.user(&format!("{name}@contoso.test")));
    let manager = format!("users/{dave}/manager");
    assert_eq!(scene.ask("GET", &format!("/v1.0/{manager}"), None).await.status, 404);
    for boss in [&carol, &alice] {
        assert_eq!(scene.link("PUT", &manager, boss).await.status, 204);
        let seen = scene.ask("GET", &format!("/v1.0/{manager}?$select=displayName,id"), None).await.json();
        assert_eq!((&seen["id"], &seen["@odata.type"]), (&json!(boss), &json!("#microsoft.graph.user")));
    }
    assert_eq!(scene.ids(&format!("users/{alice}/directReports")).await, [dave.as_str()]);
    assert!(scene.ids(&format!("users/{carol}/directReports")).await.is_empty());
    let own = scene.link("PUT", &manager, &dave).await;
    assert_eq!(own.status, 400, "{}", own.text);
    let nobody = scene.link("PUT", &manager, "00000000-0000-0000-0000-00000000004d").await;
    assert_eq!(nobody.status, 404, "{}", nobody.text);
    // Without `/$ref` it would mean the manager, not the relation: refused.
    let before = scene.ask("DELETE", &format!("/v1.0/{manager}"), None).await;
    assert_eq!(before.status, 405, "{}", before.text);
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/{manager}/$ref"), None).await.status, 204);
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/{manager}/$ref"), None).await.status, 404);
}

#[tokio::test]
async fn a_user_is_made_and_changed_with_a_manager() {
    let scene = Scene::new().await;
    let [carol, dave] = ["carol", "dave"].map(|name| scene.user(&format!("{name}@contoso.test")));
    let new = |name: &str, manager: &str| {
        json!({ "accountEnabled": true, "displayName": name, "mailNickname": name,
            "userPrincipalName": format!("{name}@contoso.test"), "passwordProfile": { "password": "Passw0rd-1" },
            "manager@odata.bind": format!("https://graph.microsoft.com/v1.0/users/{manager}") })
    };
    let manager = async |user: &str| {
        let answer = scene.ask("GET", &format!("/v1.0/users/{user}/manager"), None).await;
        answer.json()["id"].as_str().map(str::to_owned)
    };
    let made = scene.ask("POST", "/v1.0/users", Some(new("erin", &carol))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let erin = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(manager(&erin).await, Some(carol.clone()));
    let path = format!("/v1.0/users/{erin}");
    let change =
        json!({ "jobTitle": "Clerk", "manager@odata.bind": format!("/v1.0/directoryObjects/{dave}") });
    assert_eq!(scene.ask("PATCH", &path, Some(change)).await.status, 204);
    assert_eq!(manager(&erin).await, Some(dave.clone()));
    // Each is in the log under its own name.
    let log = scene.ask(
        "GET",
        "/v1.0/auditLogs/directoryAudits?$filter=activityDisplayName%20eq%20'Set%20manager'",
        None,
    );
    let log = log.await.json()["value"].as_array().unwrap().clone();
    let about = log.iter().filter(|record| record["targetResources"][0]["id"] == erin.as_str()).count();
    assert_eq!((log.len(), about), (2, 2));

    // A refusal leaves nothing behind.
    let nobody = "00000000-0000-0000-0000-00000000004d";
    let title = |address: Value| Some(json!({ "jobTitle": "Boss", "manager@odata.bind": address }));
    for (address, status) in [
        (json!(format!("/v1.0/users/{nobody}")), 404),
        (json!(format!("/v1.0/users/{erin}")), 400),
        (json!("https://elsewhere.test/v1.0/users/x"), 400),
        (json!([format!("/v1.0/users/{carol}")]), 400),
        (Value::Null, 400),
    ] {
        let answer = scene.ask("PATCH", &path, title(address.clone())).await;
        assert_eq!(answer.status, status, "{address}: {}", answer.text);
    }
    let seen = scene.ask("GET", &format!("{path}?$select=jobTitle"), None).await.json();
    assert_eq!((&seen["jobTitle"], manager(&erin).await), (&json!("Clerk"), Some(dave)));
    assert_eq!(scene.ask("POST", "/v1.0/users", Some(new("frank", nobody))).await.status, 404);
    assert_eq!(scene.ask("GET", "/v1.0/users/frank@contoso.test", None).await.status, 404);
}

#[tokio::test]
async fn r36_a_manager_in_a_body_needs_rights_over_both_ends() {
    let scene = Scene::new().await;
    scene.consent("User.ReadWrite.All User.EnableDisableAccount.All User.Read.All openid").await;
    let [carol, dave] = ["carol", "dave"].map(|name| scene.user(&format!("{name}@contoso.test")));
    let body = |enabled: bool| {
        Some(json!({ "accountEnabled": enabled, "manager@odata.bind": format!("/v1.0/users/{carol}") }))
    };
    let path = format!("/v1.0/users/{dave}");
    // Whoever opens accounts does not say who manages whom, nor does a member.
    let narrow = scene.token_of("alice@contoso.test", "User.EnableDisableAccount.All User.Read.All").await;
    let account = Some(json!({ "accountEnabled": true }));
    assert_eq!(scene.world.graph(&narrow, "PATCH", &path, account).await.status, 204);
    let member = scene.token_of("carol@contoso.test", "User.ReadWrite.All User.Read.All").await;
    // Whoever holds a role is changed by nobody but a global administrator.
    let alice = format!("/v1.0/users/{}", scene.user("alice@contoso.test"));
    let before = scene.world.directory_refusals(CONTOSO);
    for (token, path) in [(&narrow, &path), (&member, &path), (&scene.token, &alice)] {
        let answer = scene.world.graph(token, "PATCH", path, body(true)).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
    assert_eq!(scene.world.directory_refusals(CONTOSO), before + 3);
    // Another tenant's user is nobody here.
    let foreign = scene.world.user("bob@fabrikam.test").id.unwrap();
    let body = Some(json!({ "manager@odata.bind": format!("/v1.0/users/{foreign}") }));
    assert_eq!(scene.ask("PATCH", &path, body).await.status, 404);
    assert_eq!(scene.ask("GET", &format!("{path}/manager"), None).await.status, 404);
}

#[tokio::test]
async fn a_guest_has_up_to_five_sponsors() {
    let scene = Scene::new().await;
    let invited = scene.world.invite(CONTOSO, "bob@fabrikam.test").await;
    let guest = invited["invitedUser"]["id"].as_str().unwrap().to_owned();
    let sponsors = format!("users/{guest}/sponsors");
    let mut people = Vec::new();
    for number in 0..6 {
        let body = json!({ "accountEnabled": true, "displayName": "S", "mailNickname": format!("s{number}"),
            "userPrincipalName": format!("s{number}@contoso.test"), "passwordProfile": { "password": "Passw0rd-1" } });
        people.push(
            scene.ask("POST", "/v1.0/users", Some(body)).await.json()["id"].as_str().unwrap().to_owned(),
        );
    }
    for person in &people[..5] {
        assert_eq!(scene.link("POST", &sponsors, person).await.status, 204);
    }
    let twice = scene.link("POST", &sponsors, &people[0]).await;
    assert!(twice.status == 400 && twice.text.contains("'sponsors'"), "{}", twice.text);
    let sixth = scene.link("POST", &sponsors, &people[5]).await;
    assert!(sixth.status == 400 && sixth.text.contains("at most 5"), "{}", sixth.text);
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/{sponsors}/{}", people[0]), None).await.status, 404);
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/{sponsors}/{}/$ref", people[0]), None).await.status, 204);
    assert_eq!(scene.link("POST", &sponsors, &people[5]).await.status, 204);
    assert_eq!(scene.ids(&sponsors).await.len(), 5);
}

#[tokio::test]
async fn r24_a_member_manages_the_applications_that_they_own_and_no_others() {
    let scene = Scene::new().await;
    scene.consent("Application.ReadWrite.All User.Read.All openid").await;
    let scope = "Application.ReadWrite.All User.Read.All";
    let dave = scene.token_of("dave@contoso.test", scope).await;
    let carol = scene.token_of("carol@contoso.test", scope).await;
    let world = &scene.world;
    let made = world.graph(&dave, "POST", "/v1.0/applications", Some(json!({ "displayName": "Mine" }))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let (id, app_id) = (made["id"].as_str().unwrap(), made["appId"].as_str().unwrap());
    let path = format!("/v1.0/applications/{id}");
    assert_eq!(scene.ids(&format!("applications/{id}/owners")).await, [scene.user("dave@contoso.test")]);
    assert!(
        scene
            .ids(&format!("users/{}/ownedObjects", scene.user("dave@contoso.test")))
            .await
            .contains(&id.to_owned())
    );

    let rename = || Some(json!({ "displayName": "Renamed" }));
    assert_eq!(world.graph(&dave, "PATCH", &path, rename()).await.status, 204);
    assert_eq!(world.graph(&carol, "PATCH", &path, rename()).await.status, 403);
    assert_eq!(world.graph(&dave, "POST", &format!("{path}/addPassword"), Some(json!({}))).await.status, 200);
    let trusted = format!("{path}/federatedIdentityCredentials");
    let credential = || {
        let audiences = ["api://AzureADTokenExchange"];
        let issuer = "https://token.contoso.test";
        Some(json!({ "name": "pipeline", "issuer": issuer, "subject": "main", "audiences": audiences }))
    };
    assert_eq!(world.graph(&carol, "POST", &trusted, credential()).await.status, 403);
    let made = world.graph(&dave, "POST", &trusted, credential()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let one = format!("{trusted}/pipeline");
    assert_eq!(world.graph(&carol, "DELETE", &one, None).await.status, 403);
    assert_eq!(world.graph(&dave, "DELETE", &one, None).await.status, 204);
    let foreign =
        scene.ask("POST", "/v1.0/applications", Some(json!({ "displayName": "Other" }))).await.json();
    let other = format!("/v1.0/applications/{}", foreign["id"].as_str().unwrap());
    assert_eq!(world.graph(&dave, "PATCH", &other, rename()).await.status, 403);

    // An owner gives it an instance, and makes others owners; who is none may not.
    let instance =
        world.graph(&dave, "POST", "/v1.0/servicePrincipals", Some(json!({ "appId": app_id }))).await;
    assert_eq!(instance.status, 201, "{}", instance.text);
    let owner =
        json!({ "@odata.id": format!("/v1.0/directoryObjects/{}", scene.user("carol@contoso.test")) });
    let owners = format!("{path}/owners/$ref");
    assert_eq!(world.graph(&carol, "POST", &owners, Some(owner.clone())).await.status, 403);
    assert_eq!(world.graph(&dave, "POST", &owners, Some(owner.clone())).await.status, 204);
    let twice = world.graph(&dave, "POST", &owners, Some(owner)).await;
    assert!(twice.status == 400 && twice.text.contains("'owners'"), "{}", twice.text);
    assert_eq!(world.graph(&carol, "PATCH", &path, rename()).await.status, 204);
    let remove = format!("{path}/owners/{}/$ref", scene.user("dave@contoso.test"));
    assert_eq!(world.graph(&carol, "DELETE", &remove, None).await.status, 204);
    assert_eq!(world.graph(&dave, "PATCH", &path, rename()).await.status, 403);

    // A guest who owns it gains nothing.
    let guest = world.make_guest("bob@fabrikam.test").await;
    assert_eq!(scene.link("POST", &format!("applications/{id}/owners"), &guest).await.status, 204);
    let bob = scene.token_of("bob@fabrikam.test", scope).await;
    assert_eq!(world.graph(&bob, "PATCH", &path, rename()).await.status, 403);
}

#[tokio::test]
async fn r24_an_application_manages_what_it_owns_and_no_more() {
    let scene = Scene::new().await;
    let app = scene.ask("POST", "/v1.0/applications", Some(json!({ "displayName": "Maker" }))).await.json();
    let (id, app_id) = (app["id"].as_str().unwrap(), app["appId"].as_str().unwrap().to_owned());
    let secret = scene.ask("POST", &format!("/v1.0/applications/{id}/addPassword"), Some(json!({}))).await;
    let secret = secret.json()["secretText"].as_str().unwrap().to_owned();
    let maker = scene.ask("POST", "/v1.0/servicePrincipals", Some(json!({ "appId": app_id }))).await.json();
    let graph =
        scene.ask("GET", "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')", None);
    let graph = graph.await.json();
    let roles = graph["appRoles"].as_array().unwrap();
    let role = roles.iter().find(|role| role["value"] == "Application.ReadWrite.OwnedBy").unwrap();
    let body = json!({ "principalId": maker["id"], "resourceId": graph["id"], "appRoleId": role["id"] });
    let path = format!("/v1.0/servicePrincipals/{}/appRoleAssignments", maker["id"].as_str().unwrap());
    assert_eq!(scene.ask("POST", &path, Some(body)).await.status, 201);
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", app_id.as_str()),
        ("client_secret", &secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let token = scene.world.token(CONTOSO, &fields).await.json()["access_token"].as_str().unwrap().to_owned();

    let world = &scene.world;
    let own = world.graph(&token, "POST", "/v1.0/applications", Some(json!({ "displayName": "Made" }))).await;
    assert_eq!(own.status, 201, "{}", own.text);
    let own = own.json();
    let path = format!("/v1.0/applications/{}", own["id"].as_str().unwrap());
    let rename = || Some(json!({ "displayName": "Renamed" }));
    assert_eq!(world.graph(&token, "PATCH", &path, rename()).await.status, 204);
    let instance = json!({ "appId": own["appId"] });
    assert_eq!(world.graph(&token, "POST", "/v1.0/servicePrincipals", Some(instance)).await.status, 201);
    // Not its own registration: somebody else made it.
    let itself = format!("/v1.0/applications/{id}");
    assert_eq!(world.graph(&token, "PATCH", &itself, rename()).await.status, 403);
    assert_eq!(world.graph(&token, "DELETE", &path, None).await.status, 204);
}

#[tokio::test]
async fn objects_are_found_by_their_ids_whatever_they_are() {
    let scene = Scene::new().await;
    let dave = scene.user("dave@contoso.test");
    let group =
        json!({ "displayName": "G", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true });
    let group =
        scene.ask("POST", "/v1.0/groups", Some(group)).await.json()["id"].as_str().unwrap().to_owned();
    let app = scene.ask("POST", "/v1.0/applications", Some(json!({ "displayName": "A" }))).await.json();
    let instance = json!({ "appId": app["appId"] });
    let instance = scene.ask("POST", "/v1.0/servicePrincipals", Some(instance)).await.json();
    let ids = json!([dave, group, app["id"], instance["id"], "00000000-0000-0000-0000-00000000004d"]);
    let ask = |body: Value| scene.ask("POST", "/v1.0/directoryObjects/getByIds", Some(body));
    let found = ask(json!({ "ids": ids })).await.json();
    let mut kinds: Vec<_> =
        found["value"].as_array().unwrap().iter().map(|item| item["@odata.type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    let expected = ["application", "group", "servicePrincipal", "user"];
    assert_eq!(kinds, expected.map(|kind| format!("#microsoft.graph.{kind}")));
    let users = ask(json!({ "ids": ids, "types": ["user", "device"] })).await.json();
    assert_eq!(users["value"].as_array().unwrap().len(), 1);
    assert_eq!(users["value"][0]["userPrincipalName"], "dave@contoso.test");
    for body in
        [json!({}), json!({ "ids": [] }), json!({ "ids": vec![&dave; 1_001] }), json!({ "ids": ["x"] })]
    {
        assert_eq!(ask(body).await.status, 400);
    }
    // The service principal first: it goes with its registration.
    for id in [dave.as_str(), &group, instance["id"].as_str().unwrap(), app["id"].as_str().unwrap()] {
        let path = format!("/v1.0/directoryObjects/{id}");
        assert_eq!(scene.ask("GET", &path, None).await.json()["id"], id);
        let deleted = scene.ask("DELETE", &path, None).await;
        assert_eq!(deleted.status, 204, "{}", deleted.text);
        assert_eq!(scene.ask("GET", &path, None).await.status, 404);
    }
}

async fn refresh(world: &World, tokens: &Value) -> Answer {
    let app = world.app(CONTOSO, "web");
    let (id, secret) = (app.app_id.unwrap().to_string(), app.secret.clone().unwrap());
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", &secret),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("scope", "User.Read"),
    ];
    world.token(CONTOSO, &fields).await
}

#[tokio::test]
async fn r38_revoked_sessions_end_at_once_a_guests_here_too() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let guest = world.make_guest("bob@fabrikam.test").await;
    for (name, id) in [("dave@contoso.test", scene.user("dave@contoso.test")), ("bob@fabrikam.test", guest)] {
        let tokens = world.sign_in(CONTOSO, "web", name, "User.Read offline_access").await;
        assert_eq!(refresh(world, &tokens).await.status, 200, "{name}");
        let revoked = scene.ask("POST", &format!("/v1.0/users/{id}/revokeSignInSessions"), None).await;
        assert_eq!(
            (revoked.status.as_u16(), &revoked.json()["value"]),
            (200, &json!(true)),
            "{}",
            revoked.text
        );
        let refused = refresh(world, &tokens).await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
        // The person signs in again, and is let in.
        world.advance(domain::time::Span::minutes(1));
        let again = world.sign_in(CONTOSO, "web", name, "User.Read offline_access").await;
        assert_eq!(refresh(world, &again).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn r23_another_organisation_shows_four_fields_and_no_more() {
    let scene = Scene::new().await;
    let fabrikam = scene.world.tenant_id(FABRIKAM).to_string();
    let path = |call: &str| format!("/v1.0/tenantRelationships/{call}");
    for call in [
        format!("findTenantInformationByTenantId(tenantId='{fabrikam}')"),
        "findTenantInformationByDomainName(domainName='FABRIKAM.test')".to_owned(),
    ] {
        let answer = scene.ask("GET", &path(&call), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut answer = answer.json();
        answer.as_object_mut().unwrap().remove("@odata.context");
        let expected = json!({ "tenantId": fabrikam, "federationBrandName": null, "displayName": "Fabrikam",
            "defaultDomainName": "fabrikam.test" });
        assert_eq!(answer, expected);
    }
    for call in [
        "findTenantInformationByTenantId(tenantId='00000000-0000-0000-0000-00000000004d')",
        "findTenantInformationByTenantId(tenantId='x')",
        "findTenantInformationByDomainName(domainName='nobody.test')",
        "findTenantInformationByDomainName(domainName='')",
    ] {
        assert_eq!(scene.ask("GET", &path(call), None).await.status, 404, "{call}");
    }
}

#[tokio::test]
async fn r23_a_guest_hears_the_same_of_a_service_principal_and_of_nothing() {
    let scene = Scene::new().await;
    scene.world.make_guest("bob@fabrikam.test").await;
    scene.consent("openid User.Read Directory.Read.All").await;
    let bob = scene.token_of("bob@fabrikam.test", "User.Read Directory.Read.All").await;
    let graph = "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')";
    let graph = scene.ask("GET", graph, None).await.json()["id"].as_str().unwrap().to_owned();
    let mut answers = Vec::new();
    for id in [graph.as_str(), "00000000-0000-0000-0000-00000000004d"] {
        let path = format!("/v1.0/directoryObjects/{id}/getMemberGroups");
        let body = Some(json!({ "securityEnabledOnly": true }));
        assert_eq!(scene.ask("POST", &path, body.clone()).await.status == 200, id == graph);
        let answer = scene.world.graph(&bob, "POST", &path, body).await;
        answers.push((answer.status.as_u16(), answer.json()["error"]["code"].clone()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 404);
}
