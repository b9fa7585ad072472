//! Cases of `signin::anywhere::way`: where a sign-in at `common` goes.

use crate::Judged;
use crate::next::{Asked, Living, request, session};
use crate::words::{Name, id};
use domain::id::TenantId;
use domain::signin::anywhere::{Facts, Way, way};
use serde::{Deserialize, Serialize};

/// A browser that never signed in; the request has no hint that leads anywhere.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    /// Living sessions at home, which is Contoso.
    accounts: Vec<Living>,
    /// The tenant that owns the domain of the hint.
    hint_leads_to: Option<Name>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Answered {
    way: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_hint_unknown: Option<bool>,
}

pub(crate) fn judge(given: &Given, asked: &Asked) -> Vec<Judged<Answered>> {
    let contoso = TenantId::new(id("contoso"));
    let facts = Facts {
        hint_leads_to: given.hint_leads_to.as_ref().map(|name| TenantId::new(name.id())),
        accounts: given.accounts.iter().map(|living| (contoso, session(living))).collect(),
    };
    let named = |name: &str| Answered { way: name.to_owned(), ..Answered::default() };
    let verdict = match way(Some(&request(asked)), &facts) {
        Way::AskName { is_hint_unknown } => {
            Answered { is_hint_unknown: Some(is_hint_unknown), ..named("AskName") }
        }
        Way::GoTo { tenant, session } => Answered {
            tenant: Some(tenant.uuid().into()),
            session: session.map(|session| session.uuid().into()),
            ..named("GoTo")
        },
        Way::PickAccount => named("PickAccount"),
        Way::Refuse(denial) => Answered { refused: Some(format!("{denial:?}")), ..named("Refuse") },
    };
    let mut shown = vec![format!("Way::{}", verdict.way)];
    shown.extend(verdict.refused.iter().map(|denial| format!("Denial::{denial}")));
    vec![Judged { asked: String::new(), verdict, shown }]
}

pub(crate) fn variants() -> Vec<String> {
    let ways = every_variant! { Way: AskName GoTo PickAccount Refuse };
    let denials = ["Denial::NoSession", "Denial::SeveralSessions"];
    ways.iter().chain(&denials).map(|name| (*name).to_owned()).collect()
}
