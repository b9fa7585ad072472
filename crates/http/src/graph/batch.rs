//! `/$batch`: several requests in one (facts: graph §1.1, clients 24). Each is asked for leave, recorded and answered as if
//! it had come alone; nothing is undone when a later one fails.

use super::{Answer, Ask, BODY, CLIENT_REQUEST_ID, Handled, answer, error::GraphError};
use axum::body::Body;
use axum::extract::Request;
use domain::audit::Origin;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};
use service::Moment;
use standards::b64;
use standards::odata::path;
use std::collections::BTreeMap;

/// Requests in one batch, as documented.
const REQUESTS: usize = 20;
/// Longest id, in bytes.
const ID: usize = 128;

/// One request of a batch, read.
struct Item {
    id: String,
    method: Method,
    /// Path and query below our origin.
    address: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    /// Places of the requests that must have succeeded before.
    needs: Vec<usize>,
}

fn bad(text: impl Into<String>) -> GraphError {
    GraphError::Body(text.into())
}

/// Answers a batch. The caller is the batch's; the requests inside bring none of their own.
pub(super) async fn run(batch: Ask<'_>) -> Handled {
    let items = read(&batch.body, &batch.app.service.settings().base)?;
    let mut answers: Vec<Option<Value>> = items.iter().map(|_| None).collect();
    // What depends on others runs after them; `read` made sure that this ends.
    while answers.iter().any(Option::is_none) {
        for (index, item) in items.iter().enumerate() {
            let of = |at: &usize| answers.get(*at).and_then(Option::as_ref);
            if of(&index).is_some() || item.needs.iter().any(|at| of(at).is_none()) {
                continue;
            }
            let answer = match item.needs.iter().all(|at| of(at).is_some_and(is_success)) {
                true => ask(&batch, item, index).await,
                false => failed_dependency(&item.id),
            };
            if let Some(place) = answers.get_mut(index) {
                *place = Some(answer);
            }
        }
    }
    let responses: Vec<Value> = answers.into_iter().flatten().collect();
    Ok(Answer::Json(StatusCode::OK, json!({ "responses": responses })))
}

fn is_success(answer: &Value) -> bool {
    answer.get("status").and_then(Value::as_u64).is_some_and(|status| status < 400)
}

fn failed_dependency(id: &str) -> Value {
    let error =
        json!({ "code": "FailedDependency", "message": "A request that this one depends on failed." });
    response(id, StatusCode::FAILED_DEPENDENCY, Some(json!({ "error": error })))
}

/// A JSON answer, or one without content.
fn response(id: &str, status: StatusCode, body: Option<Value>) -> Value {
    let headers = if body.is_some() { json!({ "Content-Type": "application/json" }) } else { json!({}) };
    whole(id, status, headers, body)
}

fn whole(id: &str, status: StatusCode, headers: Value, body: Option<Value>) -> Value {
    let mut response = Map::new();
    response.insert("id".to_owned(), id.into());
    response.insert("status".to_owned(), status.as_u16().into());
    response.insert("headers".to_owned(), headers);
    if let Some(body) = body {
        response.insert("body".to_owned(), body);
    }
    response.into()
}

/// Asks as if the request had come alone: with chance of its own, and a correlation that the batch's id leads to.
async fn ask(batch: &Ask<'_>, item: &Item, index: usize) -> Value {
    let Ask { app, bearer, moment, .. } = batch;
    let entropy = moment.entropy.child("batch", index);
    let correlation = item.headers.iter().find(|(name, _)| *name == CLIENT_REQUEST_ID);
    let correlation = correlation.and_then(|(_, id)| id.to_str().ok()?.parse().ok());
    let origin =
        Origin { correlation: correlation.unwrap_or(moment.origin.correlation), ..moment.origin.clone() };
    let moment = Moment { now: moment.now, entropy, origin };
    let mut request = Request::builder().method(&item.method).uri(&item.address);
    for (name, value) in &item.headers {
        request = request.header(name, value);
    }
    if let Some(bearer) = bearer {
        request = request.header(header::AUTHORIZATION, bearer);
    }
    let outcome = match request.body(Body::from(item.body.clone())) {
        // Boxed, because a batch is itself a request.
        Ok(request) => Box::pin(answer(app, request, &moment)).await,
        Err(_) => Err(GraphError::Path),
    };
    match outcome {
        Ok(Answer::Json(status, body)) => response(&item.id, status, Some(body)),
        Ok(Answer::Count(count)) => with_kind(&item.id, "text/plain", count.to_string()),
        Ok(Answer::Stream(kind, bytes)) => with_kind(&item.id, kind, b64::encode_std(&bytes)),
        Ok(Answer::NoContent) => response(&item.id, StatusCode::NO_CONTENT, None),
        Ok(Answer::Preferred(applied, body)) => {
            let headers = json!({ "Content-Type": "application/json", "Preference-Applied": applied });
            whole(&item.id, StatusCode::OK, headers, Some(body))
        }
        Err(error) => {
            let (status, body) = error.body(&moment.origin.correlation.to_string(), &moment);
            let mut headers = Map::new();
            headers.insert("Content-Type".to_owned(), "application/json".into());
            headers.extend(error.headers().into_iter().map(|(name, value)| (name.to_owned(), value.into())));
            whole(&item.id, status, headers.into(), Some(body))
        }
    }
}

