//! Cases of `issuance::lifetime`: how long a token lives, where policies have a say.

use crate::Judged;
use crate::issuance::{instance, registration};
use domain::directory::application::{App, Lifetimes};
use domain::entropy::Entropy;
use domain::issuance::lifetime::{access_token, id_token};
use domain::time::Span;
use serde::{Deserialize, Serialize};

/// Minutes that a policy sets: of the service principal, of the organisation for all, of the application.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    service_principal: Option<i64>,
    organization: Option<i64>,
    application: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Question {
    token: Token,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Token {
    #[default]
    Access,
    Id,
    /// What a home says of its user to a partner, which is no application.
    Partner,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Minutes(i64),
    /// Between these, by chance.
    Between(i64, i64),
}

fn app(given: &Given) -> App {
    App {
        registration: registration("orders"),
        instance: Some(instance("orders", true, false)),
        granted_roles: Vec::new(),
        lifetimes: Lifetimes {
            instance: given.service_principal.map(Span::minutes),
            organization: given.organization.map(Span::minutes),
            application: given.application.map(Span::minutes),
        },
    }
}

/// What came of many draws: one length, or the smallest range of whole quarters of an hour that holds them.
fn spread(lengths: &[Span]) -> Verdict {
    let seconds = || lengths.iter().map(|length| length.as_seconds());
    let (least, most) = (seconds().min().unwrap(), seconds().max().unwrap());
    match least == most {
        true => Verdict::Minutes(least / 60),
        false => Verdict::Between(
            least / 900 * 15,
            most.div_euclid(900) * 15 + if most % 900 > 0 { 15 } else { 0 },
        ),
    }
}

pub(crate) fn judge(given: &Given, question: &Question) -> Vec<Judged<Verdict>> {
    let app = app(given);
    let draws = || (0..=u8::MAX).map(|draw| Entropy::new([draw; 32]));
    let (lengths, shown): (Vec<Span>, _) = match question.token {
        Token::Access => {
            (draws().map(|entropy| access_token(Some(&app), &entropy)).collect(), "Token::Access")
        }
        Token::Id => (vec![id_token(Some(&app))], "Token::Id"),
        Token::Partner => (vec![id_token(None)], "Token::Partner"),
    };
    vec![Judged {
        asked: format!("{:?}", question.token),
        verdict: spread(&lengths),
        shown: vec![shown.to_owned()],
    }]
}

pub(crate) fn variants() -> Vec<String> {
    every_variant!(Token: Access Id Partner).map(str::to_owned).to_vec()
}
