//! Tokens straight from the authorization endpoint, for applications that were set so (OIDC Core §3.2 and §3.3).

use domain::issuance::claims::half_hash;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::{BASE, CONTOSO, Page, World, claims};

async fn allow(world: &World, id_tokens: bool, access_tokens: bool) {
    let admin = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/applications(appId='{}')", world.app(CONTOSO, "web").app_id.unwrap());
    let settings = json!({ "enableIdTokenIssuance": id_tokens, "enableAccessTokenIssuance": access_tokens });
    let web = json!({ "web": { "implicitGrantSettings": settings } });
    assert_eq!(world.graph(&admin, "PATCH", &path, Some(web)).await.status, 204);
    let read = world.graph(&admin, "GET", &path, None).await.json();
    assert_eq!(read["web"]["implicitGrantSettings"], settings);
}

fn url(world: &World, response_type: &str, extra: &[(&str, &str)]) -> String {
    let browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid profile User.Read", extra);
    url.replace("response_type=code", &format!("response_type={}", response_type.replace(' ', "+")))
}

async fn sign_in(world: &World, url: &str) -> Page {
    let mut browser = world.browser();
    let page = browser.get(url).await;
    let mut page = browser.sign_in(page, "carol@contoso.test").await;
    if page.text.contains("value=\"accept\"") {
        page = browser.press(&page, "accept", &[]).await;
    }
    if page.text.contains("value=\"stay_no\"") {
        page = browser.press(&page, "stay_no", &[]).await;
    }
    page
}

/// What stands behind the `#` of where the browser was sent.
fn fragment(page: &Page) -> BTreeMap<String, String> {
    let left = page.left_to.as_deref().unwrap();
    let (address, fragment) = left.split_once('#').unwrap();
    assert!(!address.contains("token") && !address.contains("code"), "{left}");
    url::form_urlencoded::parse(fragment.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn nothing_but_a_code_is_handed_out_unless_the_application_says_so() {
    let world = World::new().await;
    for (asked, code) in [
        ("id_token", "700054"),
        ("code id_token", "700054"),
        ("id_token token", "700054"),
        ("token", "70005"),
    ] {
        let page = world.browser().get(&url(&world, asked, &[])).await;
        let fields = fragment(&page);
        assert_eq!(fields["error"], "unsupported_response_type", "{asked}");
        assert!(fields["error_description"].contains(&format!("AADSTS{code}")), "{asked}");
        assert_eq!(fields["state"], "a|state");
    }
    allow(&world, true, false).await;
    let page = world.browser().get(&url(&world, "id_token token", &[])).await;
    assert_eq!(fragment(&page)["error"], "unsupported_response_type");
}

#[tokio::test]
async fn an_id_token_comes_by_form_post_without_a_code() {
    let world = World::new().await;
    allow(&world, true, false).await;
    let page = sign_in(&world, &url(&world, "id_token", &[("response_mode", "form_post")])).await;
    let token = page.field("id_token").unwrap();
    assert!(page.field("code").is_none() && page.field("access_token").is_none());
    let token = claims(&token);
    let web = world.app(CONTOSO, "web").app_id.unwrap().to_string();
    assert_eq!((&token["aud"], &token["nonce"]), (&json!(web), &json!("a-nonce")));
    assert_eq!(token["oid"], json!(world.user("carol@contoso.test").id.unwrap().to_string()));
    assert_eq!((&token["c_hash"], &token["at_hash"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_hybrid_answer_ties_its_parts_together() {
    let world = World::new().await;
    allow(&world, true, true).await;
    let fields = fragment(&sign_in(&world, &url(&world, "code id_token token", &[])).await);
    let id_token = claims(&fields["id_token"]);
    assert_eq!(id_token["c_hash"], json!(half_hash(&fields["code"])));
    assert_eq!(id_token["at_hash"], json!(half_hash(&fields["access_token"])));
    assert_eq!(fields["token_type"], "Bearer");
    assert!(fields["expires_in"].parse::<u32>().unwrap() > 3_000);
    let me = world.graph(&fields["access_token"], "GET", "/v1.0/me", None).await;
    assert_eq!(me.status, 200, "{}", me.text);
    let redeemed = world.redeem(CONTOSO, world.app(CONTOSO, "web"), &fields["code"]).await;
    assert_eq!(redeemed.status, 200, "{}", redeemed.text);
}

#[tokio::test]
async fn r38_signing_out_ends_a_token_from_the_address_bar_too() {
    let world = World::new().await;
    allow(&world, true, true).await;
    let fields = fragment(&sign_in(&world, &url(&world, "id_token token", &[])).await);
    assert!(!fields.contains_key("code"));
    let admin = world.daemon_token(CONTOSO).await;
    let carol = format!("/v1.0/users/{}", world.user("carol@contoso.test").id.unwrap());
    let off = json!({ "accountEnabled": false });
    assert_eq!(world.graph(&admin, "PATCH", &carol, Some(off)).await.status, 204);
    assert_eq!(world.graph(&fields["access_token"], "GET", "/v1.0/me", None).await.status, 401);
}

#[tokio::test]
async fn tokens_never_travel_in_a_query_and_id_tokens_need_a_nonce() {
    let world = World::new().await;
    allow(&world, true, true).await;
    let page = world.browser().get(&url(&world, "id_token", &[("response_mode", "query")])).await;
    assert!(page.left_to.unwrap().contains("AADSTS70007"));
    let bare = url(&world, "id_token", &[]).replace("&nonce=a-nonce", "");
    let page = world.browser().get(&bare).await;
    assert!(fragment(&page)["error_description"].contains("AADSTS900144"));
    let page = world.browser().get(&url(&world, "nonsense", &[])).await;
    assert!(page.left_to.unwrap().contains("unsupported_response_type"));
}

#[tokio::test]
async fn a_silent_request_that_needs_a_person_says_so_in_words_of_the_authorization_endpoint() {
    let world = World::new().await;
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    browser.sign_in(page, "carol@contoso.test").await;
    // Signed in, but nobody agreed to the application yet.
    let url = url(&world, "code", &[("prompt", "none")]);
    let page = browser.get(&url).await;
    assert_eq!(page.parameter("error").as_deref(), Some("consent_required"), "{page:?}");
    assert_eq!(page.parameter("suberror").as_deref(), Some("consent_required"));
    assert_eq!(page.parameter("error_uri"), Some(format!("{BASE}/error?code=65001")));
    assert_eq!(page.parameter("state").as_deref(), Some("a|state"));
    // An application that only assigned people may use.
    let admin = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/servicePrincipals(appId='{}')", world.app(CONTOSO, "web").app_id.unwrap());
    let assigned = json!({ "appRoleAssignmentRequired": true });
    browser
        .code_for(CONTOSO, world.app(CONTOSO, "web"), "carol@contoso.test", "openid profile User.Read")
        .await;
    assert_eq!(world.graph(&admin, "PATCH", &path, Some(assigned)).await.status, 204);
    let page = browser.get(&url).await;
    assert_eq!(page.parameter("error").as_deref(), Some("access_denied"), "{page:?}");
}
