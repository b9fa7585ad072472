//! Members and guests, and the directory roles of members.

use super::here::{Here, Named, id_is_made, same};
use super::work::Work;
use super::{Action, Changed, Found, PlanError, changed, refused, text, texts, wrong};
use crate::directory::{NewUser, allow, check_new_user};
use crate::world::WorldUser;
use domain::b2b::invitation::Refusal as InvitationRefusal;
use domain::directory::change::{self, Change, NewValue};
use domain::directory::permission::Operation;
use domain::directory::property::{Property, Source};
use domain::directory::role;
use domain::directory::user::User;
use domain::id::AppId;
use domain::tenancy::domain_name::Address;
use std::collections::BTreeSet;

pub(super) fn users(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    let mut names = BTreeSet::new();
    for (index, described) in here.described.users.iter().enumerate() {
        let name = &described.user_principal_name;
        let place = here.place(&format!("users / {name}"));
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(wrong(&place, "this user is described twice"));
        }
        let user = here.user(name)?;
        if described.id.is_some_and(|id| user.as_ref().is_none_or(|user| user.id.uuid() != id)) {
            return Err(id_is_made(&place));
        }
        let Some(user) = user else {
            let new = new_user(described).map_err(|refusal| refused(&place, refusal))?;
            check_new_user(&new, &here.viewer(), &here.tenant, &here.moment)
                .map_err(|refusal| refused(&place, refusal))?;
            let shown = changed("displayName", None, Some(text(described.shown_name())));
            let work = Work::CreateUser { at: here.at, index, new };
            found.push(Some(here.step(Action::Create, "user", name, shown.into_iter().collect(), work)));
            continue;
        };
        let (changes, shown) = differences(here, &user, &described.properties(), &place)?;
        let work = Work::UpdateUser { at: here.at, user: user.id, changes };
        found.push((!shown.is_empty()).then(|| here.step(Action::Update, "user", name, shown, work)));
    }
    Ok(())
}

/// What Graph would be sent. The password is put in when the user is made, unless one is given.
fn new_user(described: &WorldUser) -> Result<NewUser, change::ChangeRefusal> {
    let name = &described.user_principal_name;
    let mut properties = described.properties();
    properties.push(("userPrincipalName", NewValue::Text(name.clone())));
    let local = name.split_once('@').map_or(name.as_str(), |(local, _)| local);
    let usual = [
        ("accountEnabled", NewValue::Bool(true)),
        ("displayName", NewValue::Text(name.clone())),
        ("mailNickname", NewValue::Text(local.to_owned())),
    ];
    for (property, value) in usual {
        if !properties.iter().any(|(given, _)| *given == property) {
            properties.push((property, value));
        }
    }
    Ok(NewUser {
        changes: named(properties)?,
        manager: None,
        password: described.password.clone(),
        must_change_password: described.force_change_password_next_sign_in.unwrap_or(true),
    })
}

