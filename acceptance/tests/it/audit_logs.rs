//! The sign-in log and the directory's, read through Graph.

use domain::time::Span;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::{CONTOSO, FABRIKAM, World};

const SIGN_INS: &str = "/v1.0/auditLogs/signIns";
const AUDITS: &str = "/v1.0/auditLogs/directoryAudits";

async fn get(world: &World, token: &str, path: &str, filter: &str) -> Value {
    let filter = filter.replace(' ', "%20");
    let joint = if filter.is_empty() { String::new() } else { format!("?$filter={filter}") };
    let answer = world.graph(token, "GET", &format!("{path}{joint}"), None).await;
    assert_eq!(answer.status, 200, "{path} {filter}: {}", answer.text);
    answer.json()
}

fn items(list: &Value) -> &Vec<Value> {
    list["value"].as_array().unwrap()
}

#[tokio::test]
async fn sign_ins_are_found_by_person_application_outcome_and_time() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let dave = world.user("dave@contoso.test").id.unwrap().to_string();
    let web = world.app(CONTOSO, "web").app_id.unwrap().to_string();
    world.advance(Span::minutes(1));
    world.sign_in(CONTOSO, "web", "dave@contoso.test", "User.Read").await;
    world.advance(Span::minutes(1));
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "User.Read", &[]);
    let page = browser.get(&url).await;
    let page = browser.press(&page, "next", &[("login", "dave@contoso.test")]).await;
    browser.press(&page, "signin", &[("password", "wrong")]).await;

    let own = get(&world, &token, SIGN_INS, &format!("userId eq '{dave}' and appId eq '{web}'")).await;
    let own = items(&own);
    assert!(own.len() >= 3, "{own:?}");
    // The newest first, with the reason of its refusal.
    assert_eq!(own[0]["status"]["errorCode"], 50_126, "{}", own[0]);
    assert!(own[0]["status"]["additionalDetails"].as_str().unwrap().contains("password"), "{}", own[0]);
    for sign_in in own {
        assert_eq!(sign_in["userPrincipalName"], "dave@contoso.test");
        assert_eq!(sign_in["appDisplayName"], "Contoso Web");
    }
    let refused = get(&world, &token, SIGN_INS, "status/errorCode eq 50126").await;
    assert_eq!(items(&refused).len(), 1);
    let one = format!("{SIGN_INS}/{}", own[0]["id"].as_str().unwrap());
    assert_eq!(get(&world, &token, &one, "").await["status"], own[0]["status"]);
    let correlation = own[1]["correlationId"].as_str().unwrap();
    let found = get(&world, &token, SIGN_INS, &format!("correlationId eq '{correlation}'")).await;
    assert!(items(&found).iter().any(|sign_in| sign_in["id"] == own[1]["id"]));
    let at = own[0]["createdDateTime"].as_str().unwrap();
    let since = get(&world, &token, SIGN_INS, &format!("createdDateTime ge {at}")).await;
    assert_eq!(items(&since)[0]["id"], own[0]["id"]);
    let before =
        get(&world, &token, SIGN_INS, &format!("userId eq '{dave}' and createdDateTime lt {at}")).await;
    assert_eq!(items(&before).len(), own.len() - 1);
    // The application's own token is there, too, and is nobody's.
    let daemon = world.app(CONTOSO, "daemon").app_id.unwrap();
    let daemons = get(&world, &token, SIGN_INS, &format!("appId eq '{daemon}'")).await;
    let daemons = &items(&daemons)[0];
    assert_eq!((&daemons["isInteractive"], &daemons["status"]["errorCode"]), (&json!(false), &json!(0)));
    assert!(daemons["servicePrincipalId"].is_string());

    for refused in [
        "$filter=ipAddress%20eq%20'x'",
        "$orderby=userId",
        "$filter=createdDateTime%20ge%20yesterday",
        "$search=%22x%22",
    ] {
        let answer = world.graph(&token, "GET", &format!("{SIGN_INS}?{refused}"), None).await;
        assert_eq!(answer.status, 400, "{refused}: {}", answer.text);
    }
}

