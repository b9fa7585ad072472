//! Brings directories in line with a description: `plan_description` finds the difference, `apply_plan` makes it, step by
//! step, as the operator, through the decisions and writes behind Graph. What a description leaves out is left alone, and
//! only what was made here is ever deleted (docs/decisions/0010-apply.md).
//!
//! Reading order: this file, `here` (what is there already), `tenant`, `people`, `applications`, `groups` (what of it
//! differs), `prune`, `work` (how a step is made).

mod applications;
mod groups;
mod here;
mod people;
mod prune;
pub(crate) mod tenant;
#[cfg(test)]
mod tests;
mod work;

use crate::applications::ApplicationRefusal;
use crate::branding::BrandingRefusal;
use crate::directory::DirectoryRefusal;
use crate::tenants::SetupRefusal;
use crate::world::World;
use crate::{Fault, Moment, Service};
use domain::b2b::invitation::Refusal as InvitationRefusal;
use domain::directory::change::ChangeRefusal;
use here::Here;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use work::Work;

/// Objects and links that one description names at most.
// DEFAULT: 50,000: a large organisation's, made within the hour; what is more is imported in parts.
const LARGEST: usize = 50_000;

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Create,
    Delete,
    Update,
}

/// A property that becomes another. Passwords and secrets are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub property: String,
    /// `None` where there was no value.
    pub before: Option<String>,
    pub after: String,
}

/// One object that is made, changed or deleted.
#[derive(Clone, Debug)]
pub struct Step {
    /// The domain of its tenant.
    pub tenant: String,
    pub action: Action,
    /// What kind of object it is: `user`, `member of group "Sales"`.
    pub kind: String,
    /// What it is called in the description.
    pub name: String,
    pub changed: Vec<Changed>,
    work: Work,
}

/// The difference between a description and the directories, in the order in which it is made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// How many described objects are as they should be.
    pub unchanged: usize,
    world: Arc<World>,
}

impl Plan {
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

/// A secret that was made, to be shown this once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub tenant: String,
    /// `user` or `application`.
    pub kind: &'static str,
    pub name: String,
    /// Of an application.
    pub app_id: Option<String>,
    pub secret: String,
}

/// Why a step is refused: what Graph would refuse it with, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Application(ApplicationRefusal),
    Branding(BrandingRefusal),
    Directory(DirectoryRefusal),
    /// What a step rests on is gone since it was planned.
    Gone(String),
    Invitation(InvitationRefusal),
    Setup(SetupRefusal),
}

impl From<ApplicationRefusal> for Refusal {
    fn from(refusal: ApplicationRefusal) -> Self {
        Self::Application(refusal)
    }
}
impl From<BrandingRefusal> for Refusal {
    fn from(refusal: BrandingRefusal) -> Self {
        Self::Branding(refusal)
    }
}
impl From<ChangeRefusal> for Refusal {
    fn from(refusal: ChangeRefusal) -> Self {
        Self::Directory(refusal.into())
    }
}
impl From<DirectoryRefusal> for Refusal {
    fn from(refusal: DirectoryRefusal) -> Self {
        Self::Directory(refusal)
    }
}
impl From<SetupRefusal> for Refusal {
    fn from(refusal: SetupRefusal) -> Self {
        Self::Setup(refusal)
    }
}

/// Why there is no plan. Nothing was changed.
#[derive(Debug)]
pub enum PlanError {
    /// The description itself, with the place in it.
    Description {
        place: String,
        problem: String,
    },
    Fault(Fault),
    /// What would be refused.
    Refused {
        place: String,
        refusal: Refusal,
    },
}

impl std::fmt::Display for PlanError {
    /// The place and what is wrong there; the surface that answers has better words for a refusal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Description { place, problem } => write!(f, "{place}: {problem}"),
            Self::Fault(fault) => fault.fmt(f),
            Self::Refused { place, refusal } => write!(f, "{place}: {refusal:?}"),
        }
    }
}

impl From<Fault> for PlanError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
impl From<store::Fault> for PlanError {
    fn from(fault: store::Fault) -> Self {
        Self::Fault(fault.into())
    }
}

fn wrong(place: &str, problem: impl Into<String>) -> PlanError {
    PlanError::Description { place: place.to_owned(), problem: problem.into() }
}

fn refused(place: &str, refusal: impl Into<Refusal>) -> PlanError {
    PlanError::Refused { place: place.to_owned(), refusal: refusal.into() }
}

/// How far an application of a plan came.
#[derive(Debug)]
pub struct Outcome {
    pub done: usize,
    /// What ended it, with the step it ended at.
    pub stopped: Option<Stop>,
}

