//! What Graph's clients rely on, beyond what the real clients in `clients/` show.

use serde_json::{Value, json};
use testkit::{BASE, CONTOSO, World};

async fn add_users(world: &World, token: &str, count: usize) {
    for index in 0..count {
        let body = json!({ "accountEnabled": index % 2 == 0, "displayName": format!("Person {index:03}"), "mailNickname": format!("p{index}"),
            "userPrincipalName": format!("p{index}@contoso.test"), "jobTitle": if index < 3 { "Chief" } else { "Worker" },
            "passwordProfile": { "password": "Passw0rd-1", "forceChangePasswordNextSignIn": false } });
        let answer = world.graph(token, "POST", "/v1.0/users", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_double() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    add_users(&world, &token, 7).await;
    let mut seen: Vec<String> = Vec::new();
    let mut next = Some("/v1.0/users?$top=3&$select=id".to_owned());
    while let Some(path) = next {
        let page = world.graph(&token, "GET", &path, None).await.json();
        seen.extend(
            page["value"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()),
        );
        next = page["@odata.nextLink"].as_str().map(|link| link.trim_start_matches(testkit::BASE).to_owned());
    }
    let total = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), total), (10, 10));
}

#[tokio::test]
async fn a_skip_token_of_another_query_or_making_is_refused() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    add_users(&world, &token, 2).await;
    let page = world.graph(&token, "GET", "/v1.0/users?$top=1", None).await.json();
    let link = page["@odata.nextLink"].as_str().unwrap();
    let skip = link.split_once("skiptoken=").unwrap().1;
    for path in [
        format!("/v1.0/users?$top=2&$skiptoken={skip}"),
        format!("/v1.0/applications?$top=1&$skiptoken={skip}"),
        "/v1.0/users?$top=1&$skiptoken=AAAA".to_owned(),
        format!("/v1.0/users?$top=1&$skiptoken={skip}AA"),
    ] {
        assert_eq!(world.graph(&token, "GET", &path, None).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    add_users(&world, &token, 5).await;
    world.invite(CONTOSO, "bob@fabrikam.test").await;
    for (filter, count) in [
        ("startswith(displayName,'person')", 5),
        ("displayName eq 'PERSON 001'", 1),
        ("userType eq 'Guest'", 1),
        ("externalUserState eq 'PendingAcceptance'", 1),
        ("jobTitle in ('Chief','Nobody')", 3),
        ("accountEnabled eq false", 2),
        ("jobTitle eq 'Worker' and accountEnabled eq true", 1),
        ("mail eq 'bob@fabrikam.test' or userPrincipalName eq 'p1@contoso.test'", 2),
        ("otherMails/any(m:m eq 'bob@fabrikam.test')", 1),
        ("identities/any(c:c/issuerAssignedId eq 'p1@contoso.test' and c/issuer eq 'contoso.test')", 1),
        ("creationType eq 'Invitation'", 1),
        ("startsWith(displayName,'%')", 0),
    ] {
        let encoded: String = filter.replace(' ', "%20");
        let answer = world.graph(&token, "GET", &format!("/v1.0/users?$filter={encoded}"), None).await;
        let found = answer.json()["value"].as_array().map(Vec::len);
        assert_eq!(found, Some(count), "{filter}: {}", answer.text);
    }
}

/// The kit looks at the types of every answer, in every test; here is what is only shown when it is asked for.
#[tokio::test]
async fn every_property_has_the_type_of_the_contract() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let everything = "businessPhones,displayName,givenName,id,jobTitle,mail,mobilePhone,officeLocation,preferredLanguage,surname,\
        userPrincipalName,accountEnabled,createdDateTime,creationType,deletedDateTime,department,externalUserState,\
        externalUserStateChangeDateTime,identities,lastPasswordChangeDateTime,mailNickname,otherMails,proxyAddresses,\
        showInAddressList,signInSessionsValidFromDateTime,userType,usageLocation";
    for path in ["/v1.0/users".to_owned(), format!("/v1.0/users/{guest}")] {
        let answer = world.graph(&token, "GET", &format!("{path}?$select={everything}"), None).await.json();
        let seen = answer["value"].as_array().map_or(&answer, |users| &users[0]);
        for name in everything.split(',') {
            assert!(seen.get(name).is_some(), "{path} does not show {name}: {answer}");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_refused_write_stays() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    add_users(&world, &token, 1).await;
    for (body, hint) in [
        (json!({ "displayName": "X", "externalUserState": "Accepted" }), "read-only"),
        (json!({ "displayName": "X", "magic": 1 }), "magic"),
        (json!({ "displayName": "X", "userPrincipalName": "carol@contoso.test" }), "already exists"),
        (json!({ "displayName": "X", "userPrincipalName": "p0@elsewhere.test" }), "userPrincipalName"),
        (json!({ "displayName": "X", "passwordProfile": { "password": "short" } }), "password"),
    ] {
        let answer = world.graph(&token, "PATCH", "/v1.0/users/p0@contoso.test", Some(body)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(hint), "{}", answer.text);
    }
    let user = world.graph(&token, "GET", "/v1.0/users/p0@contoso.test", None).await.json();
    assert_eq!(user["displayName"], "Person 000");
}

#[tokio::test]
async fn what_a_tenant_writes_about_a_service_principal_is_its_own() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let app_id = world.app(CONTOSO, "web").app_id.unwrap();
    let path = format!("/v1.0/servicePrincipals(appId='{app_id}')");
    let patch = |body: Value| world.graph(&token, "PATCH", &path, Some(body));
    let seen = async || {
        let found = world.graph(&token, "GET", &path, None).await.json();
        ["alternativeNames", "description", "loginUrl", "notes"].map(|name| found[name].clone())
    };
    assert_eq!(seen().await, [json!([]), Value::Null, Value::Null, Value::Null]);
    let written = json!({ "alternativeNames": ["a"], "description": "Orders of\nall", "loginUrl": "https://orders.test/start",
        "notes": "n" });
    assert_eq!(patch(written).await.status, 204);
    let all = [json!(["a"]), json!("Orders of\nall"), json!("https://orders.test/start"), json!("n")];
    assert_eq!(seen().await, all);
    // My Apps shows it and leads there.
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps?tenant={}", world.tenant_id(CONTOSO))).await;
    let page = browser.sign_in(page, "carol@contoso.test").await;
    assert!(
        page.text.contains("href=\"https://orders.test/start\"") && page.text.contains("Orders of"),
        "{page:?}"
    );

    for (name, bad) in [
        ("loginUrl", json!("javascript:alert(1)")),
        ("loginUrl", json!("/start")),
        ("notes", json!("x".repeat(1_025))),
        ("description", json!(7)),
        ("alternativeNames", json!([""])),
    ] {
        let refused = patch(json!({ name: bad })).await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
        assert!(refused.text.contains(name), "{}", refused.text);
    }
    assert_eq!(seen().await, all);
    let nothing = json!({ "alternativeNames": [], "description": null, "loginUrl": "", "notes": null });
    assert_eq!(patch(nothing).await.status, 204);
    assert_eq!(seen().await, [json!([]), Value::Null, Value::Null, Value::Null]);

    // It may come with the service principal.
    let app =
        world.graph(&token, "POST", "/v1.0/applications", Some(json!({ "displayName": "App" }))).await.json();
    let body = json!({ "appId": app["appId"], "notes": "first" });
    let made = world.graph(&token, "POST", "/v1.0/servicePrincipals", Some(body)).await;
    assert_eq!((made.status.as_u16(), &made.json()["notes"]), (201, &json!("first")));
}
