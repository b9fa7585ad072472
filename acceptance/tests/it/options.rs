//! Query options: one that an address does not act on is refused, never ignored.

use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, World};

const OPTIONS: &[(&str, &str)] = &[
    ("$count", "true"),
    ("$expand", "manager"),
    ("$filter", "id%20eq%20'1'"),
    ("$orderby", "id"),
    ("$search", "%22displayName:a%22"),
    ("$select", "id"),
    ("$top", "1"),
];

fn code(answer: &Answer) -> Value {
    answer.json()["error"]["code"].clone()
}

#[tokio::test]
async fn options_are_served_or_refused() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let get = async |path: &str| world.graph(&token, "GET", path, None).await;
    let deleted =
        world.graph(&token, "POST", "/v1.0/applications", Some(json!({ "displayName": "Old" }))).await.json();
    let deleted = deleted["id"].as_str().unwrap();
    let gone = world.graph(&token, "DELETE", &format!("/v1.0/applications/{deleted}"), None).await;
    assert_eq!(gone.status, 204);
    let (dave, tenant) = (world.user("dave@contoso.test").id.unwrap(), world.tenant_id(CONTOSO));
    assert_eq!(world.graph(&token, "DELETE", &format!("/v1.0/users/{dave}"), None).await.status, 204);
    let app = world.app(CONTOSO, "web").app_id.unwrap();
    for (path, served) in [
        ("/v1.0/users/carol@contoso.test".to_owned(), &["$expand", "$select"][..]),
        ("/v1.0/users/carol@contoso.test/sponsors".to_owned(), &["$select"]),
        ("/v1.0/organization".to_owned(), &["$select"]),
        (format!("/v1.0/organization/{tenant}"), &["$select"]),
        (format!("/v1.0/organization/{tenant}/branding"), &["$select"]),
        (format!("/v1.0/organization/{tenant}/branding/bannerLogo"), &[]),
        ("/v1.0/domains".to_owned(), &["$select"]),
        ("/v1.0/domains/contoso.test".to_owned(), &["$select"]),
        (format!("/v1.0/applications(appId='{app}')"), &["$select"]),
        (format!("/v1.0/servicePrincipals(appId='{app}')"), &["$select"]),
        (format!("/v1.0/servicePrincipals(appId='{app}')/appRoleAssignments"), &["$select", "$top"]),
        (format!("/v1.0/servicePrincipals(appId='{app}')/appRoleAssignedTo"), &["$select", "$top"]),
        (format!("/v1.0/directory/deletedItems/{dave}"), &["$select"]),
        (format!("/v1.0/directory/deletedItems/{deleted}"), &["$select"]),
    ] {
        assert_eq!(get(&path).await.status, 200, "{path}");
        for (option, value) in OPTIONS {
            let answer = get(&format!("{path}?{option}={value}")).await;
            let is_served = served.contains(option);
            assert_eq!(answer.status, if is_served { 200 } else { 400 }, "{path}?{option}: {}", answer.text);
            assert!(
                is_served || code(&answer) == "Request_UnsupportedQuery",
                "{path}?{option}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn a_selection_shows_what_it_names_and_an_unknown_name_is_refused() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let made =
        world.graph(&token, "POST", "/v1.0/applications", Some(json!({ "displayName": "Old" }))).await.json();
    let path = format!("/v1.0/applications/{}", made["id"].as_str().unwrap());
    assert_eq!(world.graph(&token, "DELETE", &path, None).await.status, 204);
    for path in [
        "/v1.0/organization".to_owned(),
        format!("/v1.0/organization/{}", world.tenant_id(CONTOSO)),
        "/v1.0/domains".to_owned(),
        "/v1.0/domains/contoso.test".to_owned(),
        "/v1.0/directory/deletedItems/microsoft.graph.application".to_owned(),
        format!("/v1.0/directory/deletedItems/{}", made["id"].as_str().unwrap()),
    ] {
        let found = world.graph(&token, "GET", &format!("{path}?$select=id"), None).await.json();
        let thing = found["value"].as_array().map_or(&found, |things| &things[0]);
        let names = thing.as_object().unwrap().keys().filter(|name| !name.starts_with('@'));
        assert_eq!(names.collect::<Vec<_>>(), ["id"], "{path}");
        let refused = world.graph(&token, "GET", &format!("{path}?$select=id,magic"), None).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (400, json!("Request_BadRequest")), "{path}");
    }
}

#[tokio::test]
async fn r23_what_a_guest_may_not_see_of_the_organization_is_left_out_of_a_selection() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let tokens = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid User.Read").await;
    let token = tokens["access_token"].as_str().unwrap();
    let path = "/v1.0/organization?$select=displayName,createdDateTime,technicalNotificationMails";
    let found = world.graph(token, "GET", path, None).await.json();
    assert_eq!(found["value"], json!([{ "displayName": "Contoso" }]));
}