/// Text and bytes stand in a JSON string; bytes in base64.
fn with_kind(id: &str, kind: &str, text: String) -> Value {
    whole(id, StatusCode::OK, json!({ "Content-Type": kind }), Some(text.into()))
}

/// Reads a batch; anything wrong with its form refuses it whole, before anything is done.
fn read(body: &Map<String, Value>, base: &str) -> Result<Vec<Item>, GraphError> {
    let Some(Value::Array(requests)) = body.get("requests") else {
        return Err(bad("Write 'requests' as a list of requests."));
    };
    if requests.is_empty() || requests.len() > REQUESTS {
        return Err(bad(format!("A batch has 1 to {REQUESTS} requests; this one has {}.", requests.len())));
    }
    let mut places = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        let id = request.get("id").and_then(Value::as_str).filter(|id| !id.is_empty() && id.len() <= ID);
        let id = id.ok_or_else(|| bad("Every request of a batch needs an id."))?;
        // Ids differ without regard to case.
        if places.insert(id.to_ascii_lowercase(), index).is_some() {
            return Err(bad(format!("The id '{id}' stands there twice.")));
        }
    }
    let items = requests.iter().map(|request| item(request, &places, base)).collect::<Result<Vec<_>, _>>()?;
    if is_cyclic(&items) {
        return Err(bad("The requests of the batch depend on each other in a circle."));
    }
    Ok(items)
}

fn item(request: &Value, places: &BTreeMap<String, usize>, base: &str) -> Result<Item, GraphError> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let id = text("id").unwrap_or_default().to_owned();
    let wrong = |what: &str| bad(format!("The request '{id}' of the batch has {what}."));
    let method = text("method").map(str::to_ascii_uppercase).unwrap_or_default();
    let method = match method.as_str() {
        "DELETE" | "GET" | "PATCH" | "POST" | "PUT" => {
            method.parse().map_err(|_| wrong("a strange method"))?
        }
        _ => return Err(wrong("no method, or one that is not served")),
    };
    let url = text("url").ok_or_else(|| wrong("no url"))?;
    let address = address(url, base).ok_or_else(|| wrong("a url that leads elsewhere"))?;
    let mut headers = Vec::new();
    for (name, value) in request.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let pair = name.parse::<HeaderName>().ok().zip(value.as_str().and_then(|v| v.parse().ok()));
        let pair = pair.ok_or_else(|| wrong("a header that cannot be sent"))?;
        // The caller is the batch's (R35).
        if pair.0 != header::AUTHORIZATION {
            headers.push(pair);
        }
    }
    let body = match request.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => b64::decode_std(text).unwrap_or_else(|| text.as_bytes().to_vec()),
        Some(body) => serde_json::to_vec(body).map_err(|_| wrong("a strange body"))?,
    };
    if body.len() > BODY {
        return Err(GraphError::BodyTooLarge);
    }
    // COMPAT: msgraph-core for Python writes `depends_on`, also where nothing is depended on.
    let needs = request.get("dependsOn").or_else(|| request.get("depends_on"));
    let needs = match needs {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(ids)) => {
            let place = |id: &Value| places.get(&id.as_str()?.to_ascii_lowercase()).copied();
            let places = ids.iter().map(place).collect::<Option<Vec<_>>>();
            places.ok_or_else(|| wrong("a dependency that is not in the batch"))?
        }
        Some(_) => return Err(wrong("dependencies that are no list")),
    };
    Ok(Item { id, method, address, headers, body, needs })
}

