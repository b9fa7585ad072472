//! Delta queries: a mirror that is kept by nothing else always comes to equal the directory.

use axum::body::Body;
use domain::time::Span;
use http::{Request, header};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Answer, BASE, CONTOSO, FABRIKAM, World};

struct Scene {
    world: World,
    token: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let token = world.daemon_token(CONTOSO).await;
        Self { world, token }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.world.graph(&self.token, method, path, body).await
    }

    async fn done(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let answer = self.ask(method, path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
        answer
    }

    async fn get(&self, path: &str) -> Value {
        self.done("GET", path, None).await.json()
    }

    /// One page, with a preference, which the answer says it honours.
    async fn page(&self, address: &str, prefer: &str) -> Value {
        let path = address.strip_prefix(BASE).unwrap_or(address);
        let request = Request::get(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header("Prefer", prefer);
        let answer = self.world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let applied = answer.headers.get("preference-applied").map_or("", |value| value.to_str().unwrap());
        assert_eq!(applied, prefer);
        answer.json()
    }

    /// All pages of a round: what they hold, and the link of the next round.
    async fn round(&self, address: &str) -> (Vec<Value>, String) {
        let (mut items, mut address) = (Vec::new(), address.to_owned());
        loop {
            let page = self.page(&address, "odata.maxpagesize=3").await;
            items.extend(page["value"].as_array().unwrap().iter().cloned());
            if let Some(link) = page["@odata.deltaLink"].as_str() {
                return (items, link.to_owned());
            }
            address = page["@odata.nextLink"].as_str().unwrap().to_owned();
        }
    }

    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<String> = members.iter().map(|id| format!("/v1.0/directoryObjects/{id}")).collect();
        let mut body = json!({ "displayName": name, "mailEnabled": false, "mailNickname": name,
            "securityEnabled": true });
        if !members.is_empty() {
            body["members@odata.bind"] = json!(members);
        }
        self.done("POST", "/v1.0/groups", Some(body)).await.json()["id"].as_str().unwrap().to_owned()
    }

    async fn link(&self, group: &str, object: &str) -> Answer {
        let body = json!({ "@odata.id": format!("/v1.0/directoryObjects/{object}") });
        self.ask("POST", &format!("/v1.0/groups/{group}/members/$ref"), Some(body)).await
    }

    fn user(&self, name: &str) -> String {
        self.world.user(name).id.unwrap().to_string()
    }
}

const fn nothing() -> Vec<Value> {
    Vec::new()
}

