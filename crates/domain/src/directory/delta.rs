//! Delta queries: what a client follows, and what of the log concerns it (Graph: delta query; facts: graph §1.2).

use crate::directory::group::{Group, Link};
use crate::directory::permission::Visibility;
use crate::directory::property::{APPLICATION, GROUP, Property, Resource, SERVICE_PRINCIPAL, Source, USER};
use crate::directory::query::{self, QueryRefusal};
use crate::directory::user::User;
use crate::time::Span;
use standards::odata::filter::{Expr, Literal, Operator};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How long a token is good.
// DEFAULT: seven days, as the directory's tokens are documented to live.
pub const TOKEN_LIFETIME: Span = Span::days(7);
/// How long the log is kept.
// DEFAULT: twice a token's life: a round that begins with a token's last hour may be paged as long as any other.
pub const LOG_KEPT: Span = Span::days(14);
/// Objects in one page.
pub const PAGE: u32 = query::PAGE;
/// Objects that `$filter` names at most.
const NAMED: usize = 50;

/// A kind of object that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracked {
    Applications,
    Groups,
    ServicePrincipals,
    Users,
}

impl Tracked {
    pub const fn resource(self) -> &'static Resource {
        match self {
            Self::Applications => &APPLICATION,
            Self::Groups => &GROUP,
            Self::ServicePrincipals => &SERVICE_PRINCIPAL,
            Self::Users => &USER,
        }
    }
    /// Graph's name of the collection.
    pub const fn set(self) -> &'static str {
        match self {
            Self::Applications => "applications",
            Self::Groups => "groups",
            Self::ServicePrincipals => "servicePrincipals",
            Self::Users => "users",
        }
    }
}

/// What was asked when it began; every token carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub select: Option<Vec<String>>,
    pub ids: Option<Vec<Uuid>>,
}

impl Asked {
    /// Reads the options that a delta query may have.
    pub fn read(select: Option<&[String]>, filter: Option<&Expr>) -> Result<Self, QueryRefusal> {
        let mut ids = Vec::new();
        if let Some(filter) = filter {
            named(filter, &mut ids)?;
            if ids.len() > NAMED {
                let text = format!("At most {NAMED} objects are followed by $filter.");
                return Err(QueryRefusal::Unsupported(text));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Self { select: select.map(<[String]>::to_vec), ids: filter.map(|_| ids) })
    }
}

/// `id eq 'x' or id eq 'y'`, or `id in ('x', 'y')`; nothing else.
fn named(filter: &Expr, ids: &mut Vec<Uuid>) -> Result<(), QueryRefusal> {
    let mut add = |value: &Literal| match value {
        // What is no id is nobody's.
        Literal::Bare(text) | Literal::Text(text) => ids.extend(Uuid::parse_str(text).ok()),
        Literal::Bool(_) | Literal::Null => {}
    };
    match filter {
        Expr::Or(left, right) => {
            named(left, ids)?;
            return named(right, ids);
        }
        Expr::Compare { path, operator: Operator::Eq, value } if path.eq_ignore_ascii_case("id") => {
            add(value)
        }
        Expr::In { path, values } if path.eq_ignore_ascii_case("id") => values.iter().for_each(add),
        Expr::And(..)
        | Expr::Any { .. }
        | Expr::Call { .. }
        | Expr::Compare { .. }
        | Expr::In { .. }
        | Expr::Not(_) => {
            return Err(QueryRefusal::Unsupported(
                "A delta query is filtered by id only: $filter=id eq '…' or id eq '…'.".to_owned(),
            ));
        }
    }
    Ok(())
}

/// What a client follows, as far as it may see it.
#[derive(Clone, Debug)]
pub struct Tracking {
    pub columns: Vec<&'static Property>,
    pub links: Vec<Link>,
    /// Nothing was selected, and nothing is hidden: every change of a property is told.
    is_everything: bool,
    pub ids: Option<Vec<Uuid>>,
}

/// Graph's name of what links a group to others, as it is selected.
pub const fn link_name(link: Link) -> &'static str {
    match link {
        Link::Member => "members",
        Link::Owner => "owners",
    }
}

impl Tracking {
    /// `sees_links` says that the viewer may read who is in groups.
    pub fn new(
        kind: Tracked,
        asked: &Asked,
        visibility: Visibility,
        sees_links: bool,
    ) -> Result<Self, QueryRefusal> {
        let resource = kind.resource();
        let all = if kind == Tracked::Groups { &[Link::Member, Link::Owner][..] } else { &[] };
        let link_of = |name: &String| all.iter().find(|link| link_name(**link).eq_ignore_ascii_case(name));
        let (links, select) = match &asked.select {
            // COMPAT: Graph tells the members of groups also where nothing is selected, and clients count on it.
            None => (all.iter().filter(|link| **link == Link::Member).copied().collect(), None),
            Some(names) => {
                let chosen: Vec<Link> = names.iter().filter_map(link_of).copied().collect();
                let rest: Vec<String> =
                    names.iter().filter(|name| link_of(name).is_none()).cloned().collect();
                (chosen, Some(rest))
            }
        };
        let mut columns = query::columns(resource, select.as_deref(), visibility)?;
        // A change is of no use without the object's id.
        if let Some(id) = resource.find("id").filter(|id| !columns.contains(id)) {
            columns.insert(0, id);
        }
        Ok(Self {
            columns,
            links: if sees_links { links } else { Vec::new() },
            is_everything: asked.select.is_none() && visibility == Visibility::Full,
            ids: asked.ids.clone(),
        })
    }

