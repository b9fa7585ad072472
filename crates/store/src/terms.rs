//! Terms: every text that objects are found by and that has no column of its own, folded, with the object's row. One table
//! for all kinds, the same on every engine, instead of an index for each property and a full-text search for each engine.

use crate::WriteTx;
use crate::fault::Fault;
use crate::sql::{Link, Value};
use domain::directory::application::Application;
use domain::directory::group::Group;
use domain::directory::property::{
    APPLICATION, GROUP, Property, Resource, SERVICE_PRINCIPAL, SearchBy, Source, USER,
};
use domain::directory::query;
use domain::directory::user::User;
use domain::id::TenantId;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Whose terms they are. INVARIANT: the numbers stand in stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User = 1,
    Application = 2,
    ServicePrincipal = 3,
    Group = 4,
}

impl Kind {
    const fn table(self) -> &'static str {
        match self {
            Self::Application => "applications",
            Self::Group => "groups",
            Self::ServicePrincipal => "service_principals",
            Self::User => "users",
        }
    }
}

/// Whose terms are set.
pub(crate) struct Object {
    pub(crate) tenant: TenantId,
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
}

/// INVARIANT: a property's place is its number in stores: append only. What comes first is the words of a property.
const PROPERTIES: [&str; 29] = [
    "displayName",
    "description",
    "ageGroup",
    "businessPhones",
    "city",
    "companyName",
    "country",
    "department",
    "employeeId",
    "employeeType",
    "faxNumber",
    "givenName",
    "jobTitle",
    "mobilePhone",
    "officeLocation",
    "otherMails",
    "postalCode",
    "preferredLanguage",
    "proxyAddresses",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "mailNickname",
    "identifierUris",
    "servicePrincipalNames",
    "tags",
    "groupTypes",
    "consentProvidedForMinor",
];

/// The number of a property's values.
pub(crate) fn values(property: &Property) -> i64 {
    PROPERTIES
        .iter()
        .position(|name| *name == property.name)
        .and_then(|at| i64::try_from(at).ok())
        .unwrap_or(-1)
}

/// The number of a property's words.
pub(crate) fn words(property: &Property) -> i64 {
    values(property) + 1_000
}

pub(crate) type Terms = BTreeSet<(i64, String)>;

fn add(terms: &mut Terms, resource: &Resource, value: impl Fn(&Property) -> Vec<String>) {
    for property in resource.properties {
        for value in value(property) {
            match property.query.search {
                Some(SearchBy::Words) => {
                    terms.extend(query::words(&value).into_iter().map(|word| (words(property), word)));
                }
                Some(SearchBy::Start) | None => {
                    terms.insert((values(property), value.to_lowercase()));
                }
            }
        }
    }
}

pub(crate) fn of_user(user: &User) -> Terms {
    let mut terms = Terms::new();
    add(&mut terms, &USER, |property| match property.source {
        Source::BusinessPhones => user.business_phones.clone(),
        Source::DisplayName => vec![user.display_name.clone()],
        Source::MailNickname => user.mail_nickname.clone().into_iter().collect(),
        Source::OtherMails => user.other_mails.clone(),
        Source::Profile => user.profile.get(property.name).cloned().into_iter().collect(),
        Source::ProxyAddresses => user.proxy_addresses.clone(),
        Source::AccountEnabled
        | Source::Created
        | Source::CreationType
        | Source::Deleted
        | Source::ExternalState
        | Source::ExternalStateChanged
        | Source::Id
        | Source::Identities
        | Source::LastPasswordChange
        | Source::LegalAgeGroup
        | Source::Mail
        | Source::Named
        | Source::SessionsValidFrom
        | Source::ShowInAddressList
        | Source::SignInName
        | Source::UserType => Vec::new(),
    });
    terms
}

pub(crate) fn of_group(group: &Group) -> Terms {
    let mut terms = Terms::new();
    add(&mut terms, &GROUP, |property| match property.name {
        "description" => group.description.clone().into_iter().collect(),
        "displayName" => vec![group.display_name.clone()],
        "groupTypes" => {
            let is_dynamic = group.dynamic.is_some();
            [("DynamicMembership", is_dynamic), ("Unified", group.is_unified)]
                .into_iter()
                .filter(|(_, is)| *is)
                .map(|(name, _)| name.to_owned())
                .collect()
        }
        _ => Vec::new(),
    });
    terms
}