#[tokio::test]
async fn after_the_first_round_only_what_changed_is_told() {
    let scene = Scene::new().await;
    let (carol, dave) = (scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    let (first, link) = scene.round("/v1.0/users/delta?$select=displayName").await;
    let all = scene.get("/v1.0/users?$select=id,displayName&$top=999").await;
    assert_eq!(&json!(first), &all["value"]);
    let (quiet, link) = scene.round(&link).await;
    assert_eq!(quiet, nothing());

    let patch = |id: &str| format!("/v1.0/users/{id}");
    scene.done("PATCH", &patch(&carol), Some(json!({ "displayName": "Carol A" }))).await;
    scene.done("PATCH", &patch(&carol), Some(json!({ "displayName": "Carol B" }))).await;
    scene.done("PATCH", &patch(&dave), Some(json!({ "jobTitle": "Chief" }))).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!(told, [json!({ "id": carol, "displayName": "Carol B" })]);
    scene.done("DELETE", &patch(&dave), None).await;
    let gone = |reason: &str| json!({ "id": dave, "@removed": { "reason": reason } });
    let (told, link) = scene.round(&link).await;
    assert_eq!(told, [gone("changed")]);

    let bin = format!("/v1.0/directory/deletedItems/{dave}");
    scene.done("POST", &format!("{bin}/restore"), None).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!((told.len(), &told[0]["id"], told[0].get("@removed")), (1, &json!(dave), None));
    assert!(told[0]["displayName"].is_string());
    scene.done("DELETE", &patch(&dave), None).await;
    scene.done("DELETE", &bin, None).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!(told, [gone("deleted")]);
    assert_eq!(scene.round(&link).await.0, nothing());
}

#[tokio::test]
async fn groups_tell_who_came_and_went() {
    let scene = Scene::new().await;
    let (alice, carol, dave) =
        (scene.user("alice@contoso.test"), scene.user("carol@contoso.test"), scene.user("dave@contoso.test"));
    let group = scene.group("crew", &[&alice, &carol]).await;
    let (first, link) = scene.round("/v1.0/groups/delta()?$select=displayName,members").await;
    let told = first.iter().find(|item| item["id"] == *group).unwrap();
    assert_eq!(told["displayName"], "crew");
    assert_eq!(told["members@delta"].as_array().unwrap().len(), 2);
    let member = |id: &str| json!({ "@odata.type": "#microsoft.graph.user", "id": id });
    let left = |id: &str| json!({ "@odata.type": "#microsoft.graph.user", "id": id, "@removed": { "reason": "deleted" } });
    let sorted = |mut items: Vec<Value>| {
        items.sort_by_key(|item| item["id"].as_str().unwrap().to_owned());
        Value::from(items)
    };

    assert_eq!(scene.link(&group, &dave).await.status, 204);
    scene.done("DELETE", &format!("/v1.0/groups/{group}/members/{carol}/$ref"), None).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!(told[0]["members@delta"], sorted(vec![member(&dave), left(&carol)]));

    // Whoever is deleted is in no list of members.
    scene.done("DELETE", &format!("/v1.0/users/{dave}"), None).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!(told[0]["members@delta"], json!([left(&dave)]));
    scene.done("POST", &format!("/v1.0/directory/deletedItems/{dave}/restore"), None).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!(told[0]["members@delta"], json!([member(&dave)]));

    // A group that comes back brings all its members.
    scene.done("DELETE", &format!("/v1.0/groups/{group}"), None).await;
    scene.done("POST", &format!("/v1.0/directory/deletedItems/{group}/restore"), None).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!(told[0]["members@delta"], sorted(vec![member(&alice), member(&dave)]));

    // Only what was selected, and with return=minimal only what changed of it.
    let start = "/v1.0/groups/delta?$deltatoken=latest&$select=displayName";
    let (none, names) = scene.round(start).await;
    assert_eq!(none, nothing());
    scene.done("DELETE", &format!("/v1.0/groups/{group}/members/{alice}/$ref"), None).await;
    assert_eq!(scene.round(&names).await.0, nothing());
    let patch = json!({ "description": "Sails" });
    scene.done("PATCH", &format!("/v1.0/groups/{group}"), Some(patch.clone())).await;
    let link = scene.round(&link).await.1;
    scene.done("PATCH", &format!("/v1.0/groups/{group}"), Some(json!({ "displayName": "Crew" }))).await;
    let told = scene.page(&link, "return=minimal").await;
    assert_eq!(told["value"], json!([{ "id": group, "displayName": "Crew" }]));
}

#[tokio::test]
async fn only_preferences_that_are_honoured_are_said_to_be() {
    let scene = Scene::new().await;
    let both = "return=minimal, odata.maxpagesize=2";
    let ask = |id: &str, url: &str, prefer: &str| json!({ "id": id, "method": "GET", "url": url, "headers": { "Prefer": prefer } });
    let requests = json!({ "requests": [
        ask("1", "/users/delta", both),
        ask("2", "/users/delta", "odata.maxpagesize=5000"),
        ask("3", "/users/delta", "respond-async"),
        ask("4", "/applications/delta?$top=1", "odata.maxpagesize=2"),
        ask("5", "/users", both),
    ] });
    let answers = scene.done("POST", "/v1.0/$batch", Some(requests)).await.json();
    for (id, expected) in [
        ("1", json!(both)),
        ("2", json!("odata.maxpagesize=100")),
        ("3", Value::Null),
        ("4", Value::Null),
        ("5", Value::Null),
    ] {
        let mut answers = answers["responses"].as_array().unwrap().iter();
        let answer = answers.find(|answer| answer["id"] == id).unwrap();
        assert_eq!(
            (&answer["status"], &answer["headers"]["Preference-Applied"]),
            (&json!(200), &expected),
            "{id}"
        );
    }
}

#[tokio::test]
async fn members_of_a_large_group_come_in_pieces() {
    let scene = Scene::new().await;
    let mut inner = BTreeSet::new();
    for index in 0..17 {
        inner.insert(scene.group(&format!("inner{index}"), &[]).await);
    }
    let group = scene.group("outer", &[]).await;
    for id in &inner {
        assert_eq!(scene.link(&group, id).await.status, 204);
    }
    let (items, _) = scene.round(&format!("/v1.0/groups/delta?$filter=id%20eq%20'{group}'")).await;
    assert_eq!(items.len(), 3, "six members in a page");
    let members: Vec<&str> = items
        .iter()
        .flat_map(|item| item["members@delta"].as_array().unwrap())
        .map(|member| member["id"].as_str().unwrap())
        .collect();
    assert_eq!(members, inner.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_delta_query_cannot_do_is_refused() {
    let scene = Scene::new().await;
    let many: Vec<String> =
        (0..51).map(|id| format!("'00000000-0000-0000-0000-0000000000{id:02}'")).collect();
    let many = format!("$filter=id%20in%20({})", many.join(","));
    for (kind, queries) in [
        (
            "users",
            &["$top=5", "$expand=manager", "$search=%22a%22", "$orderby=displayName", many.as_str()][..],
        ),
        (
            "groups",
            &["$top=5", "$expand=members", "$count=true", "$filter=displayName%20eq%20'a'", "$select=magic"],
        ),
        ("applications", &["$orderby=displayName", "$select=members", "$deltatoken=a&$skiptoken=a"]),
        ("servicePrincipals", &["$expand=owners", "$deltatoken=magic", "$skiptoken=magic"]),
    ] {
        for query in queries {
            let answer = scene.ask("GET", &format!("/v1.0/{kind}/delta?{query}"), None).await;
            assert_eq!(answer.status, 400, "{kind} {query}: {}", answer.text);
        }
    }
    let some = scene.page("/v1.0/applications/delta?$top=1", "").await;
    assert_eq!(some["value"].as_array().unwrap().len(), 1);
    assert!(some["@odata.nextLink"].as_str().unwrap().contains("%24top=1"));
}

#[tokio::test]
async fn a_token_is_good_for_its_own_query_and_caller_only() {
    let scene = Scene::new().await;
    let (_, link) = scene.round("/v1.0/users/delta?$select=id,displayName").await;
    let path = link.strip_prefix(BASE).unwrap();
    let (_, token) = path.split_once('=').unwrap();
    let status = |token: String, path: String| {
        let world = &scene.world;
        async move { world.graph(&token, "GET", &path, None).await.status.as_u16() }
    };
    let own = scene.token.clone();
    assert_eq!(status(own.clone(), format!("{path}&$select=id,displayName")).await, 200);
    assert_eq!(status(own.clone(), format!("{path}&$select=id")).await, 400);
    assert_eq!(status(own.clone(), format!("/v1.0/groups/delta?$deltatoken={token}")).await, 400);
    assert_eq!(status(own.clone(), format!("/v1.0/users/delta?$skiptoken={token}")).await, 400);
    assert_eq!(status(own.clone(), format!("/v1.0/users?$skiptoken={token}")).await, 400);
    assert_eq!(status(own.clone(), format!("/v1.0/users?$deltatoken={token}")).await, 400);
    let bend = |(at, letter): (usize, char)| match (at, letter) {
        (30, 'A') => 'B',
        (30, _) => 'A',
        (_, letter) => letter,
    };
    let bent: String = token.chars().enumerate().map(bend).collect();
    assert_eq!(status(own.clone(), format!("/v1.0/users/delta?$deltatoken={bent}")).await, 400);
    let alice = scene.world.sign_in(CONTOSO, "web", "alice@contoso.test", "User.Read.All").await;
    if let Some(alice) = alice["access_token"].as_str() {
        assert_eq!(status(alice.to_owned(), path.to_owned()).await, 400);
    }
    let foreign = scene.world.daemon_token(FABRIKAM).await;
    assert_eq!(status(foreign, path.to_owned()).await, 400);
    assert_eq!(status(own, path.to_owned()).await, 200);
}

#[tokio::test]
async fn after_a_week_a_client_begins_anew() {
    let mut scene = Scene::new().await;
    let alice = scene.user("alice@contoso.test");
    let start = format!("/v1.0/users/delta?$select=id,mail&$filter=id%20eq%20'{alice}'");
    let (first, link) = scene.round(&start).await;
    let path = link.strip_prefix(BASE).unwrap().to_owned();
    scene.world.advance(Span::days(7));
    scene.token = scene.world.daemon_token(CONTOSO).await;
    assert_eq!(scene.ask("GET", &path, None).await.status, 200);
    scene.world.advance(Span::millis(1));
    let old = scene.ask("GET", &path, None).await;
    assert_eq!((old.status.as_u16(), &old.json()["error"]["code"]), (410, &json!("syncStateNotFound")));
    let anew = old.headers[header::LOCATION].to_str().unwrap();
    assert_eq!(scene.round(anew).await.0, first);
}

#[tokio::test]
async fn the_log_is_trimmed_behind_every_token_that_is_good() {
    let mut scene = Scene::new().await;
    let (_, link) = scene.round("/v1.0/users/delta").await;
    let moment = |scene: &Scene| scene.world.moment().now;
    let dave = scene.user("dave@contoso.test");
    let patch = format!("/v1.0/users/{dave}");
    scene.done("PATCH", &patch, Some(json!({ "jobTitle": "Chief" }))).await;
    scene.world.advance(Span::days(7));
    scene.world.service.sweep(moment(&scene)).await.unwrap();
    scene.token = scene.world.daemon_token(CONTOSO).await;
    let (told, link) = scene.round(&link).await;
    assert_eq!((told.len(), &told[0]["jobTitle"]), (1, &json!("Chief")));
    let bounds = || scene.world.service.store().read(|tx| tx.log_bounds()).unwrap();
    assert_eq!(bounds().trimmed, 0);
    scene.world.advance(Span::days(14));
    scene.world.service.sweep(moment(&scene)).await.unwrap();
    let after = bounds();
    assert!(after.trimmed > 0 && after.trimmed < after.last, "{after:?}");
    scene.token = scene.world.daemon_token(CONTOSO).await;
    let path = link.strip_prefix(BASE).unwrap();
    assert_eq!(scene.ask("GET", path, None).await.status, 410);
    // Numbers go on where they were.
    let (_, link) = scene.round("/v1.0/users/delta?$deltaToken=LATEST").await;
    scene.done("PATCH", &patch, Some(json!({ "jobTitle": "Boss" }))).await;
    assert_eq!(scene.round(&link).await.0[0]["jobTitle"], "Boss");
}

#[tokio::test]
async fn r23_a_basic_reader_is_told_basic_things_only() {
    let scene = Scene::new().await;
    let basic = scene.world.sign_in(CONTOSO, "web", "carol@contoso.test", "User.ReadBasic.All").await;
    let Some(basic) = basic["access_token"].as_str() else { panic!("{basic}") };
    let reader = Scene { world: scene.world, token: basic.to_owned() };
    let daemon = reader.world.daemon_token(CONTOSO).await;
    let (first, link) = reader.round("/v1.0/users/delta?$select=displayName,jobTitle,accountEnabled").await;
    let names = |item: &Value| item.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    for item in &first {
        assert_eq!(names(item), BTreeSet::from(["displayName".to_owned(), "id".to_owned()]));
    }
    let dave = format!("/v1.0/users/{}", reader.user("dave@contoso.test"));
    let hidden = json!({ "jobTitle": "Spy", "accountEnabled": false });
    reader.world.graph(&daemon, "PATCH", &dave, Some(hidden)).await;
    let (told, _) = reader.round(&link).await;
    assert_eq!(told, nothing(), "not even that something changed");
}

/// Chance that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides as u64).unwrap()
    }
    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.roll(items.len())) }
    }
}

