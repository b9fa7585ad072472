use super::*;
use crate::Settings;
use crate::directory::{UserKey, UserPatch};
use crate::keys::KeyRing;
use crate::password::Passwords;
use crate::world::{built_in, complete};
use domain::audit::Origin;
use domain::directory::change::{self, NewValue};
use domain::entropy::Entropy;
use domain::id::{AppId, TenantId};
use domain::tenancy::domain_name::DomainName;
use domain::time::Timestamp;
use outbound::mail::Mailer;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU8, Ordering};
use store::{Options, Place, RootKey, Store};

const BASE: &str = "https://localhost:8443";

fn moment(seed: u8) -> Moment {
    let (now, entropy) = (Timestamp::from_millis(1_795_435_200_000), Entropy::new([seed; 32]));
    let origin =
        Origin { at: now, correlation: entropy.uuid("correlation"), address: None, user_agent: None };
    Moment { now, entropy, origin }
}

/// An empty server, and a supply of moments that never repeat.
struct Scene {
    service: Service,
    next: AtomicU8,
}

impl Scene {
    async fn new() -> Self {
        let root_key = RootKey::new([7; 32]);
        let store =
            Store::open(Options { place: Place::Memory, root_key, readers: 1, reruns: true }).unwrap();
        let keys = KeyRing::open(&store, &moment(0)).await.unwrap();
        let mailer = Mailer::in_memory("invites@localhost");
        let service = Service::new(store, keys, Settings::new(BASE), Passwords::new(2).unwrap(), mailer);
        Self { service, next: AtomicU8::new(1) }
    }

