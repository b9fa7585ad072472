//! One conversation about a description, or a tenant to delete: what would change, whether to go on, what was done. The command line holds it with
//! itself, or with the server that uses the data folder (`door`).

use crate::wiring::own_moment;
use hospes_http::{deletion_words, refusal_words};
use serde::{Deserialize, Serialize};
use service::apply::{Action, Changed, Made, PlanError, Step, Stop};
use service::world::World;
use service::{Service, TenantSegment};
use std::ops::ControlFlow;
use tokio::sync::mpsc::UnboundedSender;

/// The kind of a change that deletes a tenant.
pub(crate) const TENANT: &str = "tenant";

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Request {
    /// By its id or one of its names.
    DeleteTenant(String),
    Describe(Box<Description>),
}

/// There shall be what a description says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Description {
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
    let Description { mut description, logos, prunes } = match request {
        Request::DeleteTenant(named) => return delete_tenant(service, &named, &answer, goes_on).await,
        Request::Describe(description) => *description,
    };
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

async fn delete_tenant(
    service: &Service,
    named: &str,
    answer: &impl Fn(Line),
    goes_on: impl Future<Output = bool>,
) {
    let tenant = match service.find_tenant(named) {
        Ok(TenantSegment::One(tenant)) => tenant,
        Ok(TenantSegment::Any | TenantSegment::Consumers | TenantSegment::Unknown) => {
            return answer(Line::Problem("there is no such tenant".to_owned()));
        }
        Err(fault) => return answer(Line::Problem(fault.to_string())),
    };
    let change = Change {
        tenant: tenant.default_domain().map_or_else(|| tenant.id.to_string(), ToString::to_string),
        action: Verb::Delete,
        kind: TENANT.to_owned(),
        name: tenant.display_name.clone(),
        properties: Vec::new(),
    };
    let summary = Summary { create: 0, update: 0, delete: 1, unchanged: 0 };
    answer(Line::Plan(Shown { changes: vec![change], summary }));
    if !goes_on.await {
        return;
    }
    let stopped = |reason| answer(Line::Stopped { step: 0, reason });
    match service.delete_tenant(tenant.id, &own_moment()).await {
        Ok(Ok(())) => {
            answer(Line::Done { step: 0, made: Vec::new() });
            answer(Line::Finished);
        }
        Ok(Err(refusal)) => stopped(deletion_words(refusal)),
        Err(fault) => stopped(fault.to_string()),
    }
}

/// Why there is no plan, in words.
pub(crate) fn plan_problem(error: &PlanError) -> String {
    match error {
        PlanError::Description { place, problem } => format!("{place}: {problem}"),
        PlanError::Fault(fault) => fault.to_string(),
        PlanError::Refused { place, refusal } => format!("{place}: {}", refusal_words(refusal)),
    }
}
