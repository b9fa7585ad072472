//! Groups with dynamic membership as Graph's clients use them: a rule says who is in, and is carried out at once.

use domain::directory::group::Link;
use domain::id::{GroupId, UserId};
use domain::tenancy::limits::{Limit, Limits};
use serde_json::{Value, json};
use service::groups::Within;
use store::{Chore, Recorded};
use testkit::{Answer, CONTOSO, Setup, World};
use uuid::Uuid;

struct Scene {
    world: World,
    token: String,
}

const SALES: &str = "user.department -eq \"Sales\"";

impl Scene {
    async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    async fn with(setup: Setup) -> Self {
        let world = World::with(setup).await;
        let token = world.daemon_token(CONTOSO).await;
        Self { world, token }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.world.graph(&self.token, method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    async fn done(&self, method: &str, path: &str, body: Value) {
        let answer = self.ask(method, path, (!body.is_null()).then_some(body)).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
    }

    async fn refused(&self, method: &str, path: &str, body: Value) -> String {
        let answer = self.ask(method, path, (!body.is_null()).then_some(body)).await;
        assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text);
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    async fn make(&self, name: &str, rule: &str) -> String {
        let answer = self.ask("POST", "/v1.0/groups", Some(described(name, rule))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let made = answer.json();
        assert_eq!(made["membershipRuleProcessingState"], "On");
        made["id"].as_str().unwrap().to_owned()
    }

    async fn department(&self, user: &str, department: Value) {
        self.done("PATCH", &format!("/v1.0/users/{user}"), json!({ "department": department })).await;
    }

    async fn members(&self, group: &str) -> Vec<String> {
        ids(&self.get(&format!("/v1.0/groups/{group}/members?$top=100")).await)
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }

    /// An access token of a user for an application that an administrator agreed to.
    async fn sign_in(&self, name: &str, scopes: &str) -> String {
        let mut browser = self.world.browser();
        let url = browser.authorize_url(CONTOSO, self.world.app(CONTOSO, "web"), scopes, &[]);
        let page = browser.get(&url).await;
        let page = browser.sign_in(page, "alice@contoso.test").await;
        if page.text.contains("value=\"accept\"") {
            browser.press(&page, "accept", &[("for_organization", "1")]).await;
        }
        let tokens = self.world.sign_in(CONTOSO, "web", name, scopes).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}

fn described(name: &str, rule: &str) -> Value {
    json!({ "displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true,
        "groupTypes": ["DynamicMembership"], "membershipRule": rule })
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["value"].as_array().unwrap().iter();
    let mut ids: Vec<String> = items.map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect();
    ids.sort_unstable();
    ids
}

fn sorted(mut ids: Vec<&str>) -> Vec<String> {
    ids.sort_unstable();
    ids.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn whoever_fits_the_rule_is_in_with_the_answer_to_the_write() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    scene.department(&carol, json!("sales")).await;
    let group = scene.make("sales", SALES).await;
    let outer = scene.ask(
        "POST",
        "/v1.0/groups",
        Some(json!({ "displayName": "Outer", "mailEnabled": false, "mailNickname": "outer",
            "securityEnabled": true, "members@odata.bind": [format!("/v1.0/groups/{group}")] })),
    );
    let outer = outer.await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(scene.members(&group).await, [carol.as_str()]);
    let first = scene.get(&format!("/v1.0/groups/delta?$filter=id%20eq%20'{group}'&$select=members")).await;
    let link = first["@odata.deltaLink"].as_str().unwrap().strip_prefix(testkit::BASE).unwrap().to_owned();

    scene.department(&dave, json!("Sales")).await;
    scene.department(&carol, Value::Null).await;
    let user = json!({ "displayName": "Erin", "mailNickname": "erin", "userPrincipalName": "erin@contoso.test",
        "accountEnabled": true, "department": "SALES", "passwordProfile": { "password": "Correct-Horse-9" } });
    let erin = scene.ask("POST", "/v1.0/users", Some(user)).await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(scene.members(&group).await, sorted(vec![&dave, &erin]));

    let told = scene.get(&link).await;
    let told = told["value"][0]["members@delta"].as_array().unwrap().clone();
    let gone = |item: &Value| (item["id"].as_str().unwrap().to_owned(), item["@removed"].is_object());
    let mut told: Vec<(String, bool)> = told.iter().map(gone).collect();
    told.sort_unstable();
    let mut expected = vec![(carol.clone(), true), (dave.clone(), false), (erin.clone(), false)];
    expected.sort_unstable();
    assert_eq!(told, expected);

    // It counts wherever groups count.
    assert_eq!(ids(&scene.get(&format!("/v1.0/users/{dave}/memberOf")).await), [group.as_str()]);
    let all = scene
        .ask(
            "POST",
            &format!("/v1.0/users/{dave}/getMemberGroups"),
            Some(json!({ "securityEnabledOnly": true })),
        )
        .await;
    let mut all: Vec<Value> = all.json()["value"].as_array().unwrap().clone();
    all.sort_unstable_by_key(ToString::to_string);
    assert_eq!(all, sorted(vec![&group, &outer]).into_iter().map(Value::from).collect::<Vec<_>>());
    let through = scene.get(&format!("/v1.0/groups/{outer}/transitiveMembers/microsoft.graph.user")).await;
    assert_eq!(ids(&through), sorted(vec![&dave, &erin]));

    // Whoever is deleted is in no list, and comes back to where the rule wants them.
    scene.done("DELETE", &format!("/v1.0/users/{erin}"), Value::Null).await;
    assert_eq!(scene.members(&group).await, [dave.as_str()]);
    scene.done("POST", &format!("/v1.0/directory/deletedItems/{erin}/restore"), json!({})).await;
    assert_eq!(scene.members(&group).await, sorted(vec![&dave, &erin]));
    let found = scene.get("/v1.0/groups?$filter=groupTypes/any(c:c%20eq%20'DynamicMembership')").await;
    assert_eq!((ids(&found), &found["value"][0]["membershipRule"]), (vec![group], &json!(SALES)));
}

#[tokio::test]
async fn nobody_is_added_or_removed_by_hand_and_owners_are() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    scene.department(&carol, json!("Sales")).await;
    let group = scene.make("sales", SALES).await;
    let path = format!("/v1.0/groups/{group}");
    let reference = json!({ "@odata.id": format!("/v1.0/users/{dave}") });
    let bound = json!({ "members@odata.bind": [format!("/v1.0/users/{dave}")] });
    for is_paused in [false, true] {
        for (method, path, body) in [
            ("POST", format!("{path}/members/$ref"), reference.clone()),
            ("PATCH", path.clone(), bound.clone()),
            ("DELETE", format!("{path}/members/{carol}/$ref"), Value::Null),
        ] {
            let message = scene.refused(method, &path, body).await;
            assert!(message.contains("fit its membershipRule"), "{message}");
        }
        if !is_paused {
            scene.done("PATCH", &path, json!({ "membershipRuleProcessingState": "Paused" })).await;
        }
    }
    let mut body = described("with", SALES);
    body["members@odata.bind"] = bound["members@odata.bind"].clone();
    scene.refused("POST", "/v1.0/groups", body).await;
    assert_eq!(scene.members(&group).await, [carol.as_str()]);
    scene.done("POST", &format!("{path}/owners/$ref"), reference).await;
    scene.done("DELETE", &format!("{path}/owners/{dave}/$ref"), Value::Null).await;
}

#[tokio::test]
async fn a_rule_is_changed_paused_and_given_up() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    scene.department(&carol, json!("Sales")).await;
    scene.department(&dave, json!("Legal")).await;
    let group = scene.make("crew", SALES).await;
    let path = format!("/v1.0/groups/{group}");
    let patch = async |body: Value| scene.done("PATCH", &path, body).await;
    patch(json!({ "membershipRule": "user.department -in ['legal','sales']" })).await;
    assert_eq!(scene.members(&group).await, sorted(vec![&carol, &dave]));
    patch(json!({ "membershipRuleProcessingState": "Paused" })).await;
    patch(json!({ "membershipRule": "user.department -eq null" })).await;
    scene.department(&dave, json!("Sales")).await;
    assert_eq!(scene.members(&group).await, sorted(vec![&carol, &dave]), "paused: they stay");
    patch(json!({ "membershipRule": SALES, "membershipRuleProcessingState": "On" })).await;
    scene.department(&carol, json!("Legal")).await;
    assert_eq!(scene.members(&group).await, [dave.as_str()]);

    // As the documentation turns a group into an assigned one, and back.
    patch(json!({ "groupTypes": [], "membershipRuleProcessingState": "Paused" })).await;
    let seen = scene.get(&path).await;
    assert_eq!(
        (&seen["groupTypes"], &seen["membershipRule"], &seen["membershipRuleProcessingState"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    let reference = json!({ "@odata.id": format!("/v1.0/users/{carol}") });
    scene.done("POST", &format!("{path}/members/$ref"), reference).await;
    scene.department(&dave, Value::Null).await;
    assert_eq!(scene.members(&group).await, sorted(vec![&carol, &dave]));
    patch(json!({ "groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq null -and user.userPrincipalName -startsWith \"dave\"",
        "membershipRuleProcessingState": "On" })).await;
    assert_eq!(scene.members(&group).await, [dave.as_str()]);

    scene.done("DELETE", &path, Value::Null).await;
    scene.department(&dave, json!("Legal")).await;
    scene.done("POST", &format!("/v1.0/directory/deletedItems/{group}/restore"), json!({})).await;
    assert!(scene.members(&group).await.is_empty(), "what changed meanwhile is made up for");
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_said_with_its_place() {
    let scene = Scene::new().await;
    for (rule, part) in [
        (
            "user.department -eq Sales",
            "a text in quotes, true, false, null or a list such as [\"a\",\"b\"] expected at position 20.",
        ),
        ("user.department -eq 'Sales' -and", "expected at position 32."),
        ("user.salary -eq '1'", "no property 'salary' here that a rule could ask about at position 0."),
        (
            "user.department -match '^S(?=a)'",
            "the regular expression is not valid at its character 3: look-around, including look-ahead and look-behind, is not supported at position 23.",
        ),
        ("user.department -match null", "a regular expression in quotes expected at position 23."),
        ("device.displayName -eq 'x'", "rules for devices are not supported here at position 0."),
        ("Direct Reports for \"x\"", "direct reports are not supported here"),
    ] {
        let message = scene.refused("POST", "/v1.0/groups", described("wrong", rule)).await;
        assert!(
            message.contains("'membershipRule'") && message.ends_with(part) || message.contains(part),
            "{message}"
        );
    }
    let long = format!("user.city -eq '{}'", "x".repeat(3_072));
    assert!(scene.refused("POST", "/v1.0/groups", described("long", &long)).await.contains("3072"));
    for (change, part) in [
        (json!({ "membershipRule": null }), "required for property 'membershipRule'"),
        (json!({ "groupTypes": [] }), "'membershipRule'"),
        (json!({ "membershipRuleProcessingState": "Off" }), "'membershipRuleProcessingState'"),
        (json!({ "isAssignableToRole": true }), "'groupTypes'"),
    ] {
        let mut body = described("wrong", SALES);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let message = scene.refused("POST", "/v1.0/groups", body).await;
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(scene.get("/v1.0/groups").await["value"], json!([]), "nothing was made");
}

#[tokio::test]
async fn r23_all_users_are_guests_too_unless_the_rule_says_otherwise() {
    let scene = Scene::new().await;
    let everybody = scene.make("everybody", "user.objectId -ne null").await;
    let own = scene.make("own", "user.objectId -ne null -and user.userType -eq \"Member\"").await;
    let accepted = scene.make("accepted", "user.externalUserState -eq \"Accepted\"").await;
    let guest = scene.world.invite(CONTOSO, "bob@fabrikam.test").await;
    let guest = guest["invitedUser"]["id"].as_str().unwrap().to_owned();
    assert!(scene.members(&everybody).await.contains(&guest), "with the invitation");
    assert!(!scene.members(&own).await.contains(&guest));
    assert!(scene.members(&own).await.contains(&scene.user("carol@contoso.test")));
    assert!(scene.members(&accepted).await.is_empty());
    let again = scene.world.make_guest("bob@fabrikam.test").await;
    assert_eq!(again, guest);
    assert_eq!(scene.members(&accepted).await, [guest.as_str()], "with the redemption");
    // Who is in a group by a rule does not read the rule as a guest.
    let token = scene.sign_in("bob@fabrikam.test", "openid User.Read GroupMember.Read.All").await;
    let seen = scene.world.graph(&token, "GET", &format!("/v1.0/groups/{everybody}"), None).await;
    assert_eq!((seen.status.as_u16(), seen.json().get("membershipRule")), (200, None));
}

#[tokio::test]
async fn r23_owning_a_group_is_not_enough_to_give_it_a_rule() {
    let scene = Scene::new().await;
    let scopes = "openid Group.ReadWrite.All";
    let (owner, admin) = (
        scene.sign_in("carol@contoso.test", scopes).await,
        scene.sign_in("alice@contoso.test", scopes).await,
    );
    let graph = async |token: &str, method: &str, path: &str, body: Value| {
        scene.world.graph(token, method, path, Some(body)).await
    };
    assert_eq!(graph(&owner, "POST", "/v1.0/groups", described("probe", SALES)).await.status, 403);
    let mut plain = described("probe", SALES);
    plain["groupTypes"] = json!([]);
    plain["membershipRule"] = Value::Null;
    let group = graph(&owner, "POST", "/v1.0/groups", plain).await;
    assert_eq!(group.status, 201, "{}", group.text);
    let path = format!("/v1.0/groups/{}", group.json()["id"].as_str().unwrap());
    let rule = json!({ "groupTypes": ["DynamicMembership"], "membershipRule": SALES });
    let before = scene.world.directory_refusals(CONTOSO);
    assert_eq!(graph(&owner, "PATCH", &path, rule.clone()).await.status, 403);
    assert_eq!(scene.world.directory_refusals(CONTOSO), before + 1);
    assert_eq!(graph(&admin, "PATCH", &path, rule).await.status, 204);
    for change in [
        json!({ "membershipRule": "user.mobile -startsWith '+49'" }),
        json!({ "membershipRuleProcessingState": "Paused" }),
        json!({ "groupTypes": [] }),
    ] {
        assert_eq!(graph(&owner, "PATCH", &path, change).await.status, 403);
    }
    assert_eq!(graph(&owner, "PATCH", &path, json!({ "description": "Mine" })).await.status, 204);
}

#[tokio::test]
async fn r36_a_group_that_gives_roles_has_no_rule() {
    let scene = Scene::new().await;
    let scopes = "openid Group.ReadWrite.All RoleManagement.ReadWrite.Directory";
    let admin = scene.sign_in("alice@contoso.test", scopes).await;
    let body = json!({ "displayName": "Admins", "mailEnabled": false, "mailNickname": "admins",
        "securityEnabled": true, "isAssignableToRole": true });
    let group = scene.world.graph(&admin, "POST", "/v1.0/groups", Some(body)).await;
    assert_eq!(group.status, 201, "{}", group.text);
    let path = format!("/v1.0/groups/{}", group.json()["id"].as_str().unwrap());
    let rule = json!({ "groupTypes": ["DynamicMembership"], "membershipRule": SALES });
    let answer = scene.world.graph(&admin, "PATCH", &path, Some(rule)).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn there_are_only_so_many_rules() {
    let limits = Limits::default().with(Limit::DynamicGroups, 1);
    let scene = Scene::with(Setup { limits, ..Setup::default() }).await;
    let group = scene.make("one", SALES).await;
    let message = scene.refused("POST", "/v1.0/groups", described("two", SALES)).await;
    assert!(message.contains("at most 1 groups with dynamic membership"), "{message}");
    scene.done("DELETE", &format!("/v1.0/groups/{group}"), Value::Null).await;
    scene.make("two", SALES).await;
    scene.refused("POST", &format!("/v1.0/directory/deletedItems/{group}/restore"), json!({})).await;
}

#[tokio::test]
async fn in_a_large_directory_a_job_finishes_what_the_write_began() {
    let scene = Scene::new().await;
    let tenant = scene.world.service.store().tenant(scene.world.tenant_id(CONTOSO));
    let carol = UserId::new(scene.user("carol@contoso.test").parse().unwrap());
    let like = tenant.read(|tx| tx.find_user(carol)).unwrap().unwrap();
    let write = tenant.write(move |tx| {
        for number in 0..1_000_u128 {
            let mut user = like.clone();
            user.id = UserId::new(Uuid::from_u128(0x5000_0000 + number));
            user.sign_in_name = format!("crowd-{number}@contoso.test");
            assert!(tx.add_user(&user, None)?);
        }
        Ok(Recorded::chore(Chore::Sweep, ()))
    });
    write.await.unwrap();
    let group: GroupId = scene.make("crowd", "user.userPrincipalName -ne null").await.parse().unwrap();
    let now = scene.world.moment().now;
    let count = || {
        tenant
            .read(|tx| Ok((tx.count_linked(&Within::LinkedTo(group, Link::Member))?, tx.count_users(None)?)))
    };
    assert_eq!(count().unwrap().0, 1_000);
    assert_eq!(scene.world.service.settle_memberships(now).await.unwrap(), 1);
    assert_eq!(scene.world.service.settle_memberships(now).await.unwrap(), 0);
    let (members, users) = count().unwrap();
    assert!(users > 1_000 && members == users, "{members} of {users}");
}