#[derive(Debug)]
pub enum Stop {
    Fault(Fault),
    Refused(Refusal),
    /// Whoever is told of the steps went away: secrets that nobody hears of must not be made.
    Unheard,
}

/// What one kind of object adds to a plan.
#[derive(Default)]
struct Found {
    steps: Vec<Step>,
    unchanged: usize,
}

impl Found {
    fn push(&mut self, step: Option<Step>) {
        match step {
            Some(step) => self.steps.push(step),
            None => self.unchanged += 1,
        }
    }
}

impl Service {
    /// The difference between a description and what is there; with `prunes`, what an earlier one made and this one does
    /// not name any more is deleted.
    pub fn plan_description(&self, world: World, prunes: bool, moment: &Moment) -> Result<Plan, PlanError> {
        check_size(&world)?;
        let world = Arc::new(world);
        let mut heres = Vec::new();
        let mut domains = BTreeSet::new();
        for (at, described) in world.tenants.iter().enumerate() {
            if !domains.insert(described.domain.to_ascii_lowercase()) {
                return Err(wrong(&described.domain, "this tenant is described twice"));
            }
            heres.push(Here::new(self, described, at, moment)?);
        }
        let mut found = Found::default();
        for here in &heres {
            tenant::find(here, &mut found)?;
            people::users(here, &mut found)?;
        }
        // Guests come after all tenants: their homes may be among them.
        for here in &heres {
            people::guests(here, &mut found)?;
            applications::find(here, &mut found)?;
            groups::find(here, &mut found)?;
            groups::links(here, &mut found)?;
            applications::assignments(here, &mut found)?;
            applications::grants(here, &mut found)?;
            people::roles(here, &mut found)?;
        }
        if prunes {
            for here in &heres {
                prune::find(here, &mut found)?;
            }
        }
        Ok(Plan { steps: found.steps, unchanged: found.unchanged, world })
    }

    /// Makes a plan's steps in order, and ends at the first that is refused: planning again finds what is left. `clock`
    /// gives each step its moment; `heard` is told of each step that is done, with the secrets it made, and may end it.
    pub async fn apply_plan(
        &self,
        plan: &Plan,
        clock: &(dyn Fn() -> Moment + Sync),
        heard: &mut (dyn FnMut(&Step, &[Made]) -> ControlFlow<()> + Send),
    ) -> Outcome {
        for (done, step) in plan.steps.iter().enumerate() {
            let stop = match self.make(&plan.world, step, &clock()).await {
                Ok(Ok(made)) => match heard(step, &made) {
                    ControlFlow::Continue(()) => continue,
                    ControlFlow::Break(()) => {
                        return Outcome { done: done + 1, stopped: Some(Stop::Unheard) };
                    }
                },
                Ok(Err(refusal)) => Stop::Refused(refusal),
                Err(fault) => Stop::Fault(fault),
            };
            return Outcome { done, stopped: Some(stop) };
        }
        Outcome { done: plan.steps.len(), stopped: None }
    }
}

fn check_size(world: &World) -> Result<(), PlanError> {
    let mut named = world.tenants.len();
    for tenant in &world.tenants {
        named += tenant.users.len() + tenant.guests.len() + tenant.applications.len() + tenant.groups.len();
        named += tenant.users.iter().map(|user| user.roles.len()).sum::<usize>();
        named += tenant.groups.iter().map(|group| group.members.len() + group.owners.len()).sum::<usize>();
        let given = |app: &crate::world::WorldApplication| {
            app.permissions.len() + app.app_role_assigned_to.len() + app.permission_grants.len()
        };
        named += tenant.applications.iter().map(given).sum::<usize>();
    }
    match named > LARGEST {
        true => {
            Err(wrong("the file", format!("it names {named} things; at most {LARGEST} fit, so divide it")))
        }
        false => Ok(()),
    }
}

/// A text as it is shown.
fn text(value: &str) -> String {
    let short: String = value.chars().take(80).collect();
    let cut = if short.len() < value.len() { "…" } else { "" };
    format!("\"{}{cut}\"", short.replace('\n', " "))
}

fn texts(values: &[String]) -> String {
    let values: Vec<_> = values.iter().take(20).map(|value| text(value)).collect();
    format!("[{}]", values.join(", "))
}

/// The property, if its value changes.
fn changed(property: &str, before: Option<String>, after: Option<String>) -> Option<Changed> {
    let after_shown = after.clone().unwrap_or_else(|| "none".to_owned());
    (before != after).then(|| Changed { property: property.to_owned(), before, after: after_shown })
}
