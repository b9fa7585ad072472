//! Reads JSON bodies: typed values, and nothing that names the acting user or tenant (R35).

use super::error::GraphError;
use domain::directory::change::{self, Change, ChangeRefusal, NewValue};
use serde_json::{Map, Value};

/// Annotations (`@odata.type` and the like) are allowed everywhere and mean nothing here (clients 25).
pub(super) fn is_annotation(name: &str) -> bool {
    name.contains('@')
}

/// The user properties of a body; `skipped` are read by the caller.
pub(super) fn user_changes(body: &Map<String, Value>, skipped: &[&str]) -> Result<Vec<Change>, GraphError> {
    let mut changes = Vec::new();
    for (name, value) in body {
        if is_annotation(name) || skipped.contains(&name.as_str()) {
            continue;
        }
        changes.push(change::name(name, new_value(name, value)?)?);
    }
    Ok(changes)
}

fn new_value(name: &str, value: &Value) -> Result<NewValue, GraphError> {
    let wrong = || GraphError::from(ChangeRefusal::WrongType(name.chars().take(64).collect()));
    Ok(match value {
        Value::Null => NewValue::Null,
        Value::Bool(is) => NewValue::Bool(*is),
        Value::String(text) => NewValue::Text(text.clone()),
        Value::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            NewValue::Texts(texts.ok_or_else(wrong)?)
        }
        Value::Number(_) | Value::Object(_) => return Err(wrong()),
    })
}

/// Password and whether it is for once, of a `passwordProfile`.
pub(super) fn password(body: &Map<String, Value>) -> Result<(Option<String>, bool), GraphError> {
    let wrong = || GraphError::from(ChangeRefusal::WrongType("passwordProfile".to_owned()));
    let profile = match body.get("passwordProfile") {
        None | Some(Value::Null) => return Ok((None, false)),
        Some(Value::Object(profile)) => profile,
        Some(_) => return Err(wrong()),
    };
    let password = match profile.get("password") {
        Some(Value::String(password)) => Some(password.clone()),
        None | Some(Value::Null) => None,
        Some(_) => return Err(wrong()),
    };
    let must_change = profile.get("forceChangePasswordNextSignIn").and_then(Value::as_bool);
    Ok((password, must_change.unwrap_or(true)))
}

/// Reads an object with a closed list of properties: an unknown one is named, not ignored.
pub(super) struct Reader<'a> {
    body: &'a Map<String, Value>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a Map<String, Value>, known: &[&str]) -> Result<Self, GraphError> {
        match body.keys().find(|name| !is_annotation(name) && !known.contains(&name.as_str())) {
            Some(unknown) => Err(ChangeRefusal::Unknown(unknown.chars().take(64).collect()).into()),
            None => Ok(Self { body }),
        }
    }

    fn wrong(name: &str) -> GraphError {
        ChangeRefusal::WrongType(name.to_owned()).into()
    }

    /// Present and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.body.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, GraphError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Self::wrong(name)),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, GraphError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(is)) => Ok(Some(*is)),
            Some(_) => Err(Self::wrong(name)),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, GraphError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| Self::wrong(name)),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, GraphError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => {
                let texts =
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                texts.map(Some).ok_or_else(|| Self::wrong(name))
            }
            Some(_) => Err(Self::wrong(name)),
        }
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, GraphError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Self::wrong(name)),
        }
    }

    pub(super) fn objects(&self, name: &str) -> Result<Option<Vec<&'a Map<String, Value>>>, GraphError> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => {
                let objects = items.iter().map(Value::as_object).collect::<Option<Vec<_>>>();
                objects.map(Some).ok_or_else(|| Self::wrong(name))
            }
            Some(_) => Err(Self::wrong(name)),
        }
    }
}
