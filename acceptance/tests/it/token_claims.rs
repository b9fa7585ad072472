//! What tokens say because an application asked for it: groups, roles and optional claims (facts: protocol §5).

use domain::directory::group::{Group, Link, LinkedKind};
use domain::id::GroupId;
use serde_json::{Value, json};
use store::Recorded;
use testkit::{Answer, BASE, CONTOSO, World, claims};
use uuid::Uuid;

const SCOPE: &str = "openid profile User.Read";

struct Scene {
    world: World,
    admin: String,
    web: String,
    api: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let admin = world.daemon_token(CONTOSO).await;
        let path = |kind| format!("/v1.0/applications(appId='{}')", world.app(CONTOSO, kind).app_id.unwrap());
        let (web, api) = (path("web"), path("api"));
        Self { world, admin, web, api }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = (!body.is_null()).then_some(body);
        self.world.graph(&self.admin, method, path, body).await
    }

    async fn patch(&self, path: &str, body: Value) {
        let answer = self.ask("PATCH", path, body).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.ask("POST", path, body).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        answer.json()
    }

    async fn group(&self, name: &str, members: &[&str], more: Value) -> String {
        let links: Vec<String> = members
            .iter()
            .map(|id| format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}"))
            .collect();
        let mut body = json!({ "displayName": name, "mailEnabled": false, "mailNickname": name,
            "securityEnabled": true, "members@odata.bind": links });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/v1.0/groups", body).await["id"].as_str().unwrap().to_owned()
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }

    /// Many groups with one member, in one write.
    async fn add_groups(&self, count: u128, member: &str) {
        let member = Uuid::parse_str(member).unwrap();
        let now = self.world.moment().now;
        let tenant = self.world.service.store().tenant(self.world.tenant_id(CONTOSO));
        let write = move |tx: &store::WriteTx<'_>| {
            for number in 0..count {
                let id = GroupId::new(Uuid::from_u128(0x9000 + number));
                let group = Group {
                    id,
                    display_name: format!("Group {number}"),
                    description: None,
                    mail_nickname: format!("g{number}"),
                    mail: None,
                    is_security_enabled: true,
                    is_unified: false,
                    is_role_assignable: false,
                    visibility: None,
                    dynamic: None,
                    created_at: now,
                    deleted_at: None,
                };
                assert!(tx.add_group(&group)?);
                assert!(tx.add_link(id, Link::Member, LinkedKind::User, member, now)?);
            }
            Ok(Recorded::chore(store::Chore::Progress, ()))
        };
        tenant.write(write).await.unwrap();
    }

    /// ID and access token of somebody at the web application.
    async fn tokens(&self, name: &str, scope: &str) -> (Value, Value) {
        let tokens = self.world.sign_in(CONTOSO, "web", name, scope).await;
        let read = |name: &str| claims(tokens[name].as_str().unwrap());
        (read("id_token"), read("access_token"))
    }

    async fn api_tokens(&self, name: &str) -> (Value, Value) {
        let api = self.world.app(CONTOSO, "api").app_id.unwrap();
        self.tokens(name, &format!("openid profile api://{api}/access_as_user")).await
    }
}

