//! Limits of what one object has, and of groups of a kind, hold as exactly as those in `limits`, by whatever way (facts:
//! limits §2, §3).

use crate::limits::{AT_ONCE, Attempt, Way, all_at_once, limited, make};
use domain::directory::first_party;
use domain::tenancy::limits::Limit;
use serde_json::{Value, json};
use service::apply::{Refusal, Stop};
use service::directory::DirectoryRefusal;
use service::seed::{self, WorldTenant};
use service::world::WorldGroup;
use std::ops::ControlFlow;
use testkit::{BASE, CONTOSO, World};
use uuid::Uuid;

/// At one below the limit, one of 64 gets in; after it is removed, exactly one more.
async fn holds_exactly<'a>(
    attempt: impl Fn(&'static str, usize) -> Attempt<'a>,
    remove: impl AsyncFn(String),
) {
    for round in ["a", "b"] {
        let made = all_at_once((0..AT_ONCE).map(|number| attempt(round, number)).collect());
        assert_eq!(made.len(), 1, "{round}: {made:?}");
        remove(made[0].clone()).await;
    }
}

async fn done(world: &World, token: &str, method: &str, path: &str, body: Option<Value>) -> Value {
    let answer = world.graph(token, method, path, body).await;
    assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
    if answer.text.is_empty() { Value::Null } else { answer.json() }
}

