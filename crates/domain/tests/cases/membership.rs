//! Cases of `directory::membership_rule`: whom a rule of a group with dynamic membership takes in.

use crate::Judged;
use domain::directory::membership_rule::{MembershipRule, RuleProblem};
use domain::directory::user::{CreationType, External, ExternalState, User, UserType};
use domain::id::UserId;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Alice, a member, about whom nothing else is known.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    user: Person,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Person {
    is_disabled: bool,
    is_invited: bool,
    display_name: String,
    mail: Option<String>,
    other_mails: Vec<String>,
    business_phones: Vec<String>,
    proxy_addresses: Vec<String>,
    profile: BTreeMap<String, String>,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            is_disabled: false,
            is_invited: false,
            display_name: "Alice".to_owned(),
            mail: None,
            other_mails: Vec::new(),
            business_phones: Vec::new(),
            proxy_addresses: Vec::new(),
            profile: BTreeMap::new(),
        }
    }
}

impl Person {
    fn user(&self) -> User {
        let at = Timestamp::from_millis(0);
        User {
            id: UserId::new(Uuid::from_u128(0xA11CE)),
            sign_in_name: "alice@contoso.test".to_owned(),
            display_name: self.display_name.clone(),
            user_type: if self.is_invited { UserType::Guest } else { UserType::Member },
            is_enabled: !self.is_disabled,
            mail: self.mail.clone(),
            mail_nickname: None,
            other_mails: self.other_mails.clone(),
            proxy_addresses: self.proxy_addresses.clone(),
            business_phones: self.business_phones.clone(),
            creation: self.is_invited.then_some(CreationType::Invitation),
            external: self
                .is_invited
                .then_some(External { state: ExternalState::PendingAcceptance, changed_at: at }),
            identity: None,
            created_at: at,
            deleted_at: None,
            is_shown_in_address_list: true,
            profile: self.profile.clone(),
            sessions_valid_from: at,
            last_password_change_at: None,
        }
    }
}

/// Rules with the same verdict.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Asked {
    rules: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum Answered {
    Fits(bool),
    Refused { position: usize, problem: String },
}

pub(crate) fn judge(given: &Given, asked: &Asked) -> Vec<Judged<Answered>> {
    let user = given.user.user();
    assert!(!asked.rules.is_empty(), "a case asks about rules");
    let answer = |rule: &String| {
        let verdict = match MembershipRule::parse(rule) {
            Ok(rule) => Answered::Fits(rule.matches(&user)),
            Err(RuleProblem { position, problem }) => Answered::Refused { position, problem },
        };
        let shown = match verdict {
            Answered::Fits(true) => "Fits",
            Answered::Fits(false) => "FitsNot",
            Answered::Refused { .. } => "Refused",
        };
        Judged { asked: rule.clone(), verdict, shown: vec![shown.to_owned()] }
    };
    asked.rules.iter().map(answer).collect()
}

pub(crate) fn variants() -> Vec<String> {
    ["Fits", "FitsNot", "Refused"].map(str::to_owned).to_vec()
}
