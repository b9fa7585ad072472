//! `/users/delta` and its like (Graph: delta query; facts: graph §1.2).

use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, groups, render, service_principals};
use domain::directory::delta::{Asked, PAGE, Tracked, link_name};
use domain::directory::group::LinkedKind;
use domain::directory::property::Property;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::delta::{DeltaAsk, DeltaItem, DeltaPage, LinkState, Object, Onward, Present, Start};
use service::directory::DirectoryRefusal;

pub(super) fn list(ask: Ask<'_>, kind: Tracked) -> Handled {
    let Ask { app, viewer, query, moment, prefer, .. } = &ask;
    let with_top = matches!(kind, Tracked::Applications | Tracked::ServicePrincipals);
    ask.serves(match with_top {
        true => &["$deltatoken", "$filter", "$select", "$skiptoken", "$top"],
        false => &["$deltatoken", "$filter", "$select", "$skiptoken"],
    })?;
    let start = match (&query.deltatoken, &query.skiptoken) {
        (Some(_), Some(_)) => return Err(DirectoryRefusal::SkipToken.into()),
        (Some(token), None) if token.eq_ignore_ascii_case("latest") => Start::Now,
        // COMPAT: an empty token is what Graph sends clients back with to begin anew.
        (Some(token), None) if token.is_empty() => Start::Everything,
        (Some(token), None) => Start::Since(token.clone()),
        (None, Some(token)) => Start::Next(token.clone()),
        (None, None) => Start::Everything,
    };
    let asked =
        Asked::read(query.select.as_deref(), query.filter.as_ref()).map_err(DirectoryRefusal::Query)?;
    let page = query.top.or(prefer.page).unwrap_or(PAGE).min(PAGE);
    let outcome = app.service.delta(viewer, &DeltaAsk { kind, asked, start, page }, moment.now)?;
    let seen = match outcome {
        Ok(seen) => seen,
        Err(DirectoryRefusal::DeltaTooOld(asked)) => return Err(GraphError::Resync(anew(&ask, &asked))),
        Err(refusal) => return Err(refusal.into()),
    };
    let body = body(&ask, kind, &seen);
    // `$top` is the request's own word, and goes before what it would prefer.
    let page = prefer.page.filter(|_| query.top.is_none()).map(|_| page);
    Ok(match applied(prefer.is_minimal, page) {
        None => Answer::Json(StatusCode::OK, body),
        Some(applied) => Answer::Preferred(applied, body),
    })
}

/// The preferences that an answer honours: objects cut down to what changed, and the length of a page.
fn applied(is_minimal: bool, page: Option<u32>) -> Option<String> {
    let minimal = is_minimal.then(|| "return=minimal".to_owned());
    let page = page.map(|page| format!("odata.maxpagesize={page}"));
    let applied: Vec<String> = minimal.into_iter().chain(page).collect();
    (!applied.is_empty()).then(|| applied.join(", "))
}

/// The address that begins a round of the same query.
fn anew(ask: &Ask<'_>, asked: &Asked) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(select) = &asked.select {
        query.append_pair("$select", &select.join(","));
    }
    if let Some(ids) = &asked.ids {
        let clauses: Vec<String> = ids.iter().map(|id| format!("id eq '{id}'")).collect();
        query.append_pair("$filter", &clauses.join(" or "));
    }
    query.append_pair("$deltatoken", "");
    format!("{}?{}", ask.address, query.finish())
}

fn body(ask: &Ask<'_>, kind: Tracked, seen: &DeltaPage) -> Value {
    let base = &ask.app.service.settings().base;
    let selection =
        seen.asked.select.as_ref().map(|names| format!("({})", names.join(","))).unwrap_or_default();
    let (link, token, name) = match &seen.onward {
        Onward::Later(token) => ("@odata.deltaLink", token, "deltatoken"),
        Onward::Next(token) => ("@odata.nextLink", token, "skiptoken"),
    };
    let items: Vec<Value> = seen.items.iter().map(|item| self::item(ask, seen, item).into()).collect();
    let mut body = Map::new();
    body.insert(
        "@odata.context".to_owned(),
        format!("{base}/v1.0/$metadata#{}{selection}", kind.set()).into(),
    );
    let top = ask.query.top.map(|top| format!("&%24top={top}")).unwrap_or_default();
    body.insert(link.to_owned(), format!("{}?%24{name}={token}{top}", ask.address).into());
    body.insert("value".to_owned(), items.into());
    body.into()
}

fn item(ask: &Ask<'_>, seen: &DeltaPage, item: &DeltaItem) -> Map<String, Value> {
    let mut shown = Map::new();
    match item {
        DeltaItem::Removed { id, is_purged } => {
            shown.insert("id".to_owned(), id.to_string().into());
            let reason = if *is_purged { "deleted" } else { "changed" };
            shown.insert("@removed".to_owned(), json!({ "reason": reason }));
        }
        DeltaItem::Present(present) => {
            let Present { object, parts, links } = present.as_ref();
            // With `return=minimal` only what the log says changed, and always the id.
            let is_wanted = |column: &&&'static Property| match parts {
                Some(parts) if ask.prefer.is_minimal => column.name == "id" || parts.contains(column.name),
                Some(_) | None => true,
            };
            let columns: Vec<&'static Property> =
                seen.tracking.columns.iter().filter(is_wanted).copied().collect();
            shown = match object {
                Object::Application(app) => chosen(applications::body(app), &columns),
                Object::Group(group) => groups::body(group, &columns),
                Object::ServicePrincipal(row) => chosen(service_principals::body(row), &columns),
                Object::User(user) => render::user(user, &columns, &seen.tenant),
            };
            for (link, states) in links {
                let states: Vec<Value> = states.iter().map(state).collect();
                shown.insert(format!("{}@delta", link_name(*link)), states.into());
            }
        }
    }
    shown
}

fn chosen(mut body: Map<String, Value>, columns: &[&'static Property]) -> Map<String, Value> {
    body.retain(|name, _| columns.iter().any(|column| column.name == name));
    body
}

/// An object that is linked, or was.
fn state(state: &LinkState) -> Value {
    let kind = match state.kind {
        LinkedKind::Application => "#microsoft.graph.application",
        LinkedKind::Group => "#microsoft.graph.group",
        LinkedKind::ServicePrincipal => "#microsoft.graph.servicePrincipal",
        LinkedKind::User => "#microsoft.graph.user",
    };
    match state.is_linked {
        true => json!({ "@odata.type": kind, "id": state.object.to_string() }),
        false => {
            json!({ "@odata.type": kind, "id": state.object.to_string(), "@removed": { "reason": "deleted" } })
        }
    }
}
