//! R21 ids inside the tenant, R22 ids never come back, R23 guests see themselves, R25 verified flags.

use serde_json::json;
use testkit::{CONTOSO, FABRIKAM, World};

#[tokio::test]
async fn r21_a_foreign_user_is_not_found_by_id_or_name() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let bob = world.user("bob@fabrikam.test").id.unwrap().to_string();
    let nobody = uuid::Uuid::from_u128(9).to_string();
    let strip =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["error"]["message"].clone();
    for method in ["GET", "PATCH", "DELETE"] {
        let body = (method == "PATCH").then(|| json!({ "displayName": "X" }));
        let foreign = world.graph(&token, method, &format!("/v1.0/users/{bob}"), body.clone()).await;
        let missing = world.graph(&token, method, &format!("/v1.0/users/{nobody}"), body).await;
        assert_eq!(
            (foreign.status, strip(&foreign.text)),
            (missing.status, strip(&missing.text)),
            "{method}"
        );
        assert_eq!(foreign.status, 404);
    }
    assert_eq!(world.graph(&token, "GET", "/v1.0/users/bob@fabrikam.test", None).await.status, 404);
}

#[tokio::test]
async fn r22_a_purged_id_cannot_be_used_again() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let dave = world.user("dave@contoso.test").id.unwrap();
    assert_eq!(world.graph(&token, "DELETE", &format!("/v1.0/users/{dave}"), None).await.status, 204);
    assert_eq!(
        world.graph(&token, "DELETE", &format!("/v1.0/directory/deletedItems/{dave}"), None).await.status,
        204
    );
    let person = service_person(dave);
    let moment = world.moment();
    for domain in [CONTOSO, FABRIKAM] {
        let person = testkit_person(&person, domain);
        let made = world.service.create_person(world.tenant_id(domain), person, &moment).await.unwrap();
        assert!(made.is_err(), "{domain}");
    }
    // A body cannot choose an id.
    let body = json!({ "id": dave, "accountEnabled": true, "displayName": "D", "mailNickname": "d", "userPrincipalName": "d@contoso.test",
        "passwordProfile": { "password": "Passw0rd-1" } });
    assert_eq!(world.graph(&token, "POST", "/v1.0/users", Some(body)).await.status, 400);
}

fn service_person(id: uuid::Uuid) -> testkit::NewPerson {
    testkit::NewPerson {
        id: Some(domain::id::UserId::new(id)),
        sign_in_name: String::new(),
        display_name: "Dave again".into(),
        password: "Passw0rd-1".into(),
        roles: Vec::new(),
        profile: std::collections::BTreeMap::new(),
    }
}

fn testkit_person(person: &testkit::NewPerson, domain: &str) -> testkit::NewPerson {
    testkit::NewPerson { sign_in_name: format!("dave2@{domain}"), ..person.clone() }
}

/// A token of somebody in Contoso. Alice agreed for everybody, so that only the person's rights stand in the way.
async fn token_of(world: &World, person: &str, scopes: &str) -> String {
    let mut browser = world.browser();
    let scope = format!("openid User.Read {scopes}");
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), &scope, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    if page.text.contains("value=\"accept\"") {
        browser.press(&page, "accept", &[("for_organization", "1")]).await;
    }
    let tokens = world.sign_in(CONTOSO, "web", person, &scope).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn r23_r38_a_guest_sees_what_the_level_of_the_tenant_shows_at_the_next_request() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let guest = token_of(&world, "bob@fabrikam.test", "User.Read.All Group.Read.All").await;
    let daemon = world.daemon_token(CONTOSO).await;
    let me = world.graph(&guest, "GET", "/v1.0/me", None).await.json()["id"].as_str().unwrap().to_owned();
    let group = json!({
        "displayName": "Partners", "mailEnabled": false, "mailNickname": "partners", "securityEnabled": true,
        "members@odata.bind": [format!("https://graph.microsoft.com/v1.0/users/{me}")],
    });
    let group = world.graph(&daemon, "POST", "/v1.0/groups", Some(group)).await.json();
    let group = format!("/v1.0/groups/{}", group["id"].as_str().unwrap());
    let carol = format!("/v1.0/users/{}", world.user("carol@contoso.test").id.unwrap());
    let alice = &token_of(&world, "alice@contoso.test", "Policy.ReadWrite.Authorization").await;
    let sponsors = format!("/v1.0/users/{me}/sponsors");
    let sponsor = json!({ "@odata.id": format!("https://graph.microsoft.com{carol}") });
    let made = world.graph(&daemon, "POST", &format!("{sponsors}/$ref"), Some(sponsor)).await;
    assert_eq!(made.status, 204, "{}", made.text);

    for (level, status_of_user, status_of_group, status_of_list, is_named) in [
        ("10dae51f-b6af-4016-8d66-8c2a99b929b3", 200, 200, 403, true),
        ("2AF84B1E-32C8-42B7-82BC-DAA82404023B", 404, 403, 403, false),
        ("a0b1b346-4d3e-4e8b-98f8-753987be4970", 200, 200, 200, true),
    ] {
        let set = Some(json!({ "guestUserRoleId": level }));
        let path = "/v1.0/policies/authorizationPolicy";
        assert_eq!(world.graph(alice, "PATCH", path, set).await.status, 204, "{level}");
        let policy = world.graph(alice, "GET", path, None).await.json();
        assert_eq!(policy["guestUserRoleId"], level.to_lowercase());

        let status = async |path: &str| world.graph(&guest, "GET", path, None).await.status.as_u16();
        assert_eq!(status("/v1.0/me").await, 200, "{level}");
        assert_eq!(status(&carol).await, status_of_user, "{level}");
        assert_eq!(status(&group).await, status_of_group, "{level}");
        assert_eq!(status(&format!("{group}/members")).await, status_of_group, "{level}");
        assert_eq!(status("/v1.0/users").await, status_of_list, "{level}");
        assert_eq!(
            status("/v1.0/groups?$filter=startswith(displayName,'P')").await,
            status_of_list,
            "{level}"
        );
        let shown =
            world.graph(&guest, "GET", &format!("{sponsors}?$select=id,jobTitle,displayName"), None).await;
        let shown = shown.json();
        assert!(!shown["value"].as_array().unwrap().is_empty(), "{shown}");
        for sponsor in shown["value"].as_array().unwrap() {
            assert_eq!(sponsor.get("displayName").is_some(), status_of_user == 200, "{level}: {shown}");
            assert_eq!(sponsor.get("jobTitle").is_some(), status_of_list == 200, "{level}: {shown}");
        }
        let own = world.graph(&guest, "GET", "/v1.0/me/memberOf", None).await.json();
        assert!(group.ends_with(own["value"][0]["id"].as_str().unwrap()), "{own}");
        assert_eq!(own["value"][0].get("displayName").is_some(), is_named, "{level}: {own}");
        let expanded = world.graph(&guest, "GET", "/v1.0/me?$expand=memberOf", None).await.json();
        assert_eq!(expanded["memberOf"][0].get("displayName").is_some(), is_named, "{level}: {expanded}");
    }
    // Now as a member: more than a guest's few properties, but nothing to write.
    let seen = world.graph(&guest, "GET", &format!("{carol}?$select=jobTitle"), None).await.json();
    assert!(seen.get("jobTitle").is_some(), "{seen}");
    let patch = world.graph(&guest, "PATCH", &carol, Some(json!({ "jobTitle": "X" }))).await;
    assert_eq!(patch.status, 403, "{}", patch.text);
}