    fn moment(&self) -> Moment {
        moment(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn plan(&self, world: &Value, prunes: bool) -> Result<Plan, PlanError> {
        let world: World = serde_json::from_value(json!({ "tenants": world })).unwrap();
        self.service.plan_description(world, prunes, &self.moment())
    }

    /// What is planned, a line each.
    fn lines(&self, world: &Value, prunes: bool) -> Vec<String> {
        self.plan(world, prunes).unwrap().steps.iter().map(line).collect()
    }

    fn problem(&self, world: &Value) -> String {
        self.plan(world, false).unwrap_err().to_string()
    }

    async fn run(&self, world: &Value, prunes: bool) -> (Outcome, Vec<Made>) {
        let plan = self.plan(world, prunes).unwrap();
        let mut made = Vec::new();
        let outcome = self
            .service
            .apply_plan(&plan, &|| self.moment(), &mut |_, secrets| {
                made.extend_from_slice(secrets);
                ControlFlow::Continue(())
            })
            .await;
        (outcome, made)
    }

    async fn apply(&self, world: &Value) -> Vec<Made> {
        let (outcome, made) = self.run(world, false).await;
        assert!(outcome.stopped.is_none(), "{outcome:?}");
        made
    }

    fn tenant(&self, domain: &str) -> TenantId {
        let name = DomainName::parse(domain).unwrap();
        self.service.store.read(|tx| tx.find_domain_owner(&name)).unwrap().unwrap()
    }

    fn viewer(&self, domain: &str) -> domain::directory::permission::Viewer {
        here::operator(self.tenant(domain))
    }

    fn has_user(&self, domain: &str, name: &str) -> bool {
        let store = self.service.store.tenant(self.tenant(domain));
        store.read(|tx| tx.find_user_by_name(name)).unwrap().is_some()
    }

    /// Records and changes of a tenant so far.
    fn traces(&self, domain: &str) -> usize {
        let store = self.service.store.tenant(self.tenant(domain));
        store.read(|tx| tx.recent_directory_records(10_000)).unwrap().len()
    }
}

fn line(step: &Step) -> String {
    let sign = match step.action {
        Action::Create => '+',
        Action::Delete => '-',
        Action::Update => '~',
    };
    let changed = step.changed.iter().map(|changed| {
        format!(" {}: {} -> {}", changed.property, changed.before.as_deref().unwrap_or("none"), changed.after)
    });
    format!("{sign} {} {}{}", step.kind, step.name, changed.collect::<String>())
}

fn world() -> Value {
    json!([
        {
            "domain": "contoso.test", "displayName": "Contoso", "otherDomains": ["contoso.example"],
            "signInPageText": "Ask 555", "preferredLanguage": "en", "allowedToCreateTenants": false, "limits": { "objects": 1000 },
            "users": [
                { "userPrincipalName": "alice@contoso.test", "displayName": "Alice", "jobTitle": "Boss",
                  "roles": ["Global Administrator"] },
                { "userPrincipalName": "carol@contoso.example", "password": "Correct-Horse-1",
                  "otherMails": ["carol@home.test"], "roles": ["Guest Inviter"] }
            ],
            "guests": [{ "email": "bob@fabrikam.test", "displayName": "Bob", "sponsors": ["alice@contoso.test"] }],
            "groups": [
                { "displayName": "Sales", "mailNickname": "sales", "description": "Sell",
                  "members": ["carol@contoso.example", "bob@fabrikam.test", "Everybody", "Robot"],
                  "owners": ["alice@contoso.test"] },
                { "displayName": "Everybody" },
                { "displayName": "Team", "groupTypes": ["Unified"], "visibility": "Private" }
            ],
            "applications": [
                { "displayName": "Portal", "kind": "web",
                  "oauth2PermissionGrants": [{ "scope": "User.Read" }, { "resource": "Tasks", "scope": "Tasks.Read" }],
                  "redirectUris": ["https://portal.test/back"],
                  "permissions": ["User.Read"], "homePageUrl": "https://portal.test/" },
                { "displayName": "Tasks", "kind": "api", "scopes": ["Tasks.Read"],
                  "appRoles": [{ "value": "Tasks.Read.All", "description": "Reads every task" }],
                  "appRoleAssignedTo": [
                      { "principal": "Robot", "appRole": "Tasks.Read.All" },
                      { "principal": "carol@contoso.example", "appRole": "Tasks.Read.All" }
                  ] },
                { "displayName": "Robot", "kind": "daemon", "permissions": ["User.Read.All"] },
                { "displayName": "Idle", "kind": "daemon" },
                { "displayName": "Desktop", "kind": "native", "redirectUris": ["http://localhost"],
                  "multiTenant": true }
            ]
        },
        { "domain": "fabrikam.test", "displayName": "Fabrikam",
          "users": [{ "userPrincipalName": "bob@fabrikam.test", "displayName": "Bob" }] }
    ])
}

#[tokio::test]
async fn a_description_becomes_a_directory_and_then_nothing_is_left_to_do() {
    let scene = Scene::new().await;
    let made = scene.apply(&world()).await;
    let names: Vec<_> = made.iter().map(|made| (made.kind, made.name.as_str())).collect();
    // Carol's password was given; an API and a program of people have no secret.
    let expected = [
        ("user", "alice@contoso.test"),
        ("user", "bob@fabrikam.test"),
        ("application", "Portal"),
        ("application", "Robot"),
        ("application", "Idle"),
    ];
    assert_eq!(names, expected);
    let before = (scene.traces("contoso.test"), scene.traces("fabrikam.test"));
    assert!(scene.lines(&world(), true).is_empty(), "{:?}", scene.lines(&world(), true));
    assert!(scene.apply(&world()).await.is_empty());
    assert_eq!((scene.traces("contoso.test"), scene.traces("fabrikam.test")), before);
    assert_eq!(scene.service.recent_mail(10).unwrap().len(), 1, "one invitation");
}

#[tokio::test]
async fn a_seeded_world_is_as_its_description_says() {
    let scene = Scene::new().await;
    let seeded = complete(built_in(), BASE, &moment(200).entropy).unwrap();
    scene.service.seed(&seeded, &moment(201)).await.unwrap();
    let plan = scene.service.plan_description(seeded, true, &moment(202)).unwrap();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps.iter().map(line).collect::<Vec<_>>());
    // Nor when ids, passwords and secrets are left out.
    let plan = scene.service.plan_description(built_in(), true, &moment(203)).unwrap();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps.iter().map(line).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_what_differs_is_planned_and_planning_changes_nothing() {
    let scene = Scene::new().await;
    scene.apply(&world()).await;
    let mut other = world();
    other[0]["displayName"] = json!("Contoso Ltd");
    other[0]["users"][0]["jobTitle"] = json!("Chief");
    other[0]["users"][0]["city"] = json!("Oslo");
    other[0]["guests"][0]["displayName"] = json!("Robert");
    other[0]["groups"][0]["displayName"] = json!("Sales and more");
    other[0]["applications"][0]["redirectUris"] =
        json!(["https://portal.test/back", "https://portal.test/2"]);
    other[0]["applications"][1]["appRoleAssignmentRequired"] = json!(true);
    other[0]["applications"][0]["oauth2PermissionGrants"][0]["scope"] = json!("User.Read User.ReadBasic.All");
    other[0]["groups"][1]["members"] = json!(["alice@contoso.test"]);
    let before = scene.traces("contoso.test");
    let expected = [
        "~ tenant contoso.test displayName: \"Contoso\" -> \"Contoso Ltd\"",
        "~ user alice@contoso.test city: none -> \"Oslo\" jobTitle: \"Boss\" -> \"Chief\"",
        "~ guest bob@fabrikam.test displayName: \"Bob\" -> \"Robert\"",
        "~ application Portal redirectUris: [\"https://portal.test/back\"] -> [\"https://portal.test/back\", \"https://portal.test/2\"]",
        "~ service principal Tasks appRoleAssignmentRequired: false -> true",
        "~ group sales displayName: \"Sales\" -> \"Sales and more\"",
        "+ member of group \"Everybody\" alice@contoso.test",
        "~ permission grant on \"Microsoft Graph\" of application Portal scope: \"User.Read\" -> \"User.Read User.ReadBasic.All\"",
    ];
    assert_eq!(scene.lines(&other, false), expected);
    assert_eq!(scene.traces("contoso.test"), before, "a plan is no change");
    scene.apply(&other).await;
    assert!(scene.lines(&other, true).is_empty());
}

#[tokio::test]
async fn groups_with_a_rule_are_made_changed_and_given_up() {
    let scene = Scene::new().await;
    let described = |rule: Value| {
        let mut world = json!([{
            "domain": "contoso.test", "displayName": "Contoso",
            "users": [{ "userPrincipalName": "alice@contoso.test", "jobTitle": "Boss" },
                { "userPrincipalName": "dave@contoso.test", "jobTitle": "Clerk" }],
            "groups": [{ "displayName": "Ruled" }]
        }]);
        world[0]["groups"][0].as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        world
    };
    let dynamic = |rule: &str, state: &str| {
        described(json!({ "groupTypes": ["DynamicMembership"], "membershipRule": rule,
            "membershipRuleProcessingState": state }))
    };
    let group = || {
        let found: crate::world::WorldGroup =
            serde_json::from_value(json!({ "displayName": "Ruled" })).unwrap();
        let tenant = scene.viewer("contoso.test").tenant;
        here::find_group(&scene.service, tenant, &found).unwrap().unwrap()
    };
    let members = || {
        let within = store::Within::LinkedTo(group().id, domain::directory::group::Link::Member);
        let tenant = scene.service.store().tenant(scene.viewer("contoso.test").tenant);
        tenant.read(|tx| tx.count_linked(&within)).unwrap()
    };
    let first = dynamic("user.jobTitle -eq 'Boss'", "On");
    assert!(scene.lines(&first, false).contains(
        &"+ group Ruled displayName: none -> \"Ruled\" mailNickname: none -> \"Ruled\" membershipRule: none -> \"user.jobTitle -eq 'Boss'\"".to_owned()
    ));
    scene.apply(&first).await;
    assert!(scene.lines(&first, false).is_empty());
    assert_eq!((members(), group().is_security_enabled), (1, true));
    // What is left out stays.
    assert!(scene.lines(&described(json!({})), false).is_empty());

    let second = dynamic("user.jobTitle -match '^(boss|clerk)$'", "Paused");
    assert_eq!(
        scene.lines(&second, false),
        [
            "~ group Ruled membershipRule: \"user.jobTitle -eq 'Boss'\" -> \"user.jobTitle -match '^(boss|clerk)$'\" \
          membershipRuleProcessingState: \"On\" -> \"Paused\""
        ]
    );
    scene.apply(&second).await;
    assert_eq!(members(), 1, "paused");
    scene.apply(&dynamic("user.jobTitle -match '^(boss|clerk)$'", "On")).await;
    assert_eq!(members(), 2);

    let wrong = dynamic("user.jobTitle -is 'Boss'", "On");
    let problem = scene.problem(&wrong);
    assert!(
        problem.contains("groups / Ruled") && problem.contains("an operator such as -eq expected"),
        "{problem}"
    );
    assert!(problem.contains("14"), "the place: {problem}");
    let mut by_hand = second.clone();
    by_hand[0]["groups"][0]["members"] = json!(["dave@contoso.test"]);
    assert!(scene.problem(&by_hand).contains("has no `members` of its own"));

    let assigned = described(json!({ "groupTypes": [], "members": ["dave@contoso.test"] }));
    assert_eq!(
        scene.lines(&assigned, false),
        ["~ group Ruled membershipRule: \"user.jobTitle -match '^(boss|clerk)$'\" -> none \
          membershipRuleProcessingState: \"On\" -> none"]
    );
    scene.apply(&assigned).await;
    assert!(group().dynamic.is_none());
}

#[tokio::test]
async fn what_is_left_out_is_left_alone() {
    let scene = Scene::new().await;
    scene.apply(&world()).await;
    let bare = json!([{
        "domain": "contoso.test",
        "users": [{ "userPrincipalName": "alice@contoso.test" }],
        "groups": [{ "displayName": "Sales", "mailNickname": "sales" }],
        "applications": [{ "displayName": "Portal", "kind": "web" }, { "displayName": "Tasks", "kind": "api" }]
    }]);
    assert!(scene.lines(&bare, false).is_empty(), "{:?}", scene.lines(&bare, false));
}

#[tokio::test]
async fn only_what_was_applied_is_pruned() {
    let scene = Scene::new().await;
    scene.apply(&world()).await;
    // Two that somebody else made: a user, and a member of a group.
    let erin = json!([{ "domain": "contoso.test", "users": [{ "userPrincipalName": "erin@contoso.test" }] }]);
    let plan = scene.plan(&erin, false).unwrap();
    let Work::CreateUser { new, .. } = &plan.steps[0].work else { panic!("{plan:?}") };
    let new = crate::directory::NewUser { password: Some("Correct-Horse-2".to_owned()), ..new.clone() };
    let viewer = scene.viewer("contoso.test");
    let erin = scene.service.create_user(&viewer, new, &scene.moment()).await.unwrap().unwrap().user;
    let sales = json!({ "mailNickname": "sales" });
    let sales = here::find_group(&scene.service, viewer.tenant, &serde_json::from_value(sales).unwrap());
    let sales = sales.unwrap().unwrap().id;
    let member = domain::directory::group::Link::Member;
    let now = scene.moment();
    scene.service.add_link(&viewer, sales, member, erin.id.uuid(), &now).await.unwrap().unwrap();

    let less = json!([{
        "domain": "contoso.test",
        "users": [{ "userPrincipalName": "alice@contoso.test", "roles": ["Global Administrator"] }],
        "groups": [{ "displayName": "Sales", "mailNickname": "sales", "owners": ["alice@contoso.test"] }],
        "applications": [
            { "displayName": "Portal", "kind": "web" },
            { "displayName": "Tasks", "kind": "api" },
            { "displayName": "Robot", "kind": "daemon" }
        ]
    }]);
    assert!(scene.lines(&less, false).is_empty(), "nothing goes unless it is asked for");
    let mut lines = scene.lines(&less, true);
    lines.sort();
    let expected = [
        "- app role \"Tasks.Read.All\" of \"Tasks\" to Robot",
        "- app role \"Tasks.Read.All\" of \"Tasks\" to carol@contoso.example",
        "- app role \"User.Read.All\" of \"Microsoft Graph\" to Robot",
        "- application Desktop",
        "- application Idle",
        "- group Everybody",
        "- group Team",
        "- guest bob@fabrikam.test",
        "- member of group \"Sales\" Everybody",
        "- member of group \"Sales\" Robot",
        "- member of group \"Sales\" bob@fabrikam.test",
        "- member of group \"Sales\" carol@contoso.example",
        "- permission grant on \"Microsoft Graph\" of application Portal",
        "- permission grant on \"Tasks\" of application Portal",
        "- role \"Guest Inviter\" of carol@contoso.example",
        "- user carol@contoso.example",
    ];
    assert_eq!(lines, expected);
    let (outcome, _) = scene.run(&less, true).await;
    assert!(outcome.stopped.is_none(), "{outcome:?}");
    assert!(scene.lines(&less, true).is_empty(), "{:?}", scene.lines(&less, true));
    assert!(scene.has_user("contoso.test", "erin@contoso.test"));
    assert!(!scene.has_user("contoso.test", "carol@contoso.example"));
    assert!(
        scene.has_user("fabrikam.test", "bob@fabrikam.test"),
        "a tenant that is not described is not touched"
    );
    let store = scene.service.store.tenant(viewer.tenant);
    assert!(store.read(|tx| tx.is_linked(sales, member, erin.id.uuid())).unwrap());
}

#[tokio::test]
async fn a_refusal_stops_and_the_next_run_goes_on() {
    let scene = Scene::new().await;
    let mut described = world();
    described[0]["allowInvitesFrom"] = json!("none");
    let planned = scene.plan(&described, false).unwrap().steps.len();
    let (outcome, made) = scene.run(&described, false).await;
    let Some(Stop::Refused(Refusal::Invitation(InvitationRefusal::InviterNotAllowed))) = outcome.stopped
    else {
        panic!("{outcome:?}");
    };
    assert!(outcome.done > 0 && outcome.done < planned);
    assert!(scene.has_user("contoso.test", "alice@contoso.test"));
    assert!(scene.has_user("fabrikam.test", "bob@fabrikam.test"));
    assert_eq!(scene.plan(&described, false).unwrap().steps.len(), planned - outcome.done);
    described[0]["allowInvitesFrom"] = json!("everyone");
    let more = scene.apply(&described).await;
    assert!(scene.lines(&described, true).is_empty());
    // Nobody got a second password.
    assert_eq!(made.len() + more.len(), 5);
}

#[tokio::test]
async fn an_application_that_was_stopped_half_way_gets_the_rest() {
    let scene = Scene::new().await;
    let described = json!([{ "domain": "contoso.test", "displayName": "Contoso", "applications": [
        { "displayName": "Portal", "kind": "web" }, { "displayName": "Tasks", "kind": "api" }] }]);
    scene.apply(&json!([{ "domain": "contoso.test", "displayName": "Contoso" }])).await;
    // What a stop right after the registration leaves behind.
    let viewer = scene.viewer("contoso.test");
    for name in ["Portal", "Tasks"] {
        let changes = vec![domain::directory::application_change::Change::DisplayName(name.to_owned())];
        let made =
            scene.service.create_application(&viewer, changes, &scene.moment()).await.unwrap().unwrap();
        let store = scene.service.store.tenant(viewer.tenant);
        let applied = store::Applied {
            kind: "application".to_owned(),
            name: name.to_lowercase(),
            object: made.registration.id.uuid(),
        };
        let written = store.write(move |tx| {
            tx.put_applied(&applied, moment(0).now)?;
            Ok(store::Recorded::chore(store::Chore::Applied, ()))
        });
        written.await.unwrap();
    }
    let lines = scene.lines(&described, false);
    assert_eq!(lines[..2], ["+ service principal Portal", "+ secret of application Portal"]);
    assert!(lines[2].starts_with("~ application Tasks identifierUris: [] -> [\"api://"), "{lines:?}");
    assert_eq!(lines[3], "+ service principal Tasks");
    assert_eq!(scene.apply(&described).await.len(), 1);
    assert!(scene.lines(&described, true).is_empty());
}

#[tokio::test]
async fn a_daemon_holds_what_is_named_and_nothing_else() {
    let scene = Scene::new().await;
    scene.apply(&world()).await;
    let store = scene.service.store.tenant(scene.tenant("contoso.test"));
    let roles = |name: &str| {
        let described = serde_json::from_value(json!({ "displayName": name, "kind": "daemon" })).unwrap();
        let app = here::find_application(&scene.service, store.id(), &described).unwrap().unwrap();
        store.read(|tx| tx.find_app(app.app_id)).unwrap().unwrap().granted_roles.len()
    };
    assert_eq!(roles("Robot"), 2);
    assert_eq!(roles("Idle"), 0);
}

#[tokio::test]
async fn r22_no_id_and_no_secret_is_chosen_for_what_is_new() {
    let scene = Scene::new().await;
    let id = "11111111-2222-4333-8444-555555555555";
    let mut with = [world(), world(), world(), world()];
    with[0][0]["id"] = json!(id);
    with[1][0]["users"][0]["id"] = json!(id);
    with[2][0]["applications"][0]["appId"] = json!(id);
    with[3][0]["applications"][0]["secret"] = json!("chosen-by-somebody");
    for (described, place) in with.iter().zip(["contoso.test:", "alice@", "Portal", "Portal"]) {
        let problem = scene.problem(described);
        assert!(problem.contains(place) && problem.contains("fresh `hospes dev` world only"), "{problem}");
    }
    // Where the object is there, its own id is no choice.
    scene.apply(&world()).await;
    let mut described = world();
    described[0]["id"] = json!(scene.tenant("contoso.test").uuid());
    assert!(scene.lines(&described, false).is_empty());
}

#[tokio::test]
async fn mistakes_are_named_with_their_place_before_anything_is_made() {
    let scene = Scene::new().await;
    type Break = fn(&mut Value);
    let broken: [(Break, &str); 14] = [
        (|world| world[1]["domain"] = json!("contoso.test"), "contoso.test: this tenant is described twice"),
        (|world| world[0]["domain"] = json!("no domain"), "`domain` must be a domain name"),
        (
            |world| world[0]["users"][1]["userPrincipalName"] = json!("Alice@contoso.test"),
            "users / Alice@contoso.test: this user",
        ),
        (
            |world| world[0]["users"][1]["userPrincipalName"] = json!("carol@elsewhere.test"),
            "users / carol@elsewhere.test",
        ),
        (|world| world[0]["users"][1]["password"] = json!("short"), "PasswordWeak"),
        (|world| world[0]["users"][0]["roles"] = json!(["King"]), "`King` is no built-in role"),
        (
            |world| world[0]["groups"][0]["members"] = json!(["nobody@contoso.test"]),
            "groups / sales / members: nobody here is called `nobody@contoso.test`",
        ),
        (
            |world| world[0]["groups"][0]["members"] = json!(["Nothing"]),
            "no group or application here is called `Nothing`",
        ),
        (|world| world[0]["groups"][0]["members"] = json!(["Robot", "robot"]), "stands there twice"),
        (|world| world[0]["groups"][1]["displayName"] = json!("Portal"), "group"),
        (|world| world[0]["guests"][0]["email"] = json!("x@contoso.test"), "guests / x@contoso.test"),
        (
            |world| world[0]["applications"][0]["kind"] = json!("toaster"),
            "applications / Portal: kind must be",
        ),
        (|world| world[0]["applications"][2]["permissions"] = json!(["World.Rule"]), "World.Rule"),
        (
            |world| world[0]["applications"][1]["appRoleAssignedTo"][0]["appRole"] = json!("No"),
            "offers no app role `No`",
        ),
    ];
    for (break_it, hint) in broken {
        let mut described = world();
        break_it(&mut described);
        let problem = scene.problem(&described);
        assert!(problem.contains(hint), "{problem}");
        assert!(!scene.service.has_tenants().unwrap());
    }
}

#[tokio::test]
async fn two_of_a_name_in_the_directory_are_not_guessed_between() {
    let scene = Scene::new().await;
    let two = json!([{ "domain": "contoso.test", "displayName": "Contoso", "groups": [
        { "displayName": "Same", "mailNickname": "one" }, { "displayName": "Same", "mailNickname": "two" }] }]);
    scene.apply(&two).await;
    let by_name = json!([{ "domain": "contoso.test", "groups": [{ "displayName": "Same" }] }]);
    let problem = scene.problem(&by_name);
    assert!(problem.contains("2 groups have this name") && problem.contains("mailNickname"), "{problem}");
    assert!(scene.lines(&two, true).is_empty());
}

#[tokio::test]
async fn r24_whoever_takes_a_name_first_gets_nothing_that_the_description_gives_to_it() {
    use domain::directory::application_change::Change;
    use domain::directory::permission::{Actor, Viewer};
    let scene = Scene::new().await;
    let empty = json!([{ "domain": "contoso.test", "displayName": "Contoso",
        "users": [{ "userPrincipalName": "carol@contoso.test" }] }]);
    scene.apply(&empty).await;
    let tenant = scene.tenant("contoso.test");
    let carol = scene.service.store.tenant(tenant).read(|tx| tx.find_user_by_name("carol@contoso.test"));
    let carol = carol.unwrap().unwrap().id;
    let member = Viewer {
        tenant,
        actor: Actor::User {
            user: carol,
            user_type: domain::directory::user::UserType::Member,
            is_external: false,
            directory_roles: Vec::new(),
            without_role: domain::tenancy::tenant::WithoutRole::default(),
            app_id: AppId::new(uuid::Uuid::from_u128(1)),
            scopes: vec!["Application.ReadWrite.All".to_owned()],
        },
    };
    let register = async || {
        let changes = vec![Change::DisplayName("Robot".to_owned())];
        let made = scene.service.create_application(&member, changes, &scene.moment()).await;
        made.unwrap().unwrap().registration
    };
    let mut described = empty.clone();
    described[0]["applications"] =
        json!([{ "displayName": "Robot", "kind": "daemon", "permissions": ["User.Read.All"] }]);
    let taken = register().await;
    assert!(scene.problem(&described).contains(&taken.app_id.to_string()), "{}", scene.problem(&described));
    // Who is no owner any more may still know a secret.
    let (owned, key) = (crate::owners::Owned::Application, crate::applications::ApplicationKey::Id(taken.id));
    let left = scene.service.remove_owner(&member, owned(key), carol.uuid(), &scene.moment()).await;
    left.unwrap().unwrap();
    assert!(scene.problem(&described).contains("appId"));
    let mut by_id = described.clone();
    by_id[0]["applications"][0]["appId"] = json!(taken.app_id.to_string());
    assert!(scene.plan(&by_id, false).is_ok());
    let gone = scene.service.delete_application(&scene.viewer("contoso.test"), key, &scene.moment()).await;
    gone.unwrap().unwrap();

    // What was made by a description is found again, whoever registers another of its name.
    scene.apply(&described).await;
    register().await;
    assert!(scene.lines(&described, true).is_empty(), "{:?}", scene.lines(&described, true));
}

#[tokio::test]
async fn what_others_changed_is_brought_back() {
    let scene = Scene::new().await;
    scene.apply(&world()).await;
    let viewer = scene.viewer("contoso.test");
    let changes = vec![
        change::name("jobTitle", NewValue::Null).unwrap(),
        change::name("accountEnabled", NewValue::Bool(false)).unwrap(),
    ];
    let carol = UserKey::Name("carol@contoso.example".to_owned());
    let alice = UserKey::Name("alice@contoso.test".to_owned());
    let patch = UserPatch { changes, manager: None, password: None, must_change_password: false };
    scene.service.update_user(&viewer, &carol, patch.clone(), &scene.moment()).await.unwrap().unwrap();
    let patch = UserPatch { changes: patch.changes[..1].to_vec(), ..patch };
    scene.service.update_user(&viewer, &alice, patch, &scene.moment()).await.unwrap().unwrap();
    // Whether Carol may sign in is not described, so that stays as it is.
    assert_eq!(scene.lines(&world(), false), ["~ user alice@contoso.test jobTitle: none -> \"Boss\""]);
    scene.service.delete_user(&viewer, &carol, &scene.moment()).await.unwrap().unwrap();
    scene.apply(&world()).await;
    assert!(scene.has_user("contoso.test", "carol@contoso.example"));
    assert!(scene.lines(&world(), true).is_empty());
}

#[test]
fn an_app_id_names_one_application() {
    let described = |id: Option<AppId>| crate::world::WorldApplication {
        app_id: id.map(AppId::uuid),
        display_name: "Portal".to_owned(),
        ..crate::world::WorldApplication::default()
    };
    assert_eq!(described(None).key(), "portal");
    assert_ne!(described(Some(AppId::new(uuid::Uuid::from_u128(1)))).key(), "portal");
}

#[tokio::test]
async fn limits_hold_for_a_description_too_and_the_last_administrator_stays() {
    let scene = Scene::new().await;
    scene.apply(&world()).await;
    let mut described = world();
    described[0]["limits"]["objects"] = json!(5);
    assert_eq!(
        scene.lines(&described, false),
        ["~ tenant contoso.test limits: {objects: 1000} -> {objects: 5}"]
    );
    described[0]["groups"].as_array_mut().unwrap().push(json!({ "displayName": "One more" }));
    let (outcome, _) = scene.run(&described, false).await;
    let Some(Stop::Refused(Refusal::Directory(DirectoryRefusal::Full(_)))) = outcome.stopped else {
        panic!("{outcome:?}");
    };
    assert_eq!(outcome.done, 1);
    let nobody =
        json!([{ "domain": "contoso.test", "users": [{ "userPrincipalName": "alice@contoso.test" }] }]);
    let plan = scene.plan(&nobody, true).unwrap();
    let (outcome, _) = scene.run(&nobody, true).await;
    let Some(Stop::Refused(Refusal::Directory(DirectoryRefusal::LastAdministrator))) = outcome.stopped else {
        panic!("{outcome:?}");
    };
    assert_eq!(line(&plan.steps[outcome.done]), "- role \"Global Administrator\" of alice@contoso.test");
}

#[tokio::test]
async fn nothing_more_is_made_when_nobody_listens() {
    let scene = Scene::new().await;
    let plan = scene.plan(&world(), false).unwrap();
    let outcome =
        scene.service.apply_plan(&plan, &|| scene.moment(), &mut |_, _| ControlFlow::Break(())).await;
    assert!(matches!(outcome, Outcome { done: 1, stopped: Some(Stop::Unheard) }), "{outcome:?}");
    assert!(!scene.has_user("contoso.test", "alice@contoso.test"));
}