#[tokio::test]
async fn pages_of_a_log_follow_each_other_in_both_directions() {
    let world = World::new().await;
    for _ in 0..4 {
        world.daemon_token(CONTOSO).await;
    }
    let token = world.daemon_token(CONTOSO).await;
    let mut seen = Vec::new();
    for direction in ["desc", "asc"] {
        let mut found = Vec::new();
        let mut next = Some(format!("{SIGN_INS}?$top=2&$orderby=createdDateTime%20{direction}"));
        while let Some(path) = next {
            let page = world.graph(&token, "GET", &path, None).await.json();
            found.extend(items(&page).iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            next = page["@odata.nextLink"]
                .as_str()
                .map(|link| link.trim_start_matches(testkit::BASE).to_owned());
        }
        seen.push(found);
    }
    seen[1].reverse();
    assert_eq!(seen[0], seen[1]);
    // Records of one moment are told apart.
    assert_eq!(seen[0].iter().collect::<BTreeSet<_>>().len(), seen[0].len());
    assert!(seen[0].len() >= 5);
}

#[tokio::test]
async fn changes_are_found_with_who_made_them_and_why_they_were_refused() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let group =
        json!({ "displayName": "G", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true });
    let group = world.graph(&token, "POST", "/v1.0/groups", Some(group)).await.json();
    let group = group["id"].as_str().unwrap();
    let circle = json!({ "@odata.id": format!("/v1.0/groups/{group}") });
    let path = format!("/v1.0/groups/{group}/members/$ref");
    assert_eq!(world.graph(&token, "POST", &path, Some(circle)).await.status, 400);

    let about = format!("targetResources/any(t:t/id eq '{group}')");
    let made = get(&world, &token, AUDITS, &format!("{about} and activityDisplayName eq 'Add group'")).await;
    let made = &items(&made)[0];
    assert_eq!((&made["result"], &made["resultReason"]), (&json!("success"), &json!("")));
    assert_eq!(made["initiatedBy"]["app"]["displayName"], "Contoso Daemon");
    assert_eq!(made["targetResources"][0]["displayName"], "G");
    let refused = get(&world, &token, AUDITS, &format!("{about} and result eq 'failure'")).await;
    let refused = items(&refused);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0]["resultReason"].as_str().unwrap().starts_with("linkNotAllowed"), "{}", refused[0]);
    let one = get(&world, &token, &format!("{AUDITS}/{}", made["id"].as_str().unwrap()), "").await;
    assert_eq!(one["activityDateTime"], made["activityDateTime"]);
    let daemon = world.app(CONTOSO, "daemon").app_id.unwrap();
    let by = get(&world, &token, AUDITS, &format!("initiatedBy/app/appId eq '{daemon}'")).await;
    assert!(items(&by).iter().any(|audit| audit["id"] == made["id"]));
    let category = get(&world, &token, AUDITS, "category eq 'GroupManagement'").await;
    assert_eq!(items(&category).len(), 2);
}

