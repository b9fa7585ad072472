//! `/applications/{id}/federatedIdentityCredentials` (Graph: federatedIdentityCredential), by id or by name.

use super::applications::{check_unserved, key, object, selected};
use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::federated_credential::{CredentialChange, FederatedCredential};
use http::StatusCode;
use serde_json::{Map, Value, json};
use standards::odata::path::Key;

const SET: &str = "federatedIdentityCredentials";

fn body(credential: &FederatedCredential) -> Map<String, Value> {
    object(json!({
        "id": credential.id.to_string(),
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "audiences": credential.audiences,
        "description": credential.description,
    }))
}

fn entity(ask: &Ask<'_>, credential: &FederatedCredential) -> Result<Value, GraphError> {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, SET, true).into());
    entity.extend(body(credential));
    selected(ask, entity)
}

fn read(ask: &Ask<'_>) -> Result<CredentialChange, GraphError> {
    const UNSERVED: &[&str] = &["claimsMatchingExpression"];
    let known = [UNSERVED, &["audiences", "description", "id", "issuer", "name", "subject"]].concat();
    let reader = Reader::new(&ask.body, &known)?;
    check_unserved(&ask.body, UNSERVED)?;
    if reader.has("id") {
        return Err(ChangeRefusal::ReadOnly("id".to_owned()).into());
    }
    let description = match ask.body.contains_key("description") {
        true => Some(reader.text("description")?),
        false => None,
    };
    Ok(CredentialChange {
        name: reader.text("name")?,
        issuer: reader.text("issuer")?,
        subject: reader.text("subject")?,
        audiences: reader.texts("audiences")?,
        description,
    })
}

pub(super) fn list(ask: Ask<'_>, at: &Key) -> Handled {
    let known = ask.app.service.list_federated_credentials(ask.viewer, key(at)?)??;
    ask.serves(&["$select"])?;
    let values = known.iter().map(|one| selected(&ask, body(one))).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, SET, values, None, None)))
}

pub(super) fn get(ask: &Ask<'_>, at: &Key, part: Option<&str>) -> Handled {
    let part = part.unwrap_or_default();
    let found = ask.app.service.find_federated_credential(ask.viewer, key(at)?, part)??;
    ask.serves(&["$select"])?;
    Ok(Answer::Json(StatusCode::OK, entity(ask, &found)?))
}

pub(super) async fn create(ask: Ask<'_>, at: &Key) -> Handled {
    let new = read(&ask)?;
    let made = ask.app.service.add_federated_credential(ask.viewer, key(at)?, new, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &made)?))
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key, part: Option<&str>) -> Handled {
    let (change, part) = (read(&ask)?, part.unwrap_or_default().to_owned());
    ask.app.service.update_federated_credential(ask.viewer, key(at)?, part, change, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key, part: Option<&str>) -> Handled {
    let part = part.unwrap_or_default().to_owned();
    ask.app.service.remove_federated_credential(ask.viewer, key(at)?, part, ask.moment).await??;
    Ok(Answer::NoContent)
}
