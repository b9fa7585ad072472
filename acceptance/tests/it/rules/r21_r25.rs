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

#[tokio::test]
async fn r23_a_guest_sees_only_the_limited_properties_of_others_and_cannot_list() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    // Alice agrees for everybody, so that the guest's token has the scope and only the guest's level stands in the way.
    let mut browser = world.browser();
    let scope = "openid User.Read User.Read.All";
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), scope, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let tokens = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", scope).await;
    let token = tokens["access_token"].as_str().unwrap();
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