pub(crate) fn of_application(app: &Application) -> Terms {
    let mut terms = Terms::new();
    add(&mut terms, &APPLICATION, |property| match property.name {
        "displayName" => vec![app.display_name.clone()],
        "identifierUris" => app.identifier_uris.clone(),
        "tags" => app.tags.clone(),
        _ => Vec::new(),
    });
    terms
}

/// An instance is found by what its registration says.
pub(crate) fn of_instance(app: &Application) -> Terms {
    let mut terms = Terms::new();
    add(&mut terms, &SERVICE_PRINCIPAL, |property| match property.name {
        "displayName" => vec![app.display_name.clone()],
        "servicePrincipalNames" => {
            app.identifier_uris.iter().cloned().chain([app.app_id.to_string()]).collect()
        }
        "tags" => app.tags.clone(),
        _ => Vec::new(),
    });
    terms
}

impl WriteTx<'_> {
    /// Brings an object's terms from what they were to what they are.
    pub(crate) fn set_terms(&self, object: &Object, before: &Terms, after: &Terms) -> Result<(), Fault> {
        if before == after {
            return Ok(());
        }
        let (tenant, kind) = (object.tenant.uuid(), object.kind);
        let sql = format!("SELECT row FROM {} WHERE tenant = $1 AND id = $2", kind.table());
        let row = self.link().one(&sql, &[(&tenant).into(), (&object.id).into()], |row| row.int(0))?;
        let row = row.ok_or(Fault::Bug("terms of an object that is not there"))?;
        let remove = |(property, value): &(i64, String)| {
            let sql = "DELETE FROM terms WHERE tenant = $1 AND kind = $2 AND property = $3 AND value = $4 AND row = $5";
            let values =
                [(&tenant).into(), (kind as i64).into(), (*property).into(), Value::Text(value), row.into()];
            self.link().run(sql, &values)
        };
        for term in before.difference(after) {
            remove(term)?;
        }
        let new = after.difference(before).cloned().collect();
        insert(self.link(), tenant, kind, row, &new)
    }
}

/// How terms are made; raised when that changes, so that a store of an older release gets new ones.
const VERSION: &[u8] = b"1";

/// Makes the terms anew where the store's are of another release: they are derived from the objects.
pub(crate) fn keep_current(link: Link<'_>) -> Result<(), Fault> {
    let found = link.one("SELECT value FROM store_info WHERE name = 'terms'", &[], |row| row.bytes(0))?;
    if found.as_deref() == Some(VERSION) {
        return Ok(());
    }
    link.run("DELETE FROM terms", &[])?;
    crate::users::write_terms(link)?;
    crate::groups::write_terms(link)?;
    crate::applications::write_terms(link)?;
    link.run(
        "INSERT INTO store_info (name, value) VALUES ('terms', $1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[Value::Bytes(VERSION)],
    )?;
    Ok(())
}

pub(crate) fn insert(link: Link<'_>, tenant: Uuid, kind: Kind, row: i64, terms: &Terms) -> Result<(), Fault> {
    for (property, value) in terms {
        link.run(
            "INSERT INTO terms (tenant, kind, property, value, row) VALUES ($1, $2, $3, $4, $5)",
            &[(&tenant).into(), (kind as i64).into(), (*property).into(), Value::Text(value), row.into()],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::directory::property::Kind as Type;

    /// Whether a query finds the property's values among the terms.
    fn has_terms(property: &Property, column: fn(&Property) -> Option<crate::listing::Column>) -> bool {
        let is_text = matches!(property.kind, Type::Text | Type::Texts);
        is_text && property.query.is_filtered && column(property).is_none()
            || property.query.search == Some(SearchBy::Words)
    }

    #[test]
    fn every_property_without_a_column_has_a_number_of_its_own() {
        for (resource, column) in [
            (&USER, crate::users::column as fn(&Property) -> Option<crate::listing::Column>),
            (&APPLICATION, crate::applications::column),
            (&GROUP, crate::groups::column),
            (&SERVICE_PRINCIPAL, crate::applications::column),
        ] {
            let mut seen = BTreeSet::new();
            for property in resource.properties.iter().filter(|property| has_terms(property, column)) {
                assert!(values(property) >= 0, "{}", property.name);
                assert!(seen.insert(values(property)), "{}", property.name);
            }
        }
    }
}
