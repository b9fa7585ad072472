//! Agreements to delegated permissions through Graph: they are what sign-in asks for, so a change holds at the next token.

use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, FABRIKAM, World, claims};

const GRANTS: &str = "/v1.0/oauth2PermissionGrants";

struct Scene {
    world: World,
    token: String,
    /// Service principals of Contoso's web application and of Graph.
    web: String,
    graph: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let token = world.daemon_token(CONTOSO).await;
        let web = world.app(CONTOSO, "web").app_id.unwrap().to_string();
        let mut scene = Self { world, token, web: String::new(), graph: String::new() };
        scene.web = scene.instance(&web).await;
        scene.graph = scene.instance("00000003-0000-0000-c000-000000000000").await;
        scene
    }

    async fn instance(&self, app_id: &str) -> String {
        let answer = self.ask("GET", &format!("/v1.0/servicePrincipals(appId='{app_id}')"), None).await;
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.world.graph(&self.token, method, path, body).await
    }

    fn for_everybody(&self, scope: &str) -> Value {
        json!({ "clientId": self.web, "consentType": "AllPrincipals", "resourceId": self.graph, "scope": scope })
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }

    async fn refresh(&self, tokens: &Value) -> Answer {
        let app = self.world.app(CONTOSO, "web");
        let (id, secret) = (app.app_id.unwrap().to_string(), app.secret.clone().unwrap());
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &id),
            ("client_secret", &secret),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
            ("scope", "User.Read.All openid"),
        ];
        self.world.token(CONTOSO, &fields).await
    }
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["value"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn r38_a_change_of_an_agreement_holds_at_the_next_token() {
    let scene = Scene::new().await;
    let made =
        scene.ask("POST", GRANTS, Some(scene.for_everybody("user.read.all openid offline_access"))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    // As the resource spells them.
    assert_eq!(made["scope"], "User.Read.All openid offline_access");
    let path = format!("{GRANTS}/{}", made["id"].as_str().unwrap());

    // Nobody is asked, although only an administrator may agree to this one.
    let scope = "User.Read.All openid offline_access";
    let tokens = scene.world.sign_in(CONTOSO, "web", "dave@contoso.test", scope).await;
    let held = claims(tokens["access_token"].as_str().unwrap())["scp"].as_str().unwrap().to_owned();
    assert!(held.contains("User.Read.All"), "{held}");
    assert_eq!(scene.refresh(&tokens).await.status, 200);

    assert_eq!(scene.ask("PATCH", &path, Some(json!({ "scope": "openid" }))).await.status, 204);
    assert_eq!(scene.ask("GET", &path, None).await.json()["scope"], "openid");
    let refused = scene.refresh(&tokens).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, 65_001), "{}", refused.text);

    let again = json!({ "scope": "openid User.Read.All" });
    assert_eq!(scene.ask("PATCH", &path, Some(again)).await.status, 204);
    assert_eq!(scene.refresh(&tokens).await.status, 200);
    assert_eq!(scene.ask("DELETE", &path, None).await.status, 204);
    assert_eq!(scene.ask("GET", &path, None).await.status, 404);
    assert_eq!(scene.refresh(&tokens).await.code(), 65_001);
}

