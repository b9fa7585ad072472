//! R01 no privileged token; R02 linking by issuer and subject only.

use serde_json::json;
use standards::b64;
use testkit::{CONTOSO, FABRIKAM, World, claims};

#[tokio::test]
async fn r01_a_token_with_edited_tenant_or_algorithm_is_refused_and_recorded() {
    let world = World::new().await;
    let token = world.daemon_token(FABRIKAM).await;
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let before = world.stray_refusals();
    let mut edited = claims(&token);
    edited["tid"] = json!(world.tenant_id(CONTOSO).to_string());
    parts[1] = b64::encode(edited.to_string().as_bytes());
    let forged = parts.join(".");
    assert_eq!(world.graph(&forged, "GET", "/v1.0/users", None).await.status, 401);
    let header = b64::encode(br#"{"typ":"JWT","alg":"none"}"#);
    let unsigned = format!("{header}.{}.", parts[1]);
    assert_eq!(world.graph(&unsigned, "GET", "/v1.0/users", None).await.status, 401);
    assert_eq!(world.stray_refusals(), before + 2);
}

#[tokio::test]
async fn r01_home_ids_are_not_readable_from_the_resource_tenant() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let token = world.daemon_token(CONTOSO).await;
    let select = "identities,otherMails,proxyAddresses,id,userPrincipalName";
    let answer = world.graph(&token, "GET", &format!("/v1.0/users/{guest}?$select={select}"), None).await;
    let home = world.user("bob@fabrikam.test").id.unwrap().to_string();
    assert!(
        !answer.text.contains(&home) && !answer.text.contains(&world.tenant_id(FABRIKAM).to_string()),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn r02_a_second_account_with_the_same_address_does_not_become_the_guest() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    // Bob leaves Fabrikam; a new person gets his address.
    let token = world.daemon_token(FABRIKAM).await;
    let bob = world.user("bob@fabrikam.test").id.unwrap();
    assert_eq!(world.graph(&token, "DELETE", &format!("/v1.0/users/{bob}"), None).await.status, 204);
    let body = json!({ "accountEnabled": true, "displayName": "Other Bob", "mailNickname": "bob",
        "userPrincipalName": "bob@fabrikam.test", "mail": "bob@fabrikam.test",
        "passwordProfile": { "password": "Other-Bob-1", "forceChangePasswordNextSignIn": false } });
    assert_eq!(world.graph(&token, "POST", "/v1.0/users", Some(body)).await.status, 201);
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid User.Read", &[]);
    let page = browser.get(&url).await;
    let page = browser.press(&page, "next", &[("login", "bob@fabrikam.test")]).await;
    let page = browser.press(&page, "signin", &[("password", "Other-Bob-1")]).await;
    let page = if page.text.contains("stay_no") { browser.press(&page, "stay_no", &[]).await } else { page };
    assert!(page.text.contains("AADSTS50020"), "{page:?}");
    assert!(!guest.is_empty());
}

#[tokio::test]
async fn r02_an_address_that_nobody_proved_is_in_no_token() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let contoso = world.daemon_token(CONTOSO).await;
    let patch = |token: String, path: String, mail: &'static str| {
        let world = &world;
        async move {
            let body = json!({ "mail": mail });
            assert_eq!(world.graph(&token, "PATCH", &path, Some(body)).await.status, 204);
        }
    };
    let named = || async {
        let scope = "openid profile email User.Read";
        let tokens = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", scope).await;
        let access = tokens["access_token"].as_str().unwrap();
        let (id, token) = (claims(tokens["id_token"].as_str().unwrap()), claims(access));
        let info = world.graph(access, "GET", "/oidc/userinfo", None).await.json();
        assert_eq!((&id["email"], &token["email"]), (&info["email"], &info["email"]));
        assert_eq!((&id["preferred_username"], &token["unique_name"]), (&info["email"], &info["email"]));
        info["email"].as_str().unwrap().to_owned()
    };
    assert_eq!(named().await, "bob@fabrikam.test");
    patch(contoso, format!("/v1.0/users/{guest}"), "ceo@victim.test").await;
    assert_eq!(named().await, "bob@fabrikam.test");
    // The home says what is true of its own domain, at the next sign-in.
    let bob = world.user("bob@fabrikam.test").id.unwrap();
    let fabrikam = world.daemon_token(FABRIKAM).await;
    patch(fabrikam.clone(), format!("/v1.0/users/{bob}"), "robert@fabrikam.test").await;
    assert_eq!(named().await, "robert@fabrikam.test");
    // Not of another's.
    patch(fabrikam, format!("/v1.0/users/{bob}"), "ceo@victim.test").await;
    assert_eq!(named().await, "bob@fabrikam.test");
}

#[tokio::test]
async fn r02_changing_a_guests_mail_changes_no_link() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let token = world.daemon_token(CONTOSO).await;
    let body = json!({ "mail": "eve@fabrikam.test" });
    assert_eq!(world.graph(&token, "PATCH", &format!("/v1.0/users/{guest}"), Some(body)).await.status, 204);
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid User.Read", &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "eve@fabrikam.test").await;
    assert!(page.text.contains("AADSTS50020"), "{page:?}");
}

#[tokio::test]
async fn r02_an_address_invited_again_finds_its_guest_though_the_mail_changed() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let token = world.daemon_token(CONTOSO).await;
    let body = json!({ "mail": "bob.brown@fabrikam.test" });
    assert_eq!(world.graph(&token, "PATCH", &format!("/v1.0/users/{guest}"), Some(body)).await.status, 204);
    for address in ["Bob@Fabrikam.test", "bob.brown@fabrikam.test"] {
        let invitation = world.invite(CONTOSO, address).await;
        assert_eq!(invitation["invitedUser"]["id"], json!(guest), "{address}");
    }
}