fn sorted(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> =
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn groups_stand_in_the_token_of_whoever_asks_and_in_no_other() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let inner = scene.group("inner", &[&carol], json!({})).await;
    let outer = scene.group("outer", &[&inner], json!({})).await;
    let team = scene
        .group(
            "team",
            &[&carol],
            json!({ "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": false }),
        )
        .await;
    scene.group("other", &[], json!({})).await;
    let (id, access) = scene.api_tokens("carol@contoso.test").await;
    assert_eq!((&id["groups"], &access["groups"]), (&Value::Null, &Value::Null));
    // The client's word counts for ID tokens, the resource's for access tokens.
    scene.patch(&scene.web, json!({ "groupMembershipClaims": "SecurityGroup" })).await;
    let mut security = vec![inner.clone(), outer.clone()];
    security.sort();
    let (id, access) = scene.api_tokens("carol@contoso.test").await;
    assert_eq!((sorted(&id["groups"]), &access["groups"]), (security.clone(), &Value::Null));
    scene.patch(&scene.web, json!({ "groupMembershipClaims": null })).await;
    scene.patch(&scene.api, json!({ "groupMembershipClaims": "All" })).await;
    let mut all = vec![inner.clone(), outer, team];
    all.sort();
    let (id, access) = scene.api_tokens("carol@contoso.test").await;
    assert_eq!((&id["groups"], sorted(&access["groups"])), (&Value::Null, all));
    // A deleted group, and what it holds, is in no token.
    assert_eq!(scene.ask("DELETE", &format!("/v1.0/groups/{inner}"), Value::Null).await.status, 204);
    let (_, access) = scene.api_tokens("carol@contoso.test").await;
    assert_eq!(access["groups"].as_array().map(Vec::len), Some(1));
    let (_, access) = scene.api_tokens("dave@contoso.test").await;
    assert_eq!(access["groups"], Value::Null);
}

#[tokio::test]
async fn groups_of_an_application_are_those_assigned_to_it() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let sales = scene.group("Sales", &[&carol], json!({})).await;
    scene.group("Other", &[&carol], json!({})).await;
    let web = scene.world.app(CONTOSO, "web").app_id.unwrap();
    let instance = format!("/v1.0/servicePrincipals(appId='{web}')");
    let found = scene.ask("GET", &instance, Value::Null).await.json();
    let instance = Uuid::parse_str(found["id"].as_str().unwrap()).unwrap();
    let (sales_id, now) = (Uuid::parse_str(&sales).unwrap(), scene.world.moment().now);
    let tenant = scene.world.service.store().tenant(scene.world.tenant_id(CONTOSO));
    let assigned = tenant.write(move |tx| {
        let (app, role) =
            (domain::id::ServicePrincipalId::new(instance), domain::id::PartId::new(Uuid::nil()));
        assert!(tx.assign_app_role(Uuid::from_u128(0x77), sales_id, app, role, now)?);
        Ok(Recorded::chore(store::Chore::Progress, ()))
    });
    assigned.await.unwrap();
    let wish = |additional: &[&str]| {
        json!({ "groupMembershipClaims": "ApplicationGroup", "optionalClaims": { "idToken": [
            { "name": "groups", "additionalProperties": additional }] } })
    };
    scene.patch(&scene.web, wish(&[])).await;
    assert_eq!(scene.tokens("carol@contoso.test", SCOPE).await.0["groups"], json!([sales]));
    scene.patch(&scene.web, wish(&["cloud_displayname"])).await;
    assert_eq!(scene.tokens("carol@contoso.test", SCOPE).await.0["groups"], json!(["Sales"]));
    scene.patch(&scene.web, wish(&["cloud_displayname", "emit_as_roles"])).await;
    let (id, _) = scene.tokens("carol@contoso.test", SCOPE).await;
    assert_eq!((&id["roles"], &id["groups"]), (&json!(["Sales"]), &Value::Null));
}

#[tokio::test]
async fn more_groups_than_a_token_takes_are_to_be_asked_for() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    scene.patch(&scene.web, json!({ "groupMembershipClaims": "SecurityGroup" })).await;
    scene.add_groups(200, &carol).await;
    let (id, _) = scene.tokens("carol@contoso.test", SCOPE).await;
    assert_eq!(id["groups"].as_array().map(Vec::len), Some(200));
    assert_eq!(id["_claim_names"], Value::Null);
    scene.group("one-more", &[&carol], json!({})).await;
    let tokens = scene.world.sign_in(CONTOSO, "web", "carol@contoso.test", SCOPE).await;
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&id["groups"], &id["_claim_names"]), (&Value::Null, &json!({ "groups": "src1" })));
    let endpoint = id["_claim_sources"]["src1"]["endpoint"].as_str().unwrap();
    assert_eq!(endpoint, format!("{BASE}/v1.0/users/{carol}/getMemberObjects"));
    // The address answers its person, who may read no other groups, and whoever may read all.
    let path = endpoint.strip_prefix(BASE).unwrap();
    let own = tokens["access_token"].as_str().unwrap();
    for token in [own, &scene.admin] {
        let body = json!({ "securityEnabledOnly": true });
        let answer = scene.world.graph(token, "POST", path, Some(body)).await;
        assert_eq!(answer.json()["value"].as_array().map(Vec::len), Some(201), "{}", answer.text);
    }
    let others = format!("/v1.0/users/{}/getMemberObjects", scene.user("dave@contoso.test"));
    let answer = scene.world.graph(own, "POST", &others, Some(json!({}))).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
}

