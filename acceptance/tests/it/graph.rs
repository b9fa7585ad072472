//! What Graph's clients rely on, beyond what the real clients in `clients/` show.

use serde_json::{Value, json};
use testkit::{CONTOSO, World};

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

/// Checks a value against a type of the contract.
fn fits(value: &Value, kind: &str, types: &Value) -> bool {
    let (kind, is_required) = match kind.strip_suffix(" !") {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    if value.is_null() {
        return !is_required;
    }
    if let Some(item) = kind.strip_prefix("Collection(").and_then(|kind| kind.strip_suffix(')')) {
        return value.as_array().is_some_and(|items| items.iter().all(|value| fits(value, item, types)));
    }
    match kind {
        "Edm.String" | "Edm.Guid" => value.is_string(),
        "Edm.DateTimeOffset" => {
            value.as_str().is_some_and(|text| standards::time::parse_rfc3339(text).is_some())
        }
        "Edm.Boolean" => value.is_boolean(),
        "Edm.Int32" => value.is_i64(),
        complex => match &types[complex]["kind"] {
            Value::String(kind) if kind == "enum" => value.is_string(),
            _ => check(value, complex, types).is_ok(),
        },
    }
}

fn check(value: &Value, kind: &str, types: &Value) -> Result<(), String> {
    let object = value.as_object().ok_or("no object")?;
    for (name, value) in object.iter().filter(|(name, _)| !name.starts_with('@')) {
        let mut at = Some(kind.to_owned());
        let mut found = None;
        while let Some(kind) = at {
            let definition = &types[&kind];
            found = found.or(definition["properties"][name].as_str().map(str::to_owned));
            found = found.or(definition["navigation"][name].as_str().map(|_| "any".to_owned()));
            at = definition["base"].as_str().map(str::to_owned);
        }
        match found.as_deref() {
            Some("any") => {}
            None if name == "id" => {}
            None => return Err(format!("{kind} has no property {name}")),
            Some(known) if !fits(value, known, types) => {
                return Err(format!("{kind}.{name} is {value}, not {known}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_has_the_types_of_the_contract() {
    let types: Value = serde_json::from_str(include_str!("../graph-contract.json")).unwrap();
    let types = &types["types"];
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let invitation = world.invite(CONTOSO, "bob@fabrikam.test").await;
    check(&invitation, "invitation", types).unwrap();
    let everything = "businessPhones,displayName,givenName,id,jobTitle,mail,mobilePhone,officeLocation,preferredLanguage,surname,\
        userPrincipalName,accountEnabled,createdDateTime,creationType,deletedDateTime,department,externalUserState,\
        externalUserStateChangeDateTime,identities,lastPasswordChangeDateTime,mailNickname,otherMails,proxyAddresses,\
        showInAddressList,signInSessionsValidFromDateTime,userType,usageLocation";
    for (path, kind) in [
        (format!("/v1.0/users?$select={everything}"), "user"),
        ("/v1.0/users".to_owned(), "user"),
        ("/v1.0/organization".to_owned(), "organization"),
        ("/v1.0/domains".to_owned(), "domain"),
        ("/v1.0/applications".to_owned(), "application"),
        ("/v1.0/servicePrincipals".to_owned(), "servicePrincipal"),
    ] {
        let answer = world.graph(&token, "GET", &path, None).await;
        let values = answer.json()["value"].as_array().cloned().unwrap();
        assert!(!values.is_empty(), "{path}");
        for value in values {
            check(&value, kind, types).unwrap_or_else(|error| panic!("{path}: {error}"));
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
