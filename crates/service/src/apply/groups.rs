//! Groups, and who is in them.

use super::here::Here;
use super::work::Work;
use super::{Action, Changed, Found, PlanError, changed, refused, text, wrong};
use crate::world::WorldGroup;
use domain::directory::group::{self, Change, Group, Link};
use domain::id::GroupId;
use std::collections::BTreeSet;

pub(super) fn find(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    let mut names = BTreeSet::new();
    for (index, described) in here.described.groups.iter().enumerate() {
        let name = described.key();
        let place = here.place(&format!("groups / {name}"));
        if described.display_name.trim().is_empty() {
            return Err(wrong(&place, "displayName is missing"));
        }
        if !names.insert(name.to_lowercase()) {
            return Err(wrong(&place, "this group is described twice"));
        }
        let Some(group) = here.group(described)? else {
            let changes = new_group(described);
            let id = GroupId::new(here.moment.entropy.uuid("group"));
            let made = group::create(&changes, id, &here.tenant, here.moment.now)
                .map_err(|refusal| refused(&place, refusal))?;
            has_no_members_by_hand(described, &made, &place)?;
            let shown = [
                changed("displayName", None, Some(text(&made.display_name))),
                changed("mailNickname", None, Some(text(&made.mail_nickname))),
                changed("membershipRule", None, rule(&made)),
            ];
            let work = Work::CreateGroup { at: here.at, index, changes };
            let shown = shown.into_iter().flatten().collect();
            found.push(Some(here.step(Action::Create, "group", name, shown, work)));
            continue;
        };
        let changes = given(described);
        let after =
            group::apply(&group, &changes, &here.tenant).map_err(|refusal| refused(&place, refusal))?;
        has_no_members_by_hand(described, &after, &place)?;
        let shown = differences(&group, &after);
        let work = Work::UpdateGroup { at: here.at, group: group.id, changes };
        found.push((!shown.is_empty()).then(|| here.step(Action::Update, "group", name, shown, work)));
    }
    Ok(())
}

/// Whoever fits the rule is in, and nobody else: members that are described would be refused one by one.
fn has_no_members_by_hand(described: &WorldGroup, group: &Group, place: &str) -> Result<(), PlanError> {
    match group.dynamic.is_some() && !described.members.is_empty() {
        true => Err(wrong(place, "a group with a membershipRule has no `members` of its own")),
        false => Ok(()),
    }
}

fn rule(group: &Group) -> Option<String> {
    group.dynamic.as_ref().map(|dynamic| text(&dynamic.rule))
}

/// The described properties.
fn given(described: &WorldGroup) -> Vec<Change> {
    let mut changes = vec![Change::DisplayName(Some(described.display_name.clone()))];
    changes.extend(described.mail_nickname.clone().map(|name| Change::MailNickname(Some(name))));
    changes.extend(described.description.clone().map(|text| Change::Description(Some(text))));
    changes.extend(described.group_types.clone().map(Change::Types));
    changes.extend(described.membership_rule.clone().map(|text| Change::MembershipRule(Some(text))));
    let processing = described.membership_rule_processing_state.clone();
    changes.extend(processing.map(|text| Change::Processing(Some(text))));
    changes.extend(described.security_enabled.map(|is| Change::IsSecurityEnabled(Some(is))));
    changes.extend(described.is_assignable_to_role.map(|is| Change::IsRoleAssignable(Some(is))));
    changes.extend(described.visibility.clone().map(|text| Change::Visibility(Some(text))));
    changes
}

/// What Graph would be sent, with what it demands and the description may leave out.
fn new_group(described: &WorldGroup) -> Vec<Change> {
    let is_unified = |name: &String| name.eq_ignore_ascii_case("Unified");
    let is_unified = described.group_types.iter().flatten().any(is_unified);
    let mut changes = given(described);
    changes.push(Change::IsMailEnabled(Some(is_unified)));
    if described.security_enabled.is_none() {
        changes.push(Change::IsSecurityEnabled(Some(!is_unified)));
    }
    if described.mail_nickname.is_none() {
        let is_right = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = described.display_name.chars().filter(is_right).take(64).collect();
        let name = if name.is_empty() { "group".to_owned() } else { name };
        changes.push(Change::MailNickname(Some(name)));
    }
    changes
}

fn differences(before: &Group, after: &Group) -> Vec<Changed> {
    let visibility = |group: &Group| group.visibility.map(|visibility| text(visibility.as_str()));
    let processing = |group: &Group| group.dynamic.as_ref().map(|dynamic| text(dynamic.processing()));
    [
        changed("displayName", Some(text(&before.display_name)), Some(text(&after.display_name))),
        changed("mailNickname", Some(text(&before.mail_nickname)), Some(text(&after.mail_nickname))),
        changed(
            "description",
            before.description.as_deref().map(text),
            after.description.as_deref().map(text),
        ),
        changed(
            "securityEnabled",
            Some(before.is_security_enabled.to_string()),
            Some(after.is_security_enabled.to_string()),
        ),
        changed("visibility", visibility(before), visibility(after)),
        changed("membershipRule", rule(before), rule(after)),
        changed("membershipRuleProcessingState", processing(before), processing(after)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Members and owners that are missing. Others stay, unless an earlier description added them (`prune`).
pub(super) fn links(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    for (index, described) in here.described.groups.iter().enumerate() {
        let group = here.group(described)?;
        for (link, list, names) in
            [(Link::Member, "members", &described.members), (Link::Owner, "owners", &described.owners)]
        {
            let place = here.place(&format!("groups / {} / {list}", described.key()));
            let mut seen = BTreeSet::new();
            for name in names {
                if !seen.insert(name.to_lowercase()) {
                    return Err(wrong(&place, format!("`{name}` stands there twice")));
                }
                let object = here.named(name, &place)?;
                let is_linked = match (&group, here.find(&object)?) {
                    (Some(group), Some(id)) => {
                        here.read(|tx| tx.is_linked(group.id, link, id))?.unwrap_or(false)
                    }
                    (_, _) => false,
                };
                let kind = format!("{} of group \"{}\"", link_name(link), described.key());
                let work = Work::Link { at: here.at, index, link, object };
                found.push((!is_linked).then(|| here.step(Action::Create, &kind, name, Vec::new(), work)));
            }
        }
    }
    Ok(())
}

pub(super) const fn link_name(link: Link) -> &'static str {
    match link {
        Link::Member => "member",
        Link::Owner => "owner",
    }
}