#[tokio::test]
async fn six_groups_are_too_many_for_an_address_bar() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let implicit = json!({ "implicitGrantSettings": { "enableIdTokenIssuance": true } });
    scene.patch(&scene.web, json!({ "groupMembershipClaims": "All", "web": implicit })).await;
    let id_token = async || {
        let mut browser = scene.world.browser();
        let web = scene.world.app(CONTOSO, "web");
        let url = browser.authorize_url(CONTOSO, web, "openid", &[("response_mode", "form_post")]);
        let page = browser.get(&url.replace("response_type=code", "response_type=id_token")).await;
        let mut page = browser.sign_in(page, "carol@contoso.test").await;
        for button in ["accept", "stay_no"] {
            if page.text.contains(&format!("value=\"{button}\"")) {
                page = browser.press(&page, button, &[]).await;
            }
        }
        claims(&page.field("id_token").unwrap())
    };
    scene.add_groups(5, &carol).await;
    let token = id_token().await;
    assert_eq!((token["groups"].as_array().map(Vec::len), &token["hasgroups"]), (Some(5), &Value::Null));
    scene.group("sixth", &[&carol], json!({})).await;
    let token = id_token().await;
    assert_eq!((&token["groups"], &token["hasgroups"]), (&Value::Null, &json!(true)));
    // The same application's code brings them all.
    let (id, _) = scene.tokens("carol@contoso.test", SCOPE).await;
    assert_eq!(id["groups"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn roles_of_users_stand_in_both_tokens_and_directory_roles_where_asked() {
    let scene = Scene::new().await;
    let role = |id: u128, value: &str| {
        json!({ "id": Uuid::from_u128(id), "value": value, "displayName": value, "description": value,
            "allowedMemberTypes": ["User"], "isEnabled": true })
    };
    scene.patch(&scene.web, json!({ "appRoles": [role(1, "Reader"), role(2, "Writer")] })).await;
    let web = format!("/v1.0/servicePrincipals(appId='{}')", scene.world.app(CONTOSO, "web").app_id.unwrap());
    let instance = scene.ask("GET", &web, Value::Null).await.json()["id"].as_str().unwrap().to_owned();
    let alice = scene.user("alice@contoso.test");
    let held = json!({ "principalId": alice, "resourceId": instance, "appRoleId": Uuid::from_u128(2) });
    scene.post(&format!("/v1.0/servicePrincipals/{instance}/appRoleAssignedTo"), held).await;
    let (id, access) = scene.api_tokens("alice@contoso.test").await;
    assert_eq!((&id["roles"], &access["roles"]), (&json!(["Writer"]), &Value::Null));
    assert_eq!((&id["wids"], &access["wids"]), (&Value::Null, &Value::Null));
    let global_administrator = json!(["62e90394-69f5-4237-9190-012177145e10"]);
    scene.patch(&scene.web, json!({ "groupMembershipClaims": "DirectoryRole" })).await;
    scene.patch(&scene.api, json!({ "groupMembershipClaims": "All" })).await;
    let (id, access) = scene.api_tokens("alice@contoso.test").await;
    assert_eq!((&id["wids"], &access["wids"]), (&global_administrator, &global_administrator));
    let (id, _) = scene.api_tokens("carol@contoso.test").await;
    assert_eq!((&id["roles"], &id["wids"]), (&Value::Null, &Value::Null));
    // Graph's own tokens always say them.
    let (_, access) = scene.tokens("alice@contoso.test", SCOPE).await;
    assert_eq!(access["wids"], global_administrator);
}

#[tokio::test]
async fn optional_claims_are_said_to_whoever_asked() {
    let scene = Scene::new().await;
    let carol = scene.user("carol@contoso.test");
    let profile = json!({ "givenName": "Carol", "surname": "Cole", "country": "de", "mail": "carol@contoso.test",
        "preferredLanguage": "de-DE" });
    scene.patch(&format!("/v1.0/users/{carol}"), profile).await;
    let guest = scene.world.make_guest("bob@fabrikam.test").await;
    let names = [
        "acct",
        "auth_time",
        "ctry",
        "email",
        "family_name",
        "given_name",
        "idtyp",
        "ipaddr",
        "login_hint",
        "sid",
        "tenant_region_scope",
        "upn",
        "verified_primary_email",
        "xms_pl",
        "xms_cc",
    ];
    let wishes: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    let version = json!({ "requestedAccessTokenVersion": 2 });
    scene.patch(&scene.api, json!({ "api": version })).await;
    let (id, access) = scene.api_tokens("carol@contoso.test").await;
    for name in
        ["acct", "ctry", "email", "family_name", "upn", "login_hint", "verified_primary_email", "idtyp"]
    {
        assert_eq!((&id[name], &access[name]), (&Value::Null, &Value::Null), "{name}");
    }
    let wanted = json!({ "optionalClaims": { "idToken": wishes, "accessToken": wishes } });
    scene.patch(&scene.web, wanted.clone()).await;
    scene.patch(&scene.api, wanted).await;
    let (id, access) = scene.api_tokens("carol@contoso.test").await;
    for token in [&id, &access] {
        assert_eq!((&token["acct"], &token["ctry"]), (&json!(0), &json!("DE")));
        assert_eq!((&token["family_name"], &token["given_name"]), (&json!("Cole"), &json!("Carol")));
        assert_eq!(
            (&token["email"], &token["upn"]),
            (&json!("carol@contoso.test"), &json!("carol@contoso.test"))
        );
        assert_eq!(token["verified_primary_email"], json!(["carol@contoso.test"]));
        assert_eq!(token["xms_pl"], json!("de-DE"));
        assert!(token["auth_time"].is_i64() && token["sid"].is_string());
        assert!(token["tenant_region_scope"].is_string());
    }
    // `app` only; whoever wants `user`, too, says so.
    assert_eq!(access["idtyp"], Value::Null);
    let wanted = json!([{ "name": "idtyp", "additionalProperties": ["include_user_token"] },
        { "name": "upn", "additionalProperties": ["include_externally_authenticated_upn"] }]);
    scene.patch(&scene.api, json!({ "optionalClaims": { "accessToken": wanted } })).await;
    let hashless = "include_externally_authenticated_upn_without_hash";
    let wanted = json!([{ "name": "acct" }, { "name": "upn", "additionalProperties": [hashless] }]);
    scene.patch(&scene.web, json!({ "optionalClaims": { "idToken": wanted } })).await;
    let (id, access) = scene.api_tokens("bob@fabrikam.test").await;
    assert_eq!((&id["oid"], &id["acct"], &access["idtyp"]), (&json!(guest), &json!(1), &json!("user")));
    let (short, long) = (id["upn"].as_str().unwrap(), access["upn"].as_str().unwrap());
    assert!(long.starts_with("bob_fabrikam.test#EXT#@"), "{long}");
    assert_eq!(short, long.replace('#', "_"));
    // Without the wish a guest's name here is nobody's business.
    scene.patch(&scene.web, json!({ "optionalClaims": { "idToken": [{ "name": "upn" }] } })).await;
    assert_eq!(scene.api_tokens("bob@fabrikam.test").await.0["upn"], Value::Null);
}

#[tokio::test]
async fn a_v1_audience_is_the_id_where_the_resource_says_so() {
    let scene = Scene::new().await;
    scene.patch(&scene.api, json!({ "api": { "requestedAccessTokenVersion": 1 } })).await;
    let id = scene.world.app(CONTOSO, "api").app_id.unwrap().to_string();
    let (_, access) = scene.api_tokens("carol@contoso.test").await;
    assert_eq!(access["aud"], json!(format!("api://{id}")));
    let wanted = json!({ "accessToken": [{ "name": "aud", "additionalProperties": ["use_guid"] }] });
    scene.patch(&scene.api, json!({ "optionalClaims": wanted })).await;
    let (_, access) = scene.api_tokens("carol@contoso.test").await;
    assert_eq!(access["aud"], json!(id));
}

#[tokio::test]
async fn a_login_hint_leads_to_its_person_and_signs_them_out() {
    let scene = Scene::new().await;
    let wanted = json!({ "optionalClaims": { "idToken": [{ "name": "login_hint" }] } });
    scene.patch(&scene.web, wanted).await;
    scene.world.make_guest("bob@fabrikam.test").await;
    let hint = |id: &Value| id["login_hint"].as_str().unwrap().to_owned();
    let carol = hint(&scene.tokens("carol@contoso.test", SCOPE).await.0);
    let bob = hint(&scene.tokens("bob@fabrikam.test", SCOPE).await.0);
    let web = scene.world.app(CONTOSO, "web");
    let mut browser = scene.world.browser();
    let page = browser.get(&browser.authorize_url(CONTOSO, web, SCOPE, &[("login_hint", &carol)])).await;
    assert!(page.text.contains("carol@contoso.test") && page.text.contains("password"), "{}", page.text);
    // A guest's leads home.
    let mut at_home = scene.world.browser();
    let page = at_home.get(&at_home.authorize_url(CONTOSO, web, SCOPE, &[("login_hint", &bob)])).await;
    assert!(page.text.contains("bob@fabrikam.test"), "{}", page.text);
    // One that was not made here is the name of nobody, and shows none.
    let mut forged = carol.clone();
    forged.replace_range(10..11, if forged.get(10..11) == Some("A") { "B" } else { "A" });
    let mut other = scene.world.browser();
    let page = other.get(&other.authorize_url(CONTOSO, web, SCOPE, &[("login_hint", &forged)])).await;
    assert!(!page.text.contains("carol@contoso.test"), "{}", page.text);

    let code = browser.code_for(CONTOSO, web, "carol@contoso.test", SCOPE).await;
    assert!(!code.is_empty());
    let silent = [("prompt", "none")];
    let url = browser.authorize_url(CONTOSO, web, SCOPE, &silent);
    browser.get(&format!("{BASE}/{CONTOSO}/oauth2/v2.0/logout?logout_hint={bob}")).await;
    assert!(browser.get(&url).await.parameter("code").is_some());
    browser.get(&format!("{BASE}/{CONTOSO}/oauth2/v2.0/logout?logout_hint={carol}")).await;
    assert_eq!(browser.get(&url).await.parameter("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn the_claims_parameter_is_a_wish_and_must_be_json() {
    let scene = Scene::new().await;
    let app = scene.world.app(CONTOSO, "daemon");
    let (id, secret) = (app.app_id.unwrap().to_string(), app.secret.clone().unwrap());
    let ask = async |wanted: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_secret", secret.as_str()),
            ("scope", "https://graph.microsoft.com/.default"),
            ("claims", wanted),
        ];
        scene.world.token(CONTOSO, &fields).await
    };
    let answer =
        ask(r#"{"access_token":{"xms_cc":{"values":["CP1"]},"foo":null},"id_token":{"x":{}}}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(claims(answer.json()["access_token"].as_str().unwrap())["xms_cc"], json!(["cp1"]));
    let answer = ask("{}").await;
    assert_eq!(claims(answer.json()["access_token"].as_str().unwrap())["xms_cc"], Value::Null);
    let deep = format!("{}{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    for broken in ["[]", "{", "CP1", deep.as_str()] {
        let answer = ask(broken).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")));
    }
}

#[tokio::test]
async fn who_reads_challenges_hears_that_a_token_was_revoked() {
    let scene = Scene::new().await;
    let web = scene.world.app(CONTOSO, "web");
    let tokens =
        scene.world.sign_in(CONTOSO, "web", "carol@contoso.test", "openid offline_access User.Read").await;
    let (id, plain) = (web.app_id.unwrap().to_string(), tokens["access_token"].as_str().unwrap());
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", web.secret.as_deref().unwrap()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("claims", r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
    ];
    let renewed = scene.world.token(CONTOSO, &fields).await.json();
    let capable = renewed["access_token"].as_str().unwrap();
    let challenge = async |token: &str| {
        let answer = scene.world.graph(token, "GET", "/v1.0/me", None).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_str()),
            (401.try_into().unwrap(), Some("InvalidAuthenticationToken"))
        );
        answer.headers["www-authenticate"].to_str().unwrap().to_owned()
    };
    let carol = format!("/v1.0/users/{}", scene.user("carol@contoso.test"));
    scene.post(&format!("{carol}/revokeSignInSessions"), Value::Null).await;
    let from = format!("Bearer realm=\"\", authorization_uri=\"{BASE}/common/oauth2/authorize\"");
    for token in [plain, "nonsense"] {
        let text = challenge(token).await;
        assert!(text.starts_with(&from) && !text.contains("claims"), "{text}");
    }
    let text = challenge(capable).await;
    assert!(text.starts_with(&from) && text.contains("error=\"insufficient_claims\""), "{text}");
    let claims = text.split("claims=\"").nth(1).unwrap().trim_end_matches('"');
    let claims: Value = serde_json::from_slice(&standards::b64::decode_std(claims).unwrap()).unwrap();
    let now = scene.world.moment().now.seconds().to_string();
    assert_eq!(claims, json!({ "access_token": { "nbf": { "essential": true, "value": now } } }));
}

#[tokio::test]
async fn wishes_that_nobody_fulfils_are_refused_by_name() {
    let scene = Scene::new().await;
    for (body, word) in [
        (json!({ "groupMembershipClaims": "Everything" }), "groupMembershipClaims"),
        (json!({ "optionalClaims": { "idToken": [{ "name": "pwd_exp" }] } }), "optionalClaims"),
        (
            json!({ "optionalClaims": { "idToken": [{ "name": "skypeId", "source": "user" }] } }),
            "optionalClaims",
        ),
        (json!({ "optionalClaims": { "saml2Token": [{ "name": "upn" }] } }), "saml2Token"),
        (
            json!({ "optionalClaims": { "idToken": [{ "name": "upn", "additionalProperties": ["use_guid"] }] } }),
            "idToken",
        ),
        (
            json!({ "optionalClaims": { "accessToken": [{ "name": "upn" }, { "name": "upn" }] } }),
            "accessToken",
        ),
        (json!({ "optionalClaims": { "idToken": [{ "name": "upn", "sauce": 1 }] } }), "sauce"),
    ] {
        let answer = scene.ask("PATCH", &scene.web, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.text.contains(word), "{body}: {}", answer.text);
    }
    let wanted = json!({ "groupMembershipClaims": "SecurityGroup", "optionalClaims": { "idToken": [{ "name": "acct",
        "essential": true, "source": null, "additionalProperties": [] }], "accessToken": [], "saml2Token": [] } });
    scene.patch(&scene.web, wanted.clone()).await;
    let read = scene.ask("GET", &scene.web, Value::Null).await.json();
    assert_eq!(read["groupMembershipClaims"], wanted["groupMembershipClaims"]);
    assert_eq!(read["optionalClaims"], wanted["optionalClaims"]);
    // What was read may be sent back, and taken back.
    scene.patch(&scene.web, json!({ "optionalClaims": read["optionalClaims"] })).await;
    scene.patch(&scene.web, json!({ "optionalClaims": null, "groupMembershipClaims": "None" })).await;
    let read = scene.ask("GET", &scene.web, Value::Null).await.json();
    assert_eq!((&read["optionalClaims"], &read["groupMembershipClaims"]), (&Value::Null, &Value::Null));
}
