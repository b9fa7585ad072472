//! What a client asks access to: OpenID scopes, and permissions of one resource (facts: protocol §3, clients 21).

use crate::directory::first_party;
use crate::id::AppId;
use crate::issuance::Denial;

/// The scopes of a request, sorted out but not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ScopeAsk {
    pub openid: bool,
    pub profile: bool,
    pub email: bool,
    pub offline_access: bool,
    /// The client handles claims challenges (`xms_cc`).
    pub handles_challenges: bool,
    /// The resource and what of it; `None` when only OpenID scopes were asked.
    pub resource: Option<ResourceAsk>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceAsk {
    pub name: ResourceName,
    /// The resource as the client wrote it: the audience of a v1 token repeats it.
    pub spelled: String,
    pub wanted: Wanted,
    /// The scopes exactly as the client wrote them; the answer repeats them (clients 10).
    pub as_written: Vec<String>,
}

/// How a resource is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ResourceName {
    App(AppId),
    Uri(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `.default`: everything that was granted.
    Default,
    Named(Vec<String>),
}

/// Names under which Graph may be asked for besides its own: this deployment's origin, with and without port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphAliases(pub Vec<String>);

/// Sorts scopes out. All resource scopes must belong to one resource.
pub fn sort(scopes: &[String], aliases: &GraphAliases) -> Result<ScopeAsk, Denial> {
    let mut ask = ScopeAsk::default();
    for written in scopes {
        match written.as_str() {
            "openid" => ask.openid = true,
            "profile" => ask.profile = true,
            "email" => ask.email = true,
            "offline_access" => ask.offline_access = true,
            "address" | "phone" => {}
            _ => add(&mut ask, written, aliases)?,
        }
    }
    Ok(ask)
}

fn add(ask: &mut ScopeAsk, written: &str, aliases: &GraphAliases) -> Result<(), Denial> {
    // The scope is what follows the last slash; a slash before it belongs to the resource (`https://x//.default`).
    let (spelled, value) = match written.rsplit_once('/') {
        Some((resource, value)) => (resource, value),
        None => ("", written),
    };
    if value.is_empty() {
        return Err(Denial::ScopeInvalid);
    }
    let name = resource_name(spelled, aliases);
    let resource = ask.resource.get_or_insert_with(|| ResourceAsk {
        name: name.clone(),
        spelled: spelled.to_owned(),
        wanted: Wanted::Named(Vec::new()),
        as_written: Vec::new(),
    });
    if resource.name != name {
        return Err(Denial::ScopesOfSeveralResources);
    }
    match (&mut resource.wanted, value) {
        (Wanted::Named(named), ".default") if named.is_empty() => resource.wanted = Wanted::Default,
        (Wanted::Default, ".default") => {}
        (Wanted::Named(_), ".default") | (Wanted::Default, _) => return Err(Denial::ScopeInvalid),
        (Wanted::Named(named), value) => {
            if !named.iter().any(|known| known.eq_ignore_ascii_case(value)) {
                named.push(value.to_owned());
            }
        }
    }
    resource.as_written.push(written.to_owned());
    Ok(())
}

fn resource_name(spelled: &str, aliases: &GraphAliases) -> ResourceName {
    let bare = spelled.strip_suffix('/').unwrap_or(spelled);
    let is_graph = spelled.is_empty()
        || bare == "https://graph.microsoft.com"
        || aliases.0.iter().any(|alias| alias == bare);
    if is_graph {
        return ResourceName::App(first_party::GRAPH_APP_ID);
    }
    match spelled.parse::<AppId>().or_else(|_| spelled.strip_prefix("api://").unwrap_or("").parse::<AppId>())
    {
        Ok(app) => ResourceName::App(app),
        Err(_) => ResourceName::Uri(spelled.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(scopes: &str) -> Result<ScopeAsk, Denial> {
        let scopes: Vec<String> = scopes.split(' ').map(str::to_owned).collect();
        sort(&scopes, &GraphAliases(vec!["https://localhost".into(), "https://localhost:8443".into()]))
    }

    #[test]
    fn every_spelling_of_graph_is_graph() {
        for scopes in [
            "User.Read",
            ".default",
            "https://graph.microsoft.com/.default",
            "https://graph.microsoft.com//.default",
            "00000003-0000-0000-c000-000000000000/.default",
            "https://localhost/.default",
            "https://localhost:8443/User.Read",
        ] {
            let resource = ask(scopes).unwrap().resource.unwrap();
            assert_eq!(resource.name, ResourceName::App(first_party::GRAPH_APP_ID), "{scopes}");
            assert_eq!(resource.as_written, [scopes]);
        }
    }

    #[test]
    fn scopes_of_two_resources_are_refused() {
        assert_eq!(ask("User.Read api://x/read"), Err(Denial::ScopesOfSeveralResources));
    }

    #[test]
    fn default_does_not_mix_with_named_scopes() {
        assert_eq!(ask("User.Read .default"), Err(Denial::ScopeInvalid));
        assert_eq!(ask(".default Mail.Read"), Err(Denial::ScopeInvalid));
    }
}