#[tokio::test]
async fn a_change_tells_what_became_another_and_no_secret() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let ask = async |method: &str, path: &str, body: Value| {
        let answer = world.graph(&token, method, path, Some(body)).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    };
    // What the newest record about an object tells.
    let told = async |id: &str, activity: &str| {
        let filter = format!("targetResources/any(t:t/id eq '{id}') and activityDisplayName eq '{activity}'");
        let found = get(&world, &token, AUDITS, &filter).await;
        let found = items(&found)[0]["targetResources"][0]["modifiedProperties"].clone();
        let part = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
        let one =
            |one: &Value| (part(one, "displayName").unwrap(), part(one, "oldValue"), part(one, "newValue"));
        found.as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let told_as = |name: &str, before: Option<&str>, after: Option<&str>| {
        (name.to_owned(), before.map(str::to_owned), after.map(str::to_owned))
    };
    let dave = world.user("dave@contoso.test").id.unwrap().to_string();
    let path = format!("/v1.0/users/{dave}");
    ask("PATCH", &path, json!({ "jobTitle": "Clerk", "otherMails": ["d@home.test"] })).await;
    world.advance(Span::minutes(1));
    let second = json!({ "jobTitle": null, "city": "K\u{f6}ln", "passwordProfile": { "password": "Correct-Horse-9" } });
    ask("PATCH", &path, second).await;
    let expected = [
        told_as("city", None, Some("\"K\u{f6}ln\"")),
        told_as("jobTitle", Some("\"Clerk\""), None),
        told_as("passwordProfile", None, None),
    ];
    assert_eq!(told(&dave, "Update user").await, expected);
    world.advance(Span::minutes(1));
    ask("PATCH", &path, json!({ "otherMails": [], "accountEnabled": false })).await;
    let expected = [
        told_as("accountEnabled", Some("true"), Some("false")),
        told_as("otherMails", Some("[\"d@home.test\"]"), Some("[]")),
    ];
    assert_eq!(told(&dave, "Update user").await, expected);
    // What is refused changes nothing.
    world.advance(Span::minutes(1));
    let taken = json!({ "userPrincipalName": "carol@contoso.test" });
    assert_eq!(world.graph(&token, "PATCH", &path, Some(taken)).await.status, 400);
    assert_eq!(told(&dave, "Update user").await, []);

    let group =
        json!({ "displayName": "G", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true });
    let group = ask("POST", "/v1.0/groups", group).await["id"].as_str().unwrap().to_owned();
    ask("PATCH", &format!("/v1.0/groups/{group}"), json!({ "displayName": "H", "mailNickname": "g" })).await;
    assert_eq!(told(&group, "Update group").await, [told_as("displayName", Some("\"G\""), Some("\"H\""))]);

    let app = ask("POST", "/v1.0/applications", json!({ "displayName": "A" })).await;
    let (id, path) =
        (app["id"].as_str().unwrap(), format!("/v1.0/applications/{}", app["id"].as_str().unwrap()));
    ask("PATCH", &path, json!({ "displayName": "B", "web": { "redirectUris": ["https://b.test/back"] } }))
        .await;
    let expected = [
        told_as("displayName", Some("\"A\""), Some("\"B\"")),
        told_as("web.redirectUris", Some("[]"), Some("[\"https://b.test/back\"]")),
    ];
    assert_eq!(told(id, "Update application").await, expected);
    let made =
        ask("POST", &format!("{path}/addPassword"), json!({ "passwordCredential": { "displayName": "ci" } }))
            .await;
    let activity = "Update application \u{2013} Certificates and secrets management";
    let after = json!([{ "displayName": "ci", "keyId": made["keyId"] }]).to_string();
    assert_eq!(told(id, activity).await, [told_as("passwordCredentials", Some("[]"), Some(&after))]);
    let instance = ask("POST", "/v1.0/servicePrincipals", json!({ "appId": app["appId"] })).await;
    let instance = instance["id"].as_str().unwrap();
    let required = json!({ "appRoleAssignmentRequired": true });
    ask("PATCH", &format!("/v1.0/servicePrincipals/{instance}"), required).await;
    let expected = [told_as("appRoleAssignmentRequired", Some("false"), Some("true"))];
    assert_eq!(told(instance, "Update service principal").await, expected);

    let policy = json!({ "allowInvitesFrom": "none", "defaultUserRolePermissions": { "allowedToCreateTenants": false } });
    let scope = "openid Policy.ReadWrite.Authorization";
    let admin = world.sign_in(CONTOSO, "web", "alice@contoso.test", scope).await;
    let admin = admin["access_token"].as_str().unwrap();
    let path = "/v1.0/policies/authorizationPolicy";
    assert_eq!(world.graph(admin, "PATCH", path, Some(policy)).await.status, 204);
    let told = told(&world.tenant_id(CONTOSO).to_string(), "Update authorization policy").await;
    let invites = told.iter().find(|(name, ..)| name == "allowInvitesFrom").unwrap();
    assert_eq!((invites.1.as_deref(), invites.2.as_deref()), (Some("\"everyone\""), Some("\"none\"")));
    let all = get(&world, &token, AUDITS, "").await.to_string();
    for secret in [made["secretText"].as_str().unwrap(), made["hint"].as_str().unwrap(), "Correct-Horse-9"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn r21_a_log_shows_its_own_tenant_only() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let (own, other) = (world.daemon_token(CONTOSO).await, world.daemon_token(FABRIKAM).await);
    for path in [SIGN_INS, AUDITS] {
        let contoso = get(&world, &own, path, "").await;
        let fabrikam = get(&world, &other, path, "").await;
        let ids = |list: &Value| -> BTreeSet<String> {
            items(list).iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
        };
        assert!(!ids(&contoso).is_empty() && !ids(&fabrikam).is_empty());
        assert!(ids(&contoso).is_disjoint(&ids(&fabrikam)), "{path}");
        for id in ids(&contoso) {
            let answer = world.graph(&other, "GET", &format!("{path}/{id}"), None).await;
            assert_eq!(answer.status, 404);
        }
        // What the other tenant calls its applications and people is not told.
        for name in ["Fabrikam Web", "Fabrikam Daemon"] {
            assert!(!contoso.to_string().contains(name), "{contoso}");
        }
    }
}

#[tokio::test]
async fn r21_r32_what_a_stranger_asked_stands_in_its_own_log_in_its_own_words_only() {
    let world = World::new().await;
    let (own, stranger) = (world.daemon_token(CONTOSO).await, world.daemon_token(FABRIKAM).await);
    let dave = world.user("dave@contoso.test").id.unwrap().to_string();
    let before = get(&world, &own, AUDITS, "").await;
    for (method, body) in [("GET", None), ("PATCH", Some(json!({ "jobTitle": "Chief" }))), ("DELETE", None)] {
        let answer = world.graph(&stranger, method, &format!("/v1.0/users/{dave}"), body).await;
        assert_eq!(answer.status, 404, "{}", answer.text);
    }
    // The three refusals are there, with the id that was asked for and nothing that the directory knows of it.
    let log = get(&world, &stranger, AUDITS, "result eq 'failure'").await;
    assert_eq!(items(&log).len(), 3, "{log}");
    for refused in items(&log) {
        assert_eq!(refused["initiatedBy"]["app"]["displayName"], "Fabrikam Daemon", "{refused}");
        assert_eq!(refused["targetResources"][0]["userPrincipalName"], Value::Null, "{refused}");
    }
    for known in ["Dave", "dave@contoso.test", &world.tenant_id(CONTOSO).to_string()] {
        assert!(!log.to_string().contains(known), "{known}: {log}");
    }
    assert_eq!(get(&world, &own, AUDITS, "").await["value"], before["value"]);
}

#[tokio::test]
async fn a_guests_sign_in_names_both_homes_on_both_sides() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "User.Read").await;
    let (contoso, fabrikam) = (world.tenant_id(CONTOSO).to_string(), world.tenant_id(FABRIKAM).to_string());
    let token = world.daemon_token(CONTOSO).await;
    let web = world.app(CONTOSO, "web").app_id.unwrap();
    let filter = format!("userId eq '{guest}' and appId eq '{web}' and status/errorCode eq 0");
    let here = get(&world, &token, SIGN_INS, &filter).await;
    assert!(!items(&here).is_empty());
    for sign_in in items(&here) {
        assert_eq!(sign_in["homeTenantId"], json!(fabrikam), "{sign_in}");
        assert_eq!(sign_in["resourceTenantId"], json!(contoso), "{sign_in}");
    }
    // The home sees where its user went, and nothing of the application there.
    let bob = world.user("bob@fabrikam.test").id.unwrap();
    let token = world.daemon_token(FABRIKAM).await;
    let there = get(&world, &token, SIGN_INS, &format!("userId eq '{bob}'")).await;
    assert!(!items(&there).is_empty());
    for sign_in in items(&there) {
        assert_eq!(sign_in["homeTenantId"], json!(fabrikam), "{sign_in}");
        assert_eq!(sign_in["resourceTenantId"], json!(contoso), "{sign_in}");
    }
    assert!(!there.to_string().contains("Contoso Web"), "{there}");

    let token = world.daemon_token(CONTOSO).await;
    let about = format!("targetResources/any(t:t/id eq '{guest}')");
    for activity in ["Invite external user", "Redeem external user invite"] {
        let found =
            get(&world, &token, AUDITS, &format!("{about} and activityDisplayName eq '{activity}'")).await;
        assert_eq!(items(&found)[0]["result"], "success", "{activity}: {found}");
    }
}