/// What a client knows of one kind, from deltas alone.
struct Mirror {
    kind: &'static str,
    link: String,
    objects: BTreeMap<String, Value>,
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Mirror {
    fn new(kind: &'static str) -> Self {
        let link = format!("/v1.0/{kind}/delta?$select={}", Self::select(kind));
        Self { kind, link, objects: BTreeMap::new(), members: BTreeMap::new() }
    }

    fn select(kind: &str) -> &'static str {
        match kind {
            "applications" => "id,displayName,passwordCredentials",
            "groups" => "id,displayName,description,members",
            "servicePrincipals" => "id,displayName,accountEnabled",
            _ => "id,displayName,jobTitle,accountEnabled",
        }
    }

    /// Reads one page; answers whether the round is over.
    async fn step(&mut self, scene: &Scene, size: usize) -> bool {
        let page = scene.page(&self.link, &format!("odata.maxpagesize={size}")).await;
        for item in page["value"].as_array().unwrap() {
            let id = item["id"].as_str().unwrap().to_owned();
            if item.get("@removed").is_some() {
                self.objects.remove(&id);
                self.members.remove(&id);
                continue;
            }
            let mut object = item.clone();
            let told = object.as_object_mut().unwrap().remove("members@delta");
            let members = self.members.entry(id.clone()).or_default();
            for member in told.as_ref().and_then(Value::as_array).into_iter().flatten() {
                let member_id = member["id"].as_str().unwrap().to_owned();
                match member.get("@removed") {
                    Some(_) => members.remove(&member_id),
                    None => members.insert(member_id),
                };
            }
            self.objects.insert(id, object);
        }
        let next = page["@odata.nextLink"].as_str().or(page["@odata.deltaLink"].as_str());
        self.link = next.unwrap().to_owned();
        page.get("@odata.deltaLink").is_some()
    }

