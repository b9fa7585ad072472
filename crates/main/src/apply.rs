//! One conversation about a description: what would change, whether to go on, what was done. The command line holds it with
//! itself, or with the server that uses the data folder (`door`).

use crate::wiring::own_moment;
use hospes_http::refusal_words;
use serde::{Deserialize, Serialize};
use service::Service;
use service::apply::{Action, Changed, Made, PlanError, Step, Stop};
use service::world::World;
use std::ops::ControlFlow;
use tokio::sync::mpsc::UnboundedSender;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) description: World,
    /// The pictures that the description names, in the order of its tenants.
    pub(crate) logos: Vec<Option<Vec<u8>>>,
    pub(crate) prunes: bool,
}

/// What is answered, in this order: a plan or a problem; and, told to go on, every step that is done and how it ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Line {
    Problem(String),
    Plan(Shown),
    Done {
        step: usize,
        made: Vec<Secret>,
    },
    /// The step that could not be made, and why.
    Stopped {
        step: usize,
        reason: String,
    },
    Finished,
}

/// A plan as it is shown.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    pub(crate) changes: Vec<Change>,
    pub(crate) summary: Summary,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) create: usize,
    pub(crate) update: usize,
    pub(crate) delete: usize,
    pub(crate) unchanged: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    pub(crate) tenant: String,
    pub(crate) action: Verb,
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) properties: Vec<Property>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Verb {
    Create,
    Delete,
    Update,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) before: Option<String>,
    pub(crate) after: String,
}

/// A secret that was made, for the one time it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Secret {
    pub(crate) tenant: String,
    /// `user` or `application`.
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) app_id: Option<String>,
    pub(crate) secret: String,
}

impl From<&Step> for Change {
    fn from(step: &Step) -> Self {
        let property = |Changed { property, before, after }: &Changed| Property {
            name: property.clone(),
            before: before.clone(),
            after: after.clone(),
        };
        Self {
            tenant: step.tenant.clone(),
            action: match step.action {
                Action::Create => Verb::Create,
                Action::Delete => Verb::Delete,
                Action::Update => Verb::Update,
            },
            kind: step.kind.clone(),
            name: step.name.clone(),
            properties: step.changed.iter().map(property).collect(),
        }
    }
}

impl From<&Made> for Secret {
    fn from(made: &Made) -> Self {
        Self {
            tenant: made.tenant.clone(),
            kind: made.kind.to_owned(),
            name: made.name.clone(),
            app_id: made.app_id.clone(),
            secret: made.secret.clone(),
        }
    }
}

/// Holds a conversation. `goes_on` is asked once, when there is something to do.
pub(crate) async fn conduct(
    service: &Service,
    request: Request,
    answers: &UnboundedSender<Line>,
    goes_on: impl Future<Output = bool>,
) {
    let answer = |line| {
        // Whoever asked may have gone away: then nothing more is made.
        let _ = answers.send(line);
    };
    let Request { mut description, logos, prunes } = request;
    for (tenant, logo) in description.tenants.iter_mut().zip(logos) {
        tenant.logo_bytes = logo;
    }
    let plan = match service.plan_description(description, prunes, &own_moment()) {
        Ok(plan) => plan,
        Err(error) => return answer(Line::Problem(plan_problem(&error))),
    };
    answer(Line::Plan(Shown {
        changes: plan.steps.iter().map(Change::from).collect(),
        summary: Summary {
            create: plan.count(Action::Create),
            update: plan.count(Action::Update),
            delete: plan.count(Action::Delete),
            unchanged: plan.unchanged,
        },
    }));
    if !goes_on.await {
        return;
    }
    let mut step = 0;
    let mut heard = |_: &Step, made: &[Made]| {
        let done = Line::Done { step, made: made.iter().map(Secret::from).collect() };
        step += 1;
        match answers.send(done) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    let outcome = service.apply_plan(&plan, &own_moment, &mut heard).await;
    answer(match outcome.stopped {
        None => Line::Finished,
        Some(Stop::Fault(fault)) => Line::Stopped { step: outcome.done, reason: fault.to_string() },
        Some(Stop::Refused(refusal)) => Line::Stopped { step: outcome.done, reason: refusal_words(&refusal) },
        Some(Stop::Unheard) => return,
    });
}

/// Why there is no plan, in words.
pub(crate) fn plan_problem(error: &PlanError) -> String {
    match error {
        PlanError::Description { place, problem } => format!("{place}: {problem}"),
        PlanError::Fault(fault) => fault.to_string(),
        PlanError::Refused { place, refusal } => format!("{place}: {}", refusal_words(refusal)),
    }
}