#[tokio::test]
async fn r24_members_without_a_role_make_what_the_tenant_lets_them() {
    let world = World::new().await;
    let scope = "Policy.ReadWrite.Authorization Group.ReadWrite.All Application.ReadWrite.All";
    let alice = &token_of(&world, "alice@contoso.test", scope).await;
    let carol = &token_of(&world, "carol@contoso.test", scope).await;
    let application = async |token: &str| {
        let body = Some(json!({ "displayName": "A" }));
        world.graph(token, "POST", "/v1.0/applications", body).await
    };
    let group = async |token: &str, name: &str| {
        let body = json!({ "displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true });
        world.graph(token, "POST", "/v1.0/groups", Some(body)).await.status.as_u16()
    };
    let own = application(carol).await;
    assert_eq!((own.status.as_u16(), group(carol, "one").await), (201, 201), "{}", own.text);
    let off = json!({ "allowedToCreateApps": false, "allowedToCreateSecurityGroups": false });
    let body = Some(json!({ "defaultUserRolePermissions": off }));
    let path = "/v1.0/policies/authorizationPolicy";
    assert_eq!(world.graph(alice, "PATCH", path, body).await.status, 204);
    assert_eq!((application(carol).await.status.as_u16(), group(carol, "two").await), (403, 403));
    assert_eq!((application(alice).await.status.as_u16(), group(alice, "two").await), (201, 201));
    // What Carol owns is still hers.
    let own = format!("/v1.0/applications/{}", own.json()["id"].as_str().unwrap());
    assert_eq!(world.graph(carol, "PATCH", &own, Some(json!({ "displayName": "B" }))).await.status, 204);
}

#[tokio::test]
async fn r23_a_guest_sees_only_the_limited_properties_of_others_and_cannot_list() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let token = &token_of(&world, "bob@fabrikam.test", "User.Read.All").await;
    for path in ["/v1.0/users", "/v1.0/users?$filter=startswith(displayName,'A')", "/v1.0/users/$count"] {
        assert!(
            matches!(world.graph(token, "GET", path, None).await.status.as_u16(), 400 | 403 | 404),
            "{path}"
        );
    }
    let carol = world.user("carol@contoso.test").id.unwrap();
    let seen = world
        .graph(
            token,
            "GET",
            &format!("/v1.0/users/{carol}?$select=id,displayName,jobTitle,accountEnabled"),
            None,
        )
        .await;
    let seen = seen.json();
    assert_eq!(seen["displayName"], "Carol Clark");
    assert!(seen.get("jobTitle").is_none() && seen.get("accountEnabled").is_none(), "{seen}");
}

#[tokio::test]
async fn r25_r35_users_write_no_verified_flag_and_no_body_names_the_actor() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let guest =
        world.invite(CONTOSO, "bob@fabrikam.test").await["invitedUser"]["id"].as_str().unwrap().to_owned();
    for property in [
        "externalUserState",
        "identities",
        "creationType",
        "id",
        "userId",
        "tenantId",
        "oid",
        "proxyAddresses",
    ] {
        let body = json!({ property: "Accepted" });
        let answer = world.graph(&token, "PATCH", &format!("/v1.0/users/{guest}"), Some(body)).await;
        assert_eq!(answer.status, 400, "{property}");
    }
    for extra in ["userId", "tenantId", "oid", "inviteRedeemUrl", "status"] {
        let mut body =
            json!({ "invitedUserEmailAddress": "eve@fabrikam.test", "inviteRedirectUrl": "https://x.test/" });
        body[extra] = json!(world.tenant_id(FABRIKAM).to_string());
        assert_eq!(world.graph(&token, "POST", "/v1.0/invitations", Some(body)).await.status, 400, "{extra}");
    }
}
