//! A tenant's colour, logo and text: set through Graph by its administrator, shown on its sign-in pages and no other's.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, FABRIKAM, World};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\xf5\0\0\0\x24\x08\x06\0\0\0";
const JPEG: &[u8] = b"\xff\xd8\xff\xc0\0\x11\x08\0\x24\0\xf5\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xd9";

/// Alice of Contoso, with leave to change the branding.
async fn admin(world: &World) -> String {
    token(world, "alice@contoso.test", "openid OrganizationalBranding.ReadWrite.All").await
}

async fn token(world: &World, name: &str, scope: &str) -> String {
    let tokens = world.sign_in(CONTOSO, "web", name, scope).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

fn place(world: &World, domain: &str) -> String {
    format!("/v1.0/organization/{}/branding", world.tenant_id(domain))
}

async fn put(world: &World, token: &str, path: &str, kind: &str, bytes: &[u8]) -> Answer {
    let request = Request::put(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, kind);
    world.send(request.body(Body::from(bytes.to_vec())).unwrap()).await
}

/// The newest records of changed or refused branding: `None` for success.
fn records(world: &World, domain: &str) -> Vec<Option<String>> {
    let tenant = world.service.store().tenant(world.tenant_id(domain));
    let records = tenant.read(|tx| tx.recent_directory_records(100)).unwrap();
    let ours = records.into_iter().filter(|(activity, _)| activity == "Update company branding");
    ours.map(|(_, refusal)| refusal).collect()
}

/// The first page of a sign-in, and where its style and logo are.
async fn sign_in_page(world: &World, domain: &str) -> (String, Option<String>, Option<String>) {
    let mut browser = world.browser();
    let url = browser.authorize_url(domain, world.app(domain, "web"), "openid", &[]);
    let page = browser.get(&url).await.text;
    let address = |end: &str| {
        let start = format!("/assets/tenant/{}{end}", world.tenant_id(domain));
        let rest = page.get(page.find(&start)?..)?;
        rest.split_once('"').map(|(address, _)| address.to_owned())
    };
    let (style, logo) = (address(".css"), address("/logo"));
    (page, style, logo)
}

#[tokio::test]
async fn what_an_administrator_sets_is_on_the_tenants_pages_at_once_and_on_no_others() {
    let world = World::new().await;
    let (token, place) = (admin(&world).await, place(&world, CONTOSO));
    let (before, old_style, none) = sign_in_page(&world, CONTOSO).await;
    assert!(none.is_none() && !before.contains("class=\"logo\""));

    let text = "Trouble? <b>Call</b> 555-0100";
    let change = json!({ "backgroundColor": "#FFD000", "signInPageText": text });
    let answer = world.graph(&token, "PATCH", &place, Some(change)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    // What SDKs send: they do not know the type of a stream.
    let logo = format!("{place}/localizations/0/bannerLogo");
    let answer = put(&world, &token, &logo, "application/octet-stream", PNG).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(records(&world, CONTOSO), [None, None]);

    let (page, style, shown) = sign_in_page(&world, CONTOSO).await;
    assert!(page.contains("Trouble? &#60;b&#62;Call&#60;/b&#62; 555-0100"), "{page}");
    let (style, shown) = (style.unwrap(), shown.unwrap());
    assert_ne!(Some(&style), old_style.as_ref(), "the browser would show the old colour for an hour");
    let css = world.get(&style).await;
    assert!(css.text.contains("--accent:#ffd000;--accent-ink:#000000"), "{}", css.text);
    let picture = world.get(&shown).await;
    assert_eq!(picture.text, String::from_utf8_lossy(PNG));
    assert_eq!(picture.headers[header::CONTENT_TYPE], "image/png");
    assert_eq!(picture.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(picture.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("sandbox"));

    let (other, _, nothing) = sign_in_page(&world, FABRIKAM).await;
    assert!(nothing.is_none() && !other.contains("555-0100"));
    let missing = format!("/assets/tenant/{}/logo", world.tenant_id(FABRIKAM));
    assert_eq!(world.get(&missing).await.status, 404);

    // Another picture has another address; after the last one is gone the page is as it was.
    assert_eq!(put(&world, &token, &format!("{place}/bannerLogo"), "image/jpeg", JPEG).await.status, 204);
    let changed = sign_in_page(&world, CONTOSO).await.2.unwrap();
    assert_ne!(changed, shown);
    assert_eq!(world.get(&changed).await.headers[header::CONTENT_TYPE], "image/jpeg");
    for _ in 0..2 {
        assert_eq!(world.graph(&token, "DELETE", &logo, None).await.status, 204);
    }
    let change = json!({ "backgroundColor": null, "signInPageText": " " });
    assert_eq!(world.graph(&token, "PATCH", &place, Some(change)).await.status, 204);
    let (page, style, shown) = sign_in_page(&world, CONTOSO).await;
    assert!(style.is_none() && shown.is_none() && !page.contains("555-0100"));
}

#[tokio::test]
async fn branding_is_read_as_graph_documents_it() {
    let world = World::new().await;
    let (token, place) = (admin(&world).await, place(&world, CONTOSO));
    let get = async |path: &str| world.graph(&token, "GET", path, None).await;
    let logo = format!("{place}/localizations/default/bannerLogo");
    // Without a picture an empty answer, while there is other branding.
    let empty = get(&logo).await;
    assert_eq!((empty.status.as_u16(), empty.text.as_str()), (200, ""));
    put(&world, &token, &format!("{place}/bannerLogo"), "image/*", PNG).await;
    let found = get(&logo).await;
    assert_eq!(found.headers[header::CONTENT_TYPE], "image/png");
    assert_eq!(found.text, String::from_utf8_lossy(PNG));

    let branding = get(&place).await.json();
    assert_eq!(branding["@odata.context"], "https://localhost:8443/v1.0/$metadata#branding");
    assert_eq!((&branding["id"], &branding["backgroundColor"]), (&json!("0"), &json!("#0f5c8a")));
    // As clients join them: a network, a slash, the address.
    assert_eq!(branding["cdnList"], json!(["localhost:8443"]));
    let address = format!("/{}", branding["bannerLogoRelativeUrl"].as_str().unwrap());
    assert_eq!(world.get(&address).await.text, String::from_utf8_lossy(PNG));
    let selected = get(&format!("{place}?$select=backgroundColor")).await.json();
    assert_eq!((&selected["backgroundColor"], &selected["id"]), (&json!("#0f5c8a"), &Value::Null));

    world.graph(&token, "PATCH", &place, Some(json!({ "backgroundColor": "" }))).await;
    world.graph(&token, "DELETE", &logo, None).await;
    for path in [&place, &logo] {
        let none = get(path).await;
        assert_eq!(none.status, 404);
        assert_eq!(none.json()["error"]["code"], "Request_ResourceNotFound");
    }
}

#[tokio::test]
async fn what_is_no_small_picture_is_refused_with_what_is_accepted() {
    let world = World::new().await;
    let (token, place) = (admin(&world).await, place(&world, CONTOSO));
    let logo = format!("{place}/bannerLogo");
    let heavy = |size: usize| {
        let mut bytes = PNG.to_vec();
        bytes.resize(size, 0);
        bytes
    };
    let mut wide = PNG.to_vec();
    wide[19] = 0xf6;
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>".to_vec();
    for (kind, bytes, status, words) in [
        ("image/svg+xml", svg, 400, "PNG or JPEG"),
        ("image/png", b"<script>alert(1)</script>".to_vec(), 400, "PNG or JPEG"),
        ("application/json", b"{}".to_vec(), 400, "PNG or JPEG"),
        ("image/png", wide, 400, "245 pixels wide and 36 pixels high"),
        ("image/png", heavy(50 * 1024 + 1), 413, "50 KB"),
        ("image/png", heavy(1024 * 1024 + 1), 413, "1 MiB"),
    ] {
        let answer = put(&world, &token, &logo, kind, &bytes).await;
        assert_eq!(answer.status, status, "{words}");
        assert_eq!(answer.json()["error"]["code"], "Request_BadRequest");
        assert!(answer.text.contains(words), "{}", answer.text);
    }
    for (body, words) in [
        (json!({ "backgroundColor": "red;}*{display:none" }), "hexadecimal"),
        (json!({ "backgroundColor": 7 }), "wrong type"),
        (json!({ "signInPageText": "x".repeat(1025) }), "1024"),
        (json!({ "backgroundColor": "#000000", "bannerLogoRelativeUrl": "x" }), "bannerLogoRelativeUrl"),
    ] {
        let answer = world.graph(&token, "PATCH", &place, Some(body)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text.contains(words), "{}", answer.text);
    }
    let (_, style, shown) = sign_in_page(&world, CONTOSO).await;
    assert!(style.unwrap().ends_with("?v=0f5c8a") && shown.is_none());
    // Every refused change is recorded; what reads as no change at all is recorded by its address.
    let records: Vec<String> = records(&world, CONTOSO).into_iter().flatten().collect();
    let unknown = "logoTypeUnknown";
    assert_eq!(
        records,
        ["textInvalid", "colorInvalid", "logoTooHeavy", "logoTooLarge", unknown, unknown, unknown]
    );
}

#[tokio::test]
async fn r24_only_a_global_administrator_of_the_tenant_sets_branding() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    // The permission is there for everyone; the right is not.
    let everyone = "openid OrganizationalBranding.ReadWrite.All";
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), everyone, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let own = place(&world, CONTOSO);
    for (token, place, status) in [
        (token(&world, "bob@fabrikam.test", everyone).await, &own, 403),
        (token(&world, "carol@contoso.test", everyone).await, &own, 403),
        (token(&world, "carol@contoso.test", "openid User.Read").await, &own, 403),
        (world.daemon_token(FABRIKAM).await, &own, 404),
        (admin(&world).await, &place(&world, FABRIKAM), 404),
    ] {
        let logo = format!("{place}/bannerLogo");
        let color = Some(json!({ "backgroundColor": "#000000" }));
        for answer in [
            world.graph(&token, "PATCH", place, color).await,
            put(&world, &token, &logo, "image/png", PNG).await,
            world.graph(&token, "DELETE", &logo, None).await,
        ] {
            assert_eq!(answer.status, status, "{}", answer.text);
        }
    }
    let refused = records(&world, CONTOSO).into_iter().filter(|refusal| refusal.is_some()).count();
    assert_eq!(refused, 9);
    for domain in [CONTOSO, FABRIKAM] {
        let (_, style, shown) = sign_in_page(&world, domain).await;
        assert!(style.is_some() && shown.is_none());
    }
    // Reading is for all: everybody sees it at the sign-in page.
    let guest = token(&world, "bob@fabrikam.test", "openid User.Read").await;
    assert_eq!(world.graph(&guest, "GET", &own, None).await.status, 200);
}