fn named(properties: Vec<(&'static str, NewValue)>) -> Result<Vec<Change>, change::ChangeRefusal> {
    properties.into_iter().map(|(name, value)| change::name(name, value)).collect()
}

/// The described properties that are not so yet, as they are sent and as they are shown.
fn differences(
    here: &Here<'_>,
    user: &User,
    properties: &[(&'static str, NewValue)],
    place: &str,
) -> Result<(Vec<Change>, Vec<Changed>), PlanError> {
    let changes = named(properties.to_vec()).map_err(|refusal| refused(place, refusal))?;
    let scope = allow(&here.viewer(), Operation::UpdateUser(user.id), &[])
        .map_err(|refusal| refused(place, crate::directory::DirectoryRefusal::from(refusal)))?;
    let mut after = user.clone();
    change::apply(&mut after, &changes, &scope, &here.tenant).map_err(|refusal| refused(place, refusal))?;
    let (mut sent, mut shown) = (Vec::new(), Vec::new());
    for change in changes {
        let property = change.property;
        if let Some(one) = changed(property.name, value(user, property), value(&after, property)) {
            shown.push(one);
            sent.push(change);
        }
    }
    Ok((sent, shown))
}

/// A property that a description may give, as it is shown.
fn value(user: &User, property: &Property) -> Option<String> {
    match property.source {
        Source::AccountEnabled => Some(user.is_enabled.to_string()),
        Source::BusinessPhones => Some(texts(&user.business_phones)),
        Source::DisplayName => Some(text(&user.display_name)),
        Source::Mail => user.mail.as_deref().map(text),
        Source::MailNickname => user.mail_nickname.as_deref().map(text),
        Source::OtherMails => Some(texts(&user.other_mails)),
        Source::Profile => user.profile.get(property.name).map(|value| text(value)),
        Source::ShowInAddressList => Some(user.is_shown_in_address_list.to_string()),
        Source::UserType => Some(text(user.user_type.as_str())),
        Source::Created
        | Source::CreationType
        | Source::Deleted
        | Source::ExternalState
        | Source::ExternalStateChanged
        | Source::Id
        | Source::Identities
        | Source::LastPasswordChange
        | Source::LegalAgeGroup
        | Source::Named
        | Source::ProxyAddresses
        | Source::SessionsValidFrom
        | Source::SignInName => None,
    }
}

pub(super) fn guests(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    let mut addresses = BTreeSet::new();
    for (index, described) in here.described.guests.iter().enumerate() {
        let name = &described.email;
        let place = here.place(&format!("guests / {name}"));
        let address = Address::parse_invitable(name)
            .ok_or_else(|| wrong(&place, "this is no address that can be invited"))?;
        if !addresses.insert(address.folded()) {
            return Err(wrong(&place, "this guest is described twice"));
        }
        if here.tenant.owns(address.domain()) {
            return Err(PlanError::Refused {
                place,
                refusal: super::Refusal::Invitation(InvitationRefusal::AddressBelongsToTenant),
            });
        }
        let user = here.read(|tx| tx.find_user_by_address(&address))?.flatten();
        let Some(user) = user else {
            let sponsors = described
                .sponsors
                .iter()
                .map(|sponsor| match here.named(sponsor, &place)? {
                    person @ Named::Person(_) => Ok(person),
                    Named::Application(_) | Named::ApplicationId(_) | Named::Group(_) => {
                        Err(wrong(&place, format!("`{sponsor}` is no person, and only people are sponsors")))
                    }
                })
                .collect::<Result<Vec<_>, _>>()?;
            let shown = described
                .display_name
                .as_deref()
                .and_then(|name| changed("displayName", None, Some(text(name))));
            let work = Work::Invite { at: here.at, index, address, sponsors };
            found.push(Some(here.step(Action::Create, "guest", name, shown.into_iter().collect(), work)));
            continue;
        };
        if user.external.is_none() {
            return Err(wrong(
                &place,
                "a member of the tenant has this address; describe it among the users",
            ));
        }
        let wanted = described.display_name.clone().map(|name| ("displayName", NewValue::Text(name)));
        let wanted: Vec<_> = wanted.into_iter().collect();
        let (changes, shown) = differences(here, &user, &wanted, &place)?;
        let work = Work::UpdateUser { at: here.at, user: user.id, changes };
        found.push((!shown.is_empty()).then(|| here.step(Action::Update, "guest", name, shown, work)));
    }
    Ok(())
}

/// Directory roles that are not held yet, by users, groups and applications.
pub(super) fn roles(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    for (what, name, principal, roles) in role_holders(here) {
        let place = here.place(&format!("{what}s / {name} / roles"));
        let id = here.find(&principal)?.unwrap_or_default();
        let held = here.read(|tx| tx.assigned_roles_of(id))?.unwrap_or_default();
        for role_name in roles {
            let role = described_role(role_name).ok_or_else(|| {
                let known: Vec<_> = role::ALL.iter().map(|role| role.name).collect();
                wrong(&place, format!("`{role_name}` is no built-in role; there are {}", known.join(", ")))
            })?;
            let is_held = held.contains(&role.id);
            let work = Work::AssignRole { at: here.at, principal: principal.clone(), role: role.id };
            let kind = format!("role \"{}\" of {what}", role.name);
            found.push((!is_held).then(|| here.step(Action::Create, &kind, name, Vec::new(), work)));
        }
    }
    Ok(())
}

pub(super) fn described_role(name: &str) -> Option<role::RoleTemplate> {
    role::ALL.iter().find(|role| same(role.name, name)).copied()
}

/// Everything that a description gives roles to: what it is, its name, who is meant, and the roles.
pub(super) fn role_holders<'a>(here: &Here<'a>) -> Vec<(&'static str, &'a str, Named, &'a [String])> {
    let described = here.described;
    let users = described.users.iter().map(|user| {
        let name = user.user_principal_name.as_str();
        ("user", name, Named::Person(name.to_owned()), user.roles.as_slice())
    });
    let groups = described
        .groups
        .iter()
        .map(|group| ("group", group.key(), Named::Group(group.key().to_owned()), group.roles.as_slice()));
    let applications = described.applications.iter().map(|app| {
        let named = match app.app_id {
            Some(app_id) => Named::ApplicationId(AppId::new(app_id)),
            None => Named::Application(app.display_name.clone()),
        };
        ("application", app.display_name.as_str(), named, app.roles.as_slice())
    });
    users.chain(groups).chain(applications).filter(|(.., roles)| !roles.is_empty()).collect()
}