#[tokio::test]
async fn agreements_are_listed_by_their_ends() {
    let scene = Scene::new().await;
    let (dave, carol) = (scene.user("dave@contoso.test"), scene.user("carol@contoso.test"));
    let mut own = Vec::new();
    for user in [&dave, &carol] {
        let body = json!({ "clientId": scene.web, "consentType": "Principal", "principalId": user,
            "resourceId": scene.graph, "scope": "User.Read" });
        own.push(scene.ask("POST", GRANTS, Some(body)).await.json()["id"].as_str().unwrap().to_owned());
    }
    let all = scene.ask("POST", GRANTS, Some(scene.for_everybody("User.Read"))).await.json();
    let all = all["id"].as_str().unwrap().to_owned();
    let (web, graph) = (&scene.web, &scene.graph);
    let nobody = "00000000-0000-0000-0000-00000000004d";
    for (path, expected) in [
        (format!("{GRANTS}?$filter=clientId eq '{web}' and consentType eq 'AllPrincipals'"), vec![&all]),
        (format!("{GRANTS}?$filter=clientId eq {web}"), vec![&own[0], &own[1], &all]),
        (format!("{GRANTS}?$filter=principalId eq '{dave}' and resourceId eq '{graph}'"), vec![&own[0]]),
        (format!("{GRANTS}?$filter=clientId eq '{nobody}'"), vec![]),
        (format!("{GRANTS}?$filter=principalId eq '{dave}' and consentType eq 'AllPrincipals'"), vec![]),
        (
            format!(
                "/v1.0/servicePrincipals/{web}/oauth2PermissionGrants?$filter=consentType eq 'Principal'"
            ),
            vec![&own[0], &own[1]],
        ),
        (format!("/v1.0/users/{carol}/oauth2PermissionGrants"), vec![&own[1]]),
    ] {
        let answer = scene.ask("GET", &path.replace(' ', "%20"), None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let mut found = ids(&answer.json());
        found.sort();
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        assert_eq!(found, expected, "{path}");
    }
    // Pages follow each other without gap or double.
    let mut paged = Vec::new();
    let mut next = Some(format!("{GRANTS}?$filter=clientId%20eq%20'{web}'&$top=2"));
    while let Some(path) = next {
        let page = scene.ask("GET", &path, None).await.json();
        paged.extend(ids(&page));
        next = page["@odata.nextLink"].as_str().map(|link| link.trim_start_matches(testkit::BASE).to_owned());
    }
    paged.sort();
    paged.dedup();
    assert_eq!(paged.len(), 3);
}

#[tokio::test]
async fn what_is_no_agreement_is_refused_with_a_reason() {
    let scene = Scene::new().await;
    let dave = scene.user("dave@contoso.test");
    assert_eq!(scene.ask("POST", GRANTS, Some(scene.for_everybody("User.Read"))).await.status, 201);
    let nobody = "00000000-0000-0000-0000-00000000004d";
    let with = |name: &str, value: Value| {
        let mut body = scene.for_everybody("User.Read");
        body[name] = value;
        body
    };
    for (body, status, hint) in [
        (with("scope", json!("User.Read")), 409, "already exists"),
        (with("scope", json!("Magic.Read")), 400, "scope"),
        (with("scope", json!("")), 400, "scope"),
        (with("scope", json!("x".repeat(4_000))), 400, "scope"),
        (with("clientId", json!(nobody)), 404, "does not exist"),
        (with("resourceId", json!(nobody)), 404, "does not exist"),
        (with("clientId", json!("web")), 400, "clientId"),
        (with("principalId", json!(dave)), 400, "principalId"),
        (with("consentType", json!("Principal")), 400, "principalId"),
        (with("consentType", json!("Everybody")), 400, "consentType"),
        (with("magic", json!(1)), 400, "magic"),
    ] {
        let before = scene.world.directory_refusals(CONTOSO);
        let answer = scene.ask("POST", GRANTS, Some(body.clone())).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.text.contains(hint), "{body}: {}", answer.text);
        assert!(scene.world.directory_refusals(CONTOSO) > before, "{body} left no record");
    }
    for filter in ["scope eq 'x'", "clientId ne 'x'", "clientId eq 'x' or clientId eq 'y'"] {
        let path = format!("{GRANTS}?$filter={}", filter.replace(' ', "%20"));
        assert_eq!(scene.ask("GET", &path, None).await.status, 400, "{filter}");
    }
}

#[tokio::test]
async fn r21_r36_the_ends_of_an_agreement_stand_in_the_callers_tenant() {
    let scene = Scene::new().await;
    let foreign = scene.world.daemon_token(FABRIKAM).await;
    let made = scene.ask("POST", GRANTS, Some(scene.for_everybody("User.Read"))).await.json();
    let path = format!("{GRANTS}/{}", made["id"].as_str().unwrap());
    for (method, path, body) in [
        ("GET", path.as_str(), None),
        ("PATCH", &path, Some(json!({ "scope": "openid" }))),
        ("DELETE", &path, None),
        ("POST", GRANTS, Some(scene.for_everybody("openid"))),
    ] {
        let answer = scene.world.graph(&foreign, method, path, body).await;
        assert_eq!(answer.status, 404, "{method}: {}", answer.text);
    }
    assert_eq!(scene.ask("GET", &path, None).await.json()["scope"], "User.Read");
}