    /// Reads to the end of this round and the whole of the next, while nothing happens; then nothing may be missing.
    async fn must_equal(&mut self, scene: &Scene, seed: u64) {
        for _ in 0..2 {
            while !self.step(scene, 3).await {}
        }
        let select = Self::select(self.kind).replace(",members", "");
        let all = scene.get(&format!("/v1.0/{}?$top=999&$select={select}", self.kind)).await;
        let all: BTreeMap<String, Value> = all["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (item["id"].as_str().unwrap().to_owned(), item.clone()))
            .collect();
        assert_eq!(self.objects, all, "{} of seed {seed}", self.kind);
        if self.kind != "groups" {
            return;
        }
        for id in all.keys() {
            let members = scene.get(&format!("/v1.0/groups/{id}/members?$top=999&$select=id")).await;
            let members: BTreeSet<String> = members["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|member| member["id"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(self.members[id], members, "members of {id}, seed {seed}");
        }
    }
}

/// Things that were made, whatever became of them.
#[derive(Default)]
struct Made {
    users: Vec<String>,
    groups: Vec<String>,
    applications: Vec<(String, String)>,
    instances: Vec<String>,
    count: usize,
}

/// One random write. Those that cannot be done now are refused, and change nothing.
async fn write(scene: &Scene, dice: &mut Dice, made: &mut Made) {
    made.count += 1;
    let name = format!("n{}", made.count);
    let objects: Vec<String> =
        made.users.iter().chain(&made.groups).chain(&made.instances).cloned().collect();
    let target = [&made.users, &made.groups][dice.roll(2)];
    let (object, kind) = (dice.pick(target).cloned().unwrap_or_default(), ["users", "groups"]);
    let kind = kind[usize::from(made.groups.contains(&object))];
    let bin = format!("/v1.0/directory/deletedItems/{object}");
    let group = dice.pick(&made.groups).cloned().unwrap_or_default();
    let other = dice.pick(&objects).cloned().unwrap_or_default();
    let (app, app_id) = dice.pick(&made.applications).cloned().unwrap_or_default();
    let instance = dice.pick(&made.instances).cloned().unwrap_or_default();
    let app_path = format!("/v1.0/applications/{app}");
    let links = format!("/v1.0/groups/{group}/members");
    let id = |answer: &Answer| answer.json()["id"].as_str().map(str::to_owned);
    let answer = match dice.roll(30) {
        0 if made.users.len() < 8 => {
            let body = json!({ "invitedUserEmailAddress": format!("{name}@elsewhere.test"),
                "inviteRedirectUrl": format!("{BASE}/myapps") });
            let answer = scene.ask("POST", "/v1.0/invitations", Some(body)).await;
            made.users.extend(answer.json()["invitedUser"]["id"].as_str().map(str::to_owned));
            answer
        }
        1 => {
            made.groups.push(scene.group(&name, &[]).await);
            return;
        }
        2..=4 => {
            scene.ask("PATCH", &format!("/v1.0/{kind}/{object}"), Some(json!({ "displayName": name }))).await
        }
        5 => scene.ask("PATCH", &format!("/v1.0/users/{object}"), Some(json!({ "jobTitle": name }))).await,
        6 => scene.ask("DELETE", &format!("/v1.0/{kind}/{object}"), None).await,
        7..=9 => scene.ask("POST", &format!("{bin}/restore"), None).await,
        10 => scene.ask("DELETE", &bin, None).await,
        0 | 11 | 12 | 20.. => scene.link(&group, &other).await,
        13 => scene.ask("DELETE", &format!("{links}/{other}/$ref"), None).await,
        14 => {
            let answer = scene.ask("POST", "/v1.0/applications", Some(json!({ "displayName": name }))).await;
            let app_id = answer.json()["appId"].as_str().unwrap().to_owned();
            made.applications.push((id(&answer).unwrap(), app_id));
            answer
        }
        15 => {
            let answer = scene.ask("POST", "/v1.0/servicePrincipals", Some(json!({ "appId": app_id }))).await;
            made.instances.extend(id(&answer));
            answer
        }
        16 => scene.ask("PATCH", &app_path, Some(json!({ "displayName": name }))).await,
        17 => scene.ask("POST", &format!("{app_path}/addPassword"), Some(json!({}))).await,
        18 => match dice.roll(3) {
            0 => scene.ask("DELETE", &app_path, None).await,
            1 => scene.ask("POST", &format!("/v1.0/directory/deletedItems/{app}/restore"), None).await,
            _ => scene.ask("DELETE", &format!("/v1.0/directory/deletedItems/{app}"), None).await,
        },
        _ => match dice.roll(5) {
            0 | 1 => scene.ask("DELETE", &format!("/v1.0/servicePrincipals/{instance}"), None).await,
            2 => scene.ask("POST", &format!("/v1.0/directory/deletedItems/{instance}/restore"), None).await,
            3 => scene.ask("DELETE", &format!("/v1.0/directory/deletedItems/{instance}"), None).await,
            _ => {
                let switch = json!({ "accountEnabled": dice.roll(2) == 0 });
                scene.ask("PATCH", &format!("/v1.0/servicePrincipals/{instance}"), Some(switch)).await
            }
        },
    };
    assert!(answer.status.as_u16() < 500, "{}", answer.text);
}

#[tokio::test]
async fn a_mirror_kept_by_deltas_alone_comes_to_equal_the_directory() {
    for seed in 1..=6 {
        let scene = Scene::new().await;
        let mut dice = Dice(seed);
        let mut made = Made::default();
        let mut mirrors = ["users", "groups", "applications", "servicePrincipals"].map(Mirror::new);
        for _ in 0..40 {
            write(&scene, &mut dice, &mut made).await;
        }
        for _ in 0..4 {
            for _ in 0..40 {
                match dice.roll(3) {
                    0 => {
                        let size = dice.roll(4) + 1;
                        let mirror = dice.roll(4);
                        mirrors[mirror].step(&scene, size).await;
                    }
                    _ => write(&scene, &mut dice, &mut made).await,
                }
            }
            for mirror in &mut mirrors {
                mirror.must_equal(&scene, seed).await;
            }
        }
    }
}
