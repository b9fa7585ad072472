//! The password grant (facts: protocol §3): off unless it is wanted, and no way around what the sign-in page counts.

use domain::tenancy::tenant::OptionalGrants;
use domain::time::Span;
use serde_json::json;
use testkit::{Answer, BASE, CONTOSO, FABRIKAM, Setup, World, claims};

async fn world() -> World {
    World::with(Setup {
        grants: OptionalGrants { password: true, ..OptionalGrants::default() },
        ..Setup::default()
    })
    .await
}

async fn ask(world: &World, segment: &str, name: &str, password: &str, more: &[(&str, &str)]) -> Answer {
    let id = world.app(CONTOSO, "native").app_id.unwrap().to_string();
    let mut fields = vec![
        ("grant_type", "password"),
        ("client_id", id.as_str()),
        ("scope", "openid offline_access User.Read"),
        ("username", name),
        ("password", password),
        ("client_info", "1"),
    ];
    fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    fields.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    world.token(segment, &fields).await
}

fn password(world: &World, name: &str) -> String {
    world.user(name).password.clone().unwrap()
}

/// Carol agrees to what the desktop application asks.
async fn agree(world: &World, name: &str) {
    let scope = "openid offline_access User.Read";
    world.browser().code_for(CONTOSO, world.app(CONTOSO, "native"), name, scope).await;
}

#[tokio::test]
async fn a_right_password_gives_tokens_once_the_person_agreed() {
    let world = world().await;
    let right = password(&world, "carol@contoso.test");
    let refused = ask(&world, CONTOSO, "carol@contoso.test", &right, &[]).await;
    assert_eq!((refused.code(), &refused.json()["suberror"]), (65_001, &json!("consent_required")));
    agree(&world, "carol@contoso.test").await;
    for segment in [CONTOSO, "organizations"] {
        let answer = ask(&world, segment, "Carol@contoso.test", &right, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let tokens = answer.json();
        let carol = json!(world.user("carol@contoso.test").id.unwrap().to_string());
        assert_eq!(claims(tokens["id_token"].as_str().unwrap())["oid"], carol);
        assert!(tokens["client_info"].is_string());
        let me = world.graph(tokens["access_token"].as_str().unwrap(), "GET", "/v1.0/me", None).await;
        assert_eq!(me.status, 200);
        let id = world.app(CONTOSO, "native").app_id.unwrap().to_string();
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", id.as_str()),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ];
        assert_eq!(world.token(CONTOSO, &fields).await.status, 200);
    }
}

#[tokio::test]
async fn r33_the_grant_is_off_unless_it_is_wanted() {
    let world = World::new().await;
    let right = password(&world, "carol@contoso.test");
    for tried in [right.as_str(), "wrong"] {
        let answer = ask(&world, CONTOSO, "carol@contoso.test", tried, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, 53_003));
    }
}

#[tokio::test]
async fn r30_the_grant_has_one_shape_and_one_place() {
    let world = world().await;
    let right = password(&world, "carol@contoso.test");
    for (name, number) in [("username", 900_144), ("password", 900_144), ("scope", 900_144)] {
        let answer = ask(&world, CONTOSO, "carol@contoso.test", &right, &[(name, "")]).await;
        assert_eq!(answer.code(), number, "{name}");
    }
    for foreign in ["code", "device_code", "assertion", "refresh_token"] {
        let answer = ask(&world, CONTOSO, "carol@contoso.test", &right, &[(foreign, "x")]).await;
        assert_eq!(answer.code(), 90_023, "{foreign}");
    }
    let common = ask(&world, "common", "carol@contoso.test", &right, &[]).await;
    assert_eq!((common.status.as_u16(), common.code()), (400, 9_001_023));
    let nobody = ask(&world, "organizations", "x@nowhere.test", "y", &[]).await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (400, 50_034));
    let secret = ask(&world, CONTOSO, "carol@contoso.test", &right, &[("client_secret", "x")]).await;
    assert_eq!((secret.status.as_u16(), secret.code()), (401, 700_025));
}

#[tokio::test]
async fn wrong_passwords_count_as_at_the_page() {
    let world = world().await;
    agree(&world, "carol@contoso.test").await;
    let right = password(&world, "carol@contoso.test");
    let before = world.sign_in_counts(CONTOSO);
    for _ in 0..5 {
        let answer = ask(&world, CONTOSO, "carol@contoso.test", "wrong", &[]).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, 50_126));
        // Nobody learns who exists.
        assert_eq!(ask(&world, CONTOSO, "nobody@contoso.test", "wrong", &[]).await.code(), 50_126);
    }
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    let mut page = browser.press(&page, "next", &[("login", "carol@contoso.test")]).await;
    for _ in 0..5 {
        page = browser.press(&page, "signin", &[("password", "wrong")]).await;
    }
    assert_eq!(world.sign_in_counts(CONTOSO), (before.0, before.1 + 15));
    // Together that was too much, for the program and for the page.
    assert_eq!(ask(&world, CONTOSO, "carol@contoso.test", &right, &[]).await.code(), 50_053);
    let page = browser.press(&page, "signin", &[("password", &right)]).await;
    assert!(page.text.contains("too many wrong passwords"), "{}", page.text);
    world.advance(Span::minutes(15));
    assert_eq!(ask(&world, CONTOSO, "carol@contoso.test", &right, &[]).await.status, 200);
}

#[tokio::test]
async fn guests_and_stale_passwords_get_nothing() {
    let world = world().await;
    world.make_guest("bob@fabrikam.test").await;
    let bob = password(&world, "bob@fabrikam.test");
    let answer = ask(&world, CONTOSO, "bob@fabrikam.test", &bob, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, 50_034));
    // At home the client is unknown.
    assert_eq!(ask(&world, FABRIKAM, "bob@fabrikam.test", &bob, &[]).await.code(), 700_016);

    let admin = world.daemon_token(CONTOSO).await;
    let carol = format!("/v1.0/users/{}", world.user("carol@contoso.test").id.unwrap());
    let patch = |body| world.graph(&admin, "PATCH", &carol, Some(body));
    agree(&world, "carol@contoso.test").await;
    let profile =
        json!({ "passwordProfile": { "password": "A-new-one-1", "forceChangePasswordNextSignIn": true } });
    assert_eq!(patch(profile).await.status, 204);
    let answer = ask(&world, CONTOSO, "carol@contoso.test", "A-new-one-1", &[]).await;
    assert_eq!((answer.code(), &answer.json()["suberror"]), (50_055, &json!("user_password_expired")));
    assert_eq!(patch(json!({ "accountEnabled": false })).await.status, 204);
    assert_eq!(ask(&world, CONTOSO, "carol@contoso.test", "A-new-one-1", &[]).await.code(), 50_057);
    assert_eq!(ask(&world, CONTOSO, "carol@contoso.test", "wrong", &[]).await.code(), 50_126);
}

#[tokio::test]
async fn r38_switching_the_grant_off_ends_what_came_by_it() {
    let world = world().await;
    agree(&world, "carol@contoso.test").await;
    let right = password(&world, "carol@contoso.test");
    let tokens = ask(&world, CONTOSO, "carol@contoso.test", &right, &[]).await.json();
    let id = world.app(CONTOSO, "native").app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(world.token(CONTOSO, &fields).await.status, 200);
    world.set(CONTOSO, |settings| settings.allows_password_grant = Some(false)).await;
    let refused = world.token(CONTOSO, &fields).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, 53_003));
}