/// A url as clients write it: relative with or without a slash, with the version or without, or absolute on our origin.
/// A batch inside a batch is refused.
fn address(url: &str, base: &str) -> Option<String> {
    let path = match url.strip_prefix(base) {
        Some(path) => path,
        None if url.contains("://") || url.starts_with("//") => return None,
        None => url,
    };
    let path = path.trim_start_matches('/');
    let below = ["graph/v1.0/", "v1.0/", "beta/"].iter().find_map(|version| path.strip_prefix(version));
    let below = below.unwrap_or(path);
    // As the address will be read: decoded, without empty segments.
    let segments = path::parse(below.split('?').next()?)?;
    let is_batch = segments.first().is_none_or(|first| first.name.eq_ignore_ascii_case("$batch"));
    (!is_batch).then(|| format!("/v1.0/{}", below.replace(' ', "%20")))
}

/// Takes away what depends on nothing that is left, until nothing goes.
fn is_cyclic(items: &[Item]) -> bool {
    let mut left: Vec<usize> = (0..items.len()).collect();
    loop {
        let before = left.len();
        let waits = |at: &usize, left: &[usize]| {
            items.get(*at).is_some_and(|item| item.needs.iter().any(|need| left.contains(need)))
        };
        let still: Vec<usize> = left.iter().copied().filter(|at| waits(at, &left)).collect();
        left = still;
        if left.is_empty() || left.len() == before {
            return !left.is_empty();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://localhost:8443";

    #[test]
    fn every_spelling_of_a_url_leads_to_the_same_address() {
        for url in [
            "users?$top=2",
            "/users?$top=2",
            "/v1.0/users?$top=2",
            "https://localhost:8443/v1.0/users?$top=2",
            "https://localhost:8443/graph/v1.0/users?$top=2",
        ] {
            assert_eq!(address(url, BASE).as_deref(), Some("/v1.0/users?$top=2"), "{url}");
        }
        assert_eq!(address("users?$filter=a eq 1", BASE).as_deref(), Some("/v1.0/users?$filter=a%20eq%201"));
        for url in [
            "",
            "/",
            "https://evil.test/users",
            "//evil.test/users",
            "$batch",
            "/v1.0/%24batch",
            "/$%62atch",
            "/v1.0//$batch",
            "?a",
        ] {
            assert_eq!(address(url, BASE), None, "{url}");
        }
    }

    fn batch(requests: Value) -> Result<Vec<Item>, GraphError> {
        let Value::Object(body) = json!({ "requests": requests }) else { panic!() };
        read(&body, BASE)
    }

    #[test]
    fn a_batch_that_is_wrong_in_one_place_is_refused_whole() {
        let get =
            |id: &str, needs: Value| json!({ "id": id, "method": "GET", "url": "me", "dependsOn": needs });
        let many: Vec<Value> = (0..21).map(|id| get(&id.to_string(), json!([]))).collect();
        assert!(batch(many[..20].into()).is_ok());
        for bad in [
            json!(many),
            json!([]),
            json!({}),
            json!([get("", json!([]))]),
            json!([get("1", json!([])), get("1", json!([]))]),
            json!([get("a", json!([])), get("A", json!([]))]),
            json!([get("1", json!(["2"]))]),
            json!([get("1", json!(["1"]))]),
            json!([get("1", json!(["2"])), get("2", json!(["3"])), get("3", json!(["1"]))]),
            json!([get("1", json!("2"))]),
            json!([{ "id": "1", "method": "TRACE", "url": "me" }]),
            json!([{ "id": "1", "method": "GET" }]),
            json!([{ "id": "1", "method": "GET", "url": "https://evil.test/" }]),
            json!([{ "id": "1", "method": "GET", "url": "me", "headers": { "x": "a\nb" } }]),
        ] {
            assert!(batch(bad.clone()).is_err(), "{bad}");
        }
        let chain = batch(json!([get("1", json!(["2"])), get("2", json!([]))]));
        assert_eq!(chain.unwrap()[0].needs, [1]);
    }
}