fn id_of(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_owner_or_sponsor() {
    let limits = [Limit::OwnersOfApplication, Limit::OwnersOfGroup, Limit::SponsorsOfGuest];
    let world = &limited(&limits.map(|limit| (limit, 2))).await;
    let token = &world.daemon_token(CONTOSO).await;
    let mut people = Vec::new();
    for number in 0..AT_ONCE {
        people.push(make(world, token, Way::Operator, format!("person{number}")).await.unwrap());
    }
    let group = make(world, token, Way::Group, "Owned".to_owned()).await.unwrap();
    let app = make(world, token, Way::Application, "Owned".to_owned()).await.unwrap();
    let registered = done(world, token, "GET", &format!("/v1.0/applications/{app}"), None).await;
    let asked = json!({ "appId": registered["appId"] });
    let instance = id_of(&done(world, token, "POST", "/v1.0/servicePrincipals", Some(asked)).await);
    let guest = make(world, token, Way::Invitation, "sponsored".to_owned()).await.unwrap();
    let alice = world.user("alice@contoso.test").id.unwrap().to_string();
    for (path, refusal) in [
        (format!("/v1.0/groups/{group}/owners"), "at most 2 owners"),
        (format!("/v1.0/applications/{app}/owners"), "as many owners as it may"),
        (format!("/v1.0/servicePrincipals/{instance}/owners"), "as many owners as it may"),
        (format!("/v1.0/users/{guest}/sponsors"), "at most 2 sponsors"),
    ] {
        let link = |id: &str| json!({ "@odata.id": format!("{BASE}/v1.0/directoryObjects/{id}") });
        let add = format!("{path}/$ref");
        // Whoever makes an application owns it.
        let known = done(world, token, "GET", &path, None).await["value"].as_array().unwrap().len();
        if known == 0 {
            done(world, token, "POST", &add, Some(link(&alice))).await;
        }
        let attempt = |_, number: usize| -> Attempt<'_> {
            let (person, add) = (people[number].clone(), add.clone());
            Box::pin(async move {
                let answer = world.graph(token, "POST", &add, Some(link(&person))).await;
                let is_full = answer.status == 400 && answer.text.contains(refusal);
                assert!(answer.status == 204 || is_full, "{}", answer.text);
                (answer.status == 204).then_some(person)
            })
        };
        let remove = async |person: String| {
            done(world, token, "DELETE", &format!("{path}/{person}/$ref"), None).await;
        };
        holds_exactly(attempt, remove).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_app_role_that_somebody_holds() {
    let world = &limited(&[(Limit::AppRolesOfPrincipal, 2)]).await;
    let token = &world.daemon_token(CONTOSO).await;
    let api = world.app(CONTOSO, "api").app_id.unwrap();
    let path = format!("/v1.0/applications(appId='{api}')");
    let mut roles = done(world, token, "GET", &path, None).await["appRoles"].as_array().unwrap().clone();
    let id = |number: usize| Uuid::from_u128(0x100 + number as u128).to_string();
    roles.extend((0..=AT_ONCE).map(|number| {
        json!({ "id": id(number), "value": format!("Role{number}"), "displayName": "Role", "description": "Role",
            "isEnabled": true, "allowedMemberTypes": ["User"] })
    }));
    done(world, token, "PATCH", &path, Some(json!({ "appRoles": roles }))).await;
    let api = done(world, token, "GET", &format!("/v1.0/servicePrincipals(appId='{api}')"), None).await;
    let api = &id_of(&api);
    let dave = &world.user("dave@contoso.test").id.unwrap().to_string();
    // From both ends, and of a group as of a person.
    let sales = &make(world, token, Way::Group, "sales".to_owned()).await.unwrap();
    for (set, principal) in [("users", dave), ("groups", sales)] {
        let give = move |number: usize| {
            let end = match number % 2 {
                0 => format!("{set}/{principal}/appRoleAssignments"),
                _ => format!("servicePrincipals/{api}/appRoleAssignedTo"),
            };
            let body = json!({ "principalId": principal, "resourceId": api, "appRoleId": id(number) });
            async move { world.graph(token, "POST", &format!("/v1.0/{end}"), Some(body)).await }
        };
        let first = give(AT_ONCE).await;
        assert_eq!(first.status, 201, "{}", first.text);
        let attempt = |_, number: usize| -> Attempt<'_> {
            let given = give(number);
            Box::pin(async move {
                let answer = given.await;
                if answer.status == 201 {
                    return Some(id_of(&answer.json()));
                }
                let is_full = answer.status == 400 && answer.text.contains("holds 2 app roles");
                assert!(is_full, "{}", answer.text);
                None
            })
        };
        let remove = async |assignment: String| {
            let path = format!("/v1.0/servicePrincipals/{api}/appRoleAssignedTo/{assignment}");
            done(world, token, "DELETE", &path, None).await;
        };
        holds_exactly(attempt, remove).await;
    }
}

#[tokio::test]
async fn an_administrators_yes_gives_no_more_app_roles_than_an_application_may_hold() {
    let world = limited(&[(Limit::AppRolesOfPrincipal, 1)]).await;
    let admin = world.daemon_token(CONTOSO).await;
    let client = world.app(CONTOSO, "spa").app_id.unwrap().to_string();
    let require = async |names: &[&str]| {
        let graph = first_party::graph();
        let role = |name: &&str| {
            let role = graph.roles.iter().find(|role| role.value == *name).unwrap();
            json!({ "id": role.id.to_string(), "type": "Role" })
        };
        let access: Vec<Value> = names.iter().map(role).collect();
        let body = json!({ "requiredResourceAccess": [
            { "resourceAppId": first_party::GRAPH_APP_ID.to_string(), "resourceAccess": access }] });
        done(&world, &admin, "PATCH", &format!("/v1.0/applications(appId='{client}')"), Some(body)).await;
    };
    let agree = async || {
        let mut browser = world.browser();
        let page = browser.get(&format!("{BASE}/{CONTOSO}/v2.0/adminconsent?client_id={client}")).await;
        let page = browser.sign_in(page, "alice@contoso.test").await;
        browser.press(&page, "accept", &[]).await
    };
    let held = async || {
        let path = format!("/v1.0/servicePrincipals(appId='{client}')/appRoleAssignments");
        done(&world, &admin, "GET", &path, None).await["value"].as_array().unwrap().len()
    };
    require(&["User.Read.All", "Group.Read.All"]).await;
    let refused = agree().await;
    assert!(refused.text.contains("AADSTS650052"), "{}", refused.text);
    assert_eq!(held().await, 0, "all or nothing");
    require(&["User.Read.All"]).await;
    assert!(agree().await.text.contains("Permissions granted"));
    assert_eq!(held().await, 1);
    // Once more is no more.
    assert!(agree().await.text.contains("Permissions granted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_federated_credential() {
    let world = &limited(&[(Limit::FederatedCredentialsOfApplication, 2)]).await;
    let token = &world.daemon_token(CONTOSO).await;
    let app = &make(world, token, Way::Application, "Trusting".to_owned()).await.unwrap();
    let path = &format!("/v1.0/applications/{app}/federatedIdentityCredentials");
    let new = |name: &str| {
        json!({ "name": name, "issuer": "https://ci.test", "subject": name,
            "audiences": ["api://AzureADTokenExchange"] })
    };
    done(world, token, "POST", path, Some(new("first"))).await;
    let attempt = |round: &'static str, number: usize| -> Attempt<'_> {
        let body = new(&format!("name-{round}{number}"));
        Box::pin(async move {
            let answer = world.graph(token, "POST", path, Some(body)).await;
            let is_full = answer.status == 400 && answer.text.contains("as many as it may");
            assert!(answer.status == 201 || is_full, "{}", answer.text);
            (answer.status == 201).then(|| id_of(&answer.json()))
        })
    };
    let remove = async |id: String| {
        done(world, token, "DELETE", &format!("{path}/{id}"), None).await;
    };
    holds_exactly(attempt, remove).await;
}

/// What a group is made with.
fn group(name: &str, more: Value) -> Value {
    let mut body =
        json!({ "displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Groups of that kind that are in the bin.
async fn binned(world: &World, token: &str, more: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..8 {
        let body = group(&format!("binned{number}"), more.clone());
        let id = id_of(&done(world, token, "POST", "/v1.0/groups", Some(body)).await);
        done(world, token, "DELETE", &format!("/v1.0/groups/{id}"), None).await;
        ids.push(id);
    }
    ids
}

/// The id of a group that Graph made or changed, or `None` where there are as many as may be.
async fn asked(
    world: &World,
    token: &str,
    ask: (&str, String, Option<Value>),
    id: Option<String>,
) -> Option<String> {
    let (method, path, body) = ask;
    let answer = world.graph(token, method, &path, body).await;
    if answer.status.is_success() {
        return Some(id.unwrap_or_else(|| id_of(&answer.json())));
    }
    // What was changed in the first round is deleted in the second.
    let is_expected = answer.text.contains("at most 2 groups") || (method == "PATCH" && answer.status == 404);
    assert!(is_expected, "{}", answer.text);
    None
}

/// By a description, as the operator.
async fn applied(world: &World, token: &str, name: String) -> Option<String> {
    let described = WorldGroup {
        display_name: name.clone(),
        mail_nickname: Some(name.clone()),
        is_assignable_to_role: Some(true),
        ..WorldGroup::default()
    };
    let contoso = WorldTenant {
        domain: CONTOSO.to_owned(),
        display_name: "Contoso".to_owned(),
        groups: vec![described],
        ..WorldTenant::default()
    };
    let description = seed::World { tenants: vec![contoso] };
    let plan = world.service.plan_description(description, false, &world.moment()).unwrap();
    let outcome =
        world.service.apply_plan(&plan, &|| world.moment(), &mut |_, _| ControlFlow::Continue(())).await;
    match outcome.stopped {
        None => {}
        Some(Stop::Refused(Refusal::Directory(DirectoryRefusal::TooManyRoleGroups(2)))) => return None,
        Some(stop) => panic!("{stop:?}"),
    }
    let path = format!("/v1.0/groups?$filter=mailNickname%20eq%20'{name}'");
    Some(id_of(&done(world, token, "GET", &path, None).await["value"][0]))
}

async fn delete_group(world: &World, token: &str, id: String) {
    done(world, token, "DELETE", &format!("/v1.0/groups/{id}"), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_group_that_roles_can_be_given_to() {
    let world = &limited(&[(Limit::RoleAssignableGroups, 2)]).await;
    let token = &world.daemon_token(CONTOSO).await;
    let kind = json!({ "isAssignableToRole": true });
    let deleted = binned(world, token, &kind).await;
    done(world, token, "POST", "/v1.0/groups", Some(group("first", kind.clone()))).await;
    let attempt = |round: &'static str, number: usize| -> Attempt<'_> {
        let name = format!("role{round}{number}");
        match number {
            0..8 => {
                let id = deleted[number].clone();
                let path = format!("/v1.0/directory/deletedItems/{id}/restore");
                Box::pin(asked(world, token, ("POST", path, None), Some(id)))
            }
            8..24 => Box::pin(applied(world, token, name)),
            _ => {
                let body = group(&name, kind.clone());
                Box::pin(asked(world, token, ("POST", "/v1.0/groups".to_owned(), Some(body)), None))
            }
        }
    };
    holds_exactly(attempt, async |id| delete_group(world, token, id).await).await;
    // Other groups are not counted.
    assert!(make(world, token, Way::Group, "plain".to_owned()).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_dynamic_group() {
    let world = &limited(&[(Limit::DynamicGroups, 2)]).await;
    let token = &world.daemon_token(CONTOSO).await;
    let kind = json!({ "groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq \"Sales\"",
        "membershipRuleProcessingState": "On" });
    let deleted = binned(world, token, &kind).await;
    let mut assigned = Vec::new();
    for number in 0..8 {
        assigned.push(make(world, token, Way::Group, format!("assigned{number}")).await.unwrap());
    }
    done(world, token, "POST", "/v1.0/groups", Some(group("first", kind.clone()))).await;
    let attempt = |round: &'static str, number: usize| -> Attempt<'_> {
        match number {
            0..8 => {
                let id = deleted[number].clone();
                let path = format!("/v1.0/directory/deletedItems/{id}/restore");
                Box::pin(asked(world, token, ("POST", path, None), Some(id)))
            }
            8..16 => {
                let id = assigned[number - 8].clone();
                let path = format!("/v1.0/groups/{id}");
                Box::pin(asked(world, token, ("PATCH", path, Some(kind.clone())), Some(id)))
            }
            _ => {
                let body = group(&format!("dynamic{round}{number}"), kind.clone());
                Box::pin(asked(world, token, ("POST", "/v1.0/groups".to_owned(), Some(body)), None))
            }
        }
    };
    holds_exactly(attempt, async |id| delete_group(world, token, id).await).await;
}