    /// Whether what happened to one object concerns this client.
    pub fn concern(&self, happened: &[Happened]) -> Concern {
        let mut parts = BTreeSet::new();
        let (mut is_new, mut is_unknown) = (false, false);
        for one in happened {
            match one {
                Happened::Appeared => is_new = true,
                Happened::Gone => is_unknown = true,
                Happened::Changed(None) => is_unknown = true,
                Happened::Changed(Some(names)) => {
                    parts.extend(names.iter().filter(|name| self.tells(name)).cloned());
                }
            }
        }
        match (is_new, is_unknown, parts.is_empty()) {
            (true, _, _) => Concern::Anew,
            (false, true, _) => Concern::Whole,
            (false, false, false) => Concern::Parts(parts),
            (false, false, true) => Concern::Nothing,
        }
    }

    fn tells(&self, name: &str) -> bool {
        match [Link::Member, Link::Owner].into_iter().find(|link| link_name(*link) == name) {
            Some(link) => self.links.contains(&link),
            None => self.is_everything || self.columns.iter().any(|column| column.name == name),
        }
    }
}

/// One entry of the log, about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Made, or restored: whoever followed it before has forgotten it.
    Appeared,
    /// These properties or links changed; `None` where the log does not say.
    Changed(Option<Vec<String>>),
    /// Deleted or purged.
    Gone,
}

/// What happened to an object comes to, for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// All of it, and all that is linked to it.
    Anew,
    Nothing,
    /// These properties and links.
    Parts(BTreeSet<String>),
    /// Any property.
    Whole,
}

/// The properties in which two states of a user differ.
pub fn changed_of_user(before: &User, after: &User) -> Vec<&'static str> {
    let differs = |property: &&Property| match property.source {
        Source::AccountEnabled => before.is_enabled != after.is_enabled,
        Source::BusinessPhones => before.business_phones != after.business_phones,
        Source::Created => before.created_at != after.created_at,
        Source::CreationType => before.creation != after.creation,
        Source::Deleted => before.deleted_at != after.deleted_at,
        Source::DisplayName => before.display_name != after.display_name,
        Source::ExternalState => {
            before.external.as_ref().map(|external| external.state)
                != after.external.as_ref().map(|external| external.state)
        }
        Source::ExternalStateChanged => {
            before.external.as_ref().map(|external| external.changed_at)
                != after.external.as_ref().map(|external| external.changed_at)
        }
        Source::Id | Source::Named => false,
        // The local name is one of them.
        Source::Identities => before.identity != after.identity || before.sign_in_name != after.sign_in_name,
        Source::LastPasswordChange => before.last_password_change_at != after.last_password_change_at,
        Source::Mail => before.mail != after.mail,
        Source::MailNickname => before.mail_nickname != after.mail_nickname,
        Source::OtherMails => before.other_mails != after.other_mails,
        Source::Profile => before.profile.get(property.name) != after.profile.get(property.name),
        Source::ProxyAddresses => before.proxy_addresses != after.proxy_addresses,
        Source::SessionsValidFrom => before.sessions_valid_from != after.sessions_valid_from,
        Source::ShowInAddressList => before.is_shown_in_address_list != after.is_shown_in_address_list,
        Source::SignInName => before.sign_in_name != after.sign_in_name,
        Source::UserType => before.user_type != after.user_type,
    };
    USER.properties.iter().filter(differs).map(|property| property.name).collect()
}

