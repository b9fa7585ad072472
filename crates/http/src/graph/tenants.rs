//! `/directory/tenants`: a person makes an organisation (docs/decisions/0008). Graph has no address for it.

use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, organization, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::permission::Visibility;
use domain::tenancy::creation;
use domain::verdict::Verdict;
use http::StatusCode;
use serde_json::Map;

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let reader = Reader::new(&ask.body, &["displayName", "initialDomainName"])?;
    let required = |name: &'static str| match reader.text(name)? {
        Some(text) => Ok(text),
        None => Err(GraphError::from(ChangeRefusal::Missing(name))),
    };
    let wanted =
        creation::Ask { display_name: required("displayName")?, name: required("initialDomainName")? };
    // Also says whether what is selected can be answered, before anything is made.
    let user = ask.app.service.may_create_tenant(ask.viewer, ask.moment).await??;
    ask.serves(&["$select"])?;
    match ask.app.service.create_own_tenant(ask.viewer.tenant, user, wanted, ask.moment).await? {
        Verdict::Refused(refusal, _) => Err(GraphError::Creation(refusal)),
        Verdict::Granted(tenant, _) => {
            let mut body = Map::new();
            body.insert("@odata.context".to_owned(), render::context(&ask, "organization", true).into());
            body.extend(organization::value(&ask, &tenant, Visibility::Full)?);
            Ok(Answer::Json(StatusCode::CREATED, body.into()))
        }
    }
}