/// The properties in which two states of a group differ.
pub fn changed_of_group(before: &Group, after: &Group) -> Vec<&'static str> {
    let mail = before.mail != after.mail;
    let rule = |group: &Group| group.dynamic.as_ref().map(|dynamic| dynamic.rule.clone());
    let processing = |group: &Group| group.dynamic.as_ref().map(|dynamic| dynamic.is_on);
    [
        ("deletedDateTime", before.deleted_at != after.deleted_at),
        ("description", before.description != after.description),
        ("displayName", before.display_name != after.display_name),
        (
            "groupTypes",
            before.is_unified != after.is_unified || before.dynamic.is_some() != after.dynamic.is_some(),
        ),
        ("isAssignableToRole", before.is_role_assignable != after.is_role_assignable),
        ("mail", mail),
        ("mailEnabled", before.is_unified != after.is_unified),
        ("mailNickname", before.mail_nickname != after.mail_nickname),
        ("membershipRule", rule(before) != rule(after)),
        ("membershipRuleProcessingState", processing(before) != processing(after)),
        ("proxyAddresses", mail),
        ("securityEnabled", before.is_security_enabled != after.is_security_enabled),
        ("visibility", before.visibility != after.visibility),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use standards::odata::filter;

    fn asked(select: &[&str]) -> Asked {
        let names: Vec<String> = select.iter().map(|name| (*name).to_owned()).collect();
        Asked { select: (!names.is_empty()).then_some(names), ids: None }
    }

    fn tracking(kind: Tracked, select: &[&str], visibility: Visibility, sees_links: bool) -> Tracking {
        Tracking::new(kind, &asked(select), visibility, sees_links).unwrap()
    }

    fn changed(names: &[&str]) -> Happened {
        Happened::Changed(Some(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn only_ids_are_filtered_by_and_not_too_many() {
        let read = |text: &str| Asked::read(None, Some(&filter::parse(text).unwrap()));
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let both = Some(vec![one, two]);
        assert_eq!(read(&format!("id eq '{two}' or id eq '{one}' or id eq '{one}'")).unwrap().ids, both);
        assert_eq!(read(&format!("id in ('{one}','{two}')")).unwrap().ids, both);
        assert_eq!(read("id eq 'nobody'").unwrap().ids, Some(Vec::new()));
        for bad in ["displayName eq 'a'", "id ne 'a'", "startswith(id,'a')", "id eq 'a' and id eq 'b'"] {
            assert!(matches!(read(bad), Err(QueryRefusal::Unsupported(_))), "{bad}");
        }
        let many = |count: u128| {
            let list: Vec<String> = (0..count).map(|id| format!("'{}'", Uuid::from_u128(id))).collect();
            read(&format!("id in ({})", list.join(",")))
        };
        assert_eq!(many(50).unwrap().ids.unwrap().len(), 50);
        assert!(many(51).is_err());
    }

    #[test]
    fn a_selection_limits_what_is_told() {
        let some = tracking(Tracked::Users, &["displayName"], Visibility::Full, false);
        assert_eq!(some.columns.iter().map(|column| column.name).collect::<Vec<_>>(), ["id", "displayName"]);
        assert_eq!(some.concern(&[changed(&["mail", "city"])]), Concern::Nothing);
        let told = Concern::Parts(["displayName".to_owned()].into());
        assert_eq!(some.concern(&[changed(&["mail"]), changed(&["displayName", "city"])]), told);
        assert_eq!(some.concern(&[Happened::Changed(None), changed(&["mail"])]), Concern::Whole);
        assert_eq!(some.concern(&[Happened::Gone]), Concern::Whole);
        assert_eq!(some.concern(&[Happened::Gone, Happened::Appeared]), Concern::Anew);
        let all = tracking(Tracked::Users, &[], Visibility::Full, false);
        assert_eq!(all.concern(&[changed(&["city"])]), Concern::Parts(["city".to_owned()].into()));
        assert!(Tracking::new(Tracked::Users, &asked(&["magic"]), Visibility::Full, false).is_err());
        assert!(Tracking::new(Tracked::Users, &asked(&["members"]), Visibility::Full, true).is_err());
    }

    #[test]
    fn r23_what_is_hidden_does_not_even_show_that_it_changed() {
        let basic = tracking(Tracked::Users, &[], Visibility::Basic, false);
        assert_eq!(basic.concern(&[changed(&["accountEnabled", "city"])]), Concern::Nothing);
        assert_ne!(basic.concern(&[changed(&["displayName"])]), Concern::Nothing);
        let selected = tracking(Tracked::Users, &["accountEnabled"], Visibility::Basic, false);
        assert_eq!(selected.concern(&[changed(&["accountEnabled"])]), Concern::Nothing);
        let blind = tracking(Tracked::Groups, &[], Visibility::Full, false);
        assert_eq!(blind.concern(&[changed(&["members"])]), Concern::Nothing);
    }

    #[test]
    fn members_are_told_unless_something_else_was_selected() {
        let links = |select: &[&str]| tracking(Tracked::Groups, select, Visibility::Full, true).links;
        assert_eq!(links(&[]), [Link::Member]);
        assert_eq!(links(&["displayName"]), []);
        assert_eq!(links(&["owners", "Members"]), [Link::Owner, Link::Member]);
        let owners = tracking(Tracked::Groups, &["owners"], Visibility::Full, true);
        assert_eq!(owners.concern(&[changed(&["members"])]), Concern::Nothing);
        assert_ne!(owners.concern(&[changed(&["owners"])]), Concern::Nothing);
    }
}
