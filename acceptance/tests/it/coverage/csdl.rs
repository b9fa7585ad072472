//! `$metadata`: Graph's types cut down to what is served, as CSDL (OData CSDL XML 4.0).

use super::{Served, is_relation_served, item_type, members, roots, templates};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use testkit::contract;

/// Types of addresses that only hold others, by their path. A new one is a line here.
const CONTAINERS: &[(&str, &str)] = &[
    ("auditLogs", "auditLogRoot"),
    ("directory", "directory"),
    ("identity", "identityContainer"),
    ("identity/conditionalAccess", "conditionalAccessRoot"),
    ("identityGovernance", "identityGovernance"),
    ("identityGovernance/appConsent", "appConsentApprovalRoute"),
    ("policies", "policyRoot"),
    ("roleManagement", "roleManagement"),
    ("roleManagement/directory", "rbacApplication"),
    ("tenantRelationships", "tenantRelationship"),
];

/// What actions take and give, which the contract does not say. A new one is a line here.
type Parameters = &'static [(&'static str, &'static str)];
const ACTIONS: &[(&str, Parameters, &str)] = &[
    (
        "addKey",
        &[
            ("keyCredential", "keyCredential"),
            ("passwordCredential", "passwordCredential"),
            ("proof", "Edm.String"),
        ],
        "keyCredential",
    ),
    ("addPassword", &[("passwordCredential", "passwordCredential")], "passwordCredential"),
    ("changePassword", &[("currentPassword", "Edm.String"), ("newPassword", "Edm.String")], ""),
    ("checkMemberGroups", &[("groupIds", "Collection(Edm.String)")], "Collection(Edm.String)"),
    ("checkMemberObjects", &[("ids", "Collection(Edm.String)")], "Collection(Edm.String)"),
    (
        "getByIds",
        &[("ids", "Collection(Edm.String)"), ("types", "Collection(Edm.String)")],
        "Collection(directoryObject)",
    ),
    ("getMemberGroups", &[("securityEnabledOnly", "Edm.Boolean")], "Collection(Edm.String)"),
    ("getMemberObjects", &[("securityEnabledOnly", "Edm.Boolean")], "Collection(Edm.String)"),
    ("invalidateAllRefreshTokens", &[], "Edm.Boolean"),
    ("removeKey", &[("keyId", "Edm.Guid"), ("proof", "Edm.String")], ""),
    ("removePassword", &[("keyId", "Edm.Guid")], ""),
    ("restore", &[], "directoryObject"),
    ("revokeSignInSessions", &[], "Edm.Boolean"),
    (
        "validateProperties",
        &[
            ("entityType", "Edm.String"),
            ("displayName", "Edm.String"),
            ("mailNickname", "Edm.String"),
            ("onBehalfOfUserId", "Edm.Guid"),
        ],
        "",
    ),
];

/// Functions below a container that take one thing: what they ask for, and what they give. A new one is a line here.
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("findTenantInformationByDomainName", "domainName", "tenantInformation"),
    ("findTenantInformationByTenantId", "tenantId", "tenantInformation"),
];

/// Properties that are no text, of types that the contract does not have; these are entities.
const OTHERS: &[(&str, &str, &str)] = &[
    ("organizationalBranding", "bannerLogo", "Edm.Stream"),
    ("organizationalBranding", "cdnList", "Collection(Edm.String)"),
];

/// An element being written: names are escaped, whatever they are.
struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(&format!("<{name}"));
        for (name, value) in attributes {
            let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            self.text.push_str(&format!(" {name}=\"{value}\""));
        }
        self.text.push_str(end);
    }
    fn leaf(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, " />\n");
    }
    fn with(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.tag(name, attributes, ">\n");
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.text.push_str(&format!("{}</{name}>\n", "  ".repeat(self.depth)));
    }
}

/// A type's name in the document: Graph's own with the alias.
fn reference(kind: &str) -> String {
    let item = item_type(kind);
    let name = if item.starts_with("Edm.") { item.to_owned() } else { format!("graph.{item}") };
    if kind.starts_with("Collection(") { format!("Collection({name})") } else { name }
}

fn is_required(kind: &str) -> bool {
    kind.ends_with(" !")
}

/// One type of the document.
#[derive(Default)]
struct Type {
    properties: BTreeMap<String, String>,
    relations: BTreeMap<String, String>,
}

/// The type itself and what it is derived from, nearest first.
fn line(kind: &str) -> Vec<String> {
    let mut line = vec![kind.to_owned()];
    while let Some(base) = line.last().and_then(|kind| contract::types().get(kind)?["base"].as_str()) {
        line.push(base.to_owned());
    }
    line
}

/// Every type that is served, and what those need to be defined.
fn types(served: &Served) -> BTreeMap<String, Type> {
    let mut types = BTreeMap::<String, Type>::new();
    let mut waiting: Vec<String> = served.types.keys().cloned().collect();
    waiting.extend(served.sets.values().map(|(kind, _)| kind.clone()));
    waiting.push("directoryObject".to_owned());
    while let Some(kind) = waiting.pop() {
        if types.contains_key(&kind) {
            continue;
        }
        let mut found = Type::default();
        // What objects of the type itself show, or of those derived from it.
        let derived: Vec<&String> = served.types.keys().filter(|known| line(known).contains(&kind)).collect();
        if let Some(definition) = contract::types().get(&kind) {
            let is_key = |name: &str| {
                definition["key"].as_array().is_some_and(|keys| keys.iter().any(|key| key == name))
            };
            let own = |group: &str| {
                let own = definition[group].as_object().into_iter().flatten();
                own.map(|(name, kind)| (name.clone(), kind.as_str().unwrap().to_owned())).collect::<Vec<_>>()
            };
            for (name, property) in own("properties") {
                if is_key(&name) || derived.iter().any(|known| served.types[*known].contains_key(&name)) {
                    waiting.push(item_type(&property).to_owned());
                    found.properties.insert(name, property);
                }
            }
            for (name, relation) in own("navigation") {
                let is_seen = |known: &&String| {
                    served.types[*known].contains_key(&name) || is_relation_served(served, known, &name)
                };
                if derived.iter().any(is_seen) {
                    waiting.push(item_type(&relation).to_owned());
                    found.relations.insert(name, relation);
                }
            }
            waiting.extend(definition["base"].as_str().map(str::to_owned));
        } else if !kind.starts_with("Edm.") {
            let seen = served.types.get(&kind).into_iter().flatten().map(|(name, _)| name.clone());
            found
                .properties
                .extend(seen.filter(|name| name != "id").map(|name| (name, "Edm.String".to_owned())));
            let others = OTHERS.iter().filter(|(other, _, _)| *other == kind);
            found.properties.extend(others.map(|(_, name, kind)| ((*name).to_owned(), (*kind).to_owned())));
        } else {
            continue;
        }
        types.insert(kind, found);
    }
    types
}

fn write_type(xml: &mut Xml, name: &str, kind: &Type) {
    let known = contract::types().get(name);
    let text = |field: &str| known.and_then(|known| known[field].as_str());
    let is = |field: &str| known.is_some_and(|known| known[field] == true);
    if text("kind") == Some("enum") {
        let members = known.and_then(|known| known["members"].as_array()).into_iter().flatten();
        let members: Vec<&str> = members.filter_map(Value::as_str).collect();
        let flags =
            if is("flags") { vec![("Name", name), ("IsFlags", "true")] } else { vec![("Name", name)] };
        return xml.with("EnumType", &flags, |xml| {
            for (at, member) in members.iter().enumerate() {
                let value = if is("flags") { 1_i64 << at } else { at.try_into().unwrap() };
                xml.leaf("Member", &[("Name", member), ("Value", &value.to_string())]);
            }
        });
    }
    let element = if text("kind") == Some("complex") { "ComplexType" } else { "EntityType" };
    let base = match known {
        Some(_) => text("base").map(reference),
        None => Some("graph.entity".to_owned()),
    };
    let mut attributes = vec![("Name", name)];
    attributes.extend(base.as_deref().map(|base| ("BaseType", base)));
    for (field, attribute) in [("abstract", "Abstract"), ("opentype", "OpenType")] {
        if is(field) {
            attributes.push((attribute, "true"));
        }
    }
    xml.with(element, &attributes, |xml| {
        let keys = known.and_then(|known| known["key"].as_array()).into_iter().flatten();
        let keys: Vec<&str> = keys.filter_map(Value::as_str).collect();
        if !keys.is_empty() {
            xml.with("Key", &[], |xml| keys.iter().for_each(|key| xml.leaf("PropertyRef", &[("Name", key)])));
        }
        for (name, kind) in &kind.properties {
            let type_name = reference(kind);
            let mut attributes = vec![("Name", name.as_str()), ("Type", &type_name)];
            if is_required(kind) {
                attributes.push(("Nullable", "false"));
            }
            xml.leaf("Property", &attributes);
        }
        for (name, kind) in &kind.relations {
            let type_name = reference(kind);
            let mut attributes = vec![("Name", name.as_str()), ("Type", &type_name)];
            if kind.ends_with(" contained") {
                attributes.push(("ContainsTarget", "true"));
            }
            xml.leaf("NavigationProperty", &attributes);
        }
    });
}

/// Addresses that only hold others: path, its type, and what stands below it.
fn containers(served: &Served) -> BTreeMap<String, Vec<(String, String)>> {
    let roots = roots(served);
    let mut found = BTreeMap::<String, BTreeMap<String, String>>::new();
    for (_, path) in templates() {
        let segments: Vec<&str> = path.trim_start_matches("/v1.0/").split('/').collect();
        if segments.len() < 2 || roots.contains_key(segments[0]) {
            continue;
        }
        for depth in 1..segments.len() {
            let (above, below) = (segments[..depth].join("/"), segments[..=depth].join("/"));
            let held = found.entry(above).or_default();
            if FUNCTIONS.iter().any(|(name, _, _)| *name == segments[depth]) {
                break;
            }
            let holds =
                CONTAINERS.iter().find(|(path, _)| *path == below).map(|(_, kind)| (*kind).to_owned());
            let address = format!("/v1.0/{below}");
            let listed = served.collections.get(&address).map(|kind| format!("Collection({kind})"));
            let listed = listed.or_else(|| served.singles.get(&address).cloned());
            let next = segments.get(depth + 1);
            let cast = next.filter(|next| **next == "{id}" || next.starts_with("microsoft.graph."));
            let below = holds.clone().or(listed).or(cast.map(|_| "Collection(directoryObject)".to_owned()));
            let below = below.unwrap_or_else(|| panic!("{path}: name its container in CONTAINERS"));
            held.insert(segments[depth].to_owned(), below);
            if holds.is_none() {
                break;
            }
        }
    }
    found.into_iter().map(|(path, below)| (path, below.into_iter().collect())).collect()
}

fn container(path: &str) -> &'static str {
    let found = CONTAINERS.iter().find(|(known, _)| *known == path);
    found.unwrap_or_else(|| panic!("{path}: name its type in CONTAINERS")).1
}

/// What an address names: a type, or a collection of it.
fn kind_at(served: &Served, segments: &[&str]) -> Option<String> {
    let (root, rest) = segments.split_first()?;
    let (mut kind, mut below) = match roots(served).get(*root) {
        Some((kind, true)) => (kind.clone(), rest),
        Some((kind, false)) => (format!("Collection({kind})"), rest),
        // Below a container there is a collection.
        None => {
            let at = segments.iter().position(|segment| *segment == "{id}").unwrap_or(segments.len());
            let (path, name) = (segments.get(..at.checked_sub(1)?)?.join("/"), segments.get(at - 1)?);
            let below = containers(served).get(&path)?.iter().find(|(known, _)| known == name)?.1.clone();
            (below, segments.get(at..)?)
        }
    };
    while let Some((segment, rest)) = below.split_first() {
        let item = item_type(&kind).to_owned();
        kind = match *segment {
            "{id}" | "{part}" => item,
            other => match other.strip_prefix("microsoft.graph.") {
                Some(cast) => cast.to_owned(),
                None => members(&item, "navigation").into_iter().find(|(name, _)| name == other)?.1,
            },
        };
        below = rest;
    }
    Some(kind.strip_suffix(" contained").unwrap_or(&kind).to_owned())
}

/// Actions and the types that they are bound to.
fn actions(served: &Served) -> BTreeSet<(String, String)> {
    let posted = templates().into_iter().filter(|(method, _)| *method == "POST");
    let bound = posted.filter_map(|(_, path)| {
        let segments: Vec<&str> = path.trim_start_matches("/v1.0/").split('/').collect();
        let (name, above) = segments.split_last()?;
        if above.is_empty() || name.starts_with('$') || kind_at(served, &segments).is_some() {
            return None;
        }
        let kind = kind_at(served, above).unwrap_or_else(|| panic!("{path}: what is that bound to?"));
        Some(((*name).to_owned(), kind))
    });
    bound.collect()
}

fn write_actions(xml: &mut Xml, served: &Served) {
    for (name, bound) in actions(served) {
        let (_, parameters, answer) = ACTIONS
            .iter()
            .find(|(known, _, _)| *known == name)
            .unwrap_or_else(|| panic!("say in ACTIONS what {name} takes and gives"));
        xml.with("Action", &[("Name", &name), ("IsBound", "true")], |xml| {
            xml.leaf("Parameter", &[("Name", "bindingParameter"), ("Type", &reference(&bound))]);
            for (name, kind) in *parameters {
                xml.leaf("Parameter", &[("Name", name), ("Type", &reference(kind))]);
            }
            if !answer.is_empty() {
                xml.leaf("ReturnType", &[("Type", &reference(answer))]);
            }
        });
    }
}

/// Delta queries, for every collection that has one (Graph: delta), and the functions of containers.
fn write_functions(xml: &mut Xml, served: &Served) {
    for (name, asked, answer) in FUNCTIONS {
        let called = format!("/{name}/");
        for (above, _) in templates().iter().filter_map(|(_, path)| path.split_once(&called)) {
            let bound = reference(container(above.trim_start_matches("/v1.0/")));
            xml.with("Function", &[("Name", name), ("IsBound", "true")], |xml| {
                xml.leaf("Parameter", &[("Name", "bindingParameter"), ("Type", &bound)]);
                xml.leaf("Parameter", &[("Name", asked), ("Type", "Edm.String"), ("Nullable", "false")]);
                xml.leaf("ReturnType", &[("Type", &reference(answer))]);
            });
        }
    }
    for (_, path) in
        templates().into_iter().filter(|(method, path)| *method == "GET" && path.ends_with("/delta"))
    {
        let segments: Vec<&str> =
            path.trim_start_matches("/v1.0/").trim_end_matches("/delta").split('/').collect();
        let bound = kind_at(served, &segments).unwrap_or_else(|| panic!("{path}: what is that bound to?"));
        xml.with("Function", &[("Name", "delta"), ("IsBound", "true")], |xml| {
            xml.leaf("Parameter", &[("Name", "bindingParameter"), ("Type", &reference(&bound))]);
            xml.leaf("ReturnType", &[("Type", &reference(&bound))]);
        });
    }
}

fn write_container(xml: &mut Xml, served: &Served) {
    let mut sets = roots(served);
    for (set, kind) in served.sets.iter().filter(|(set, _)| !set.contains('/')) {
        sets.entry(set.clone()).or_insert_with(|| kind.clone());
    }
    // A set of all objects is what links and memberships point at.
    sets.entry("directoryObjects".to_owned()).or_insert_with(|| ("directoryObject".to_owned(), false));
    for path in containers(served).into_keys().filter(|path| !path.contains('/')) {
        let kind = container(&path).to_owned();
        sets.insert(path, (kind, true));
    }
    xml.with("EntityContainer", &[("Name", "GraphService")], |xml| {
        for (name, (kind, is_one)) in &sets {
            match is_one {
                true => xml.leaf("Singleton", &[("Name", name), ("Type", &reference(kind))]),
                false => xml.leaf("EntitySet", &[("Name", name), ("EntityType", &reference(kind))]),
            }
        }
    });
}

/// The whole document.
pub(super) fn write(served: &Served) -> String {
    let mut xml = Xml { text: "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned(), depth: 0 };
    let edmx = [("Version", "4.0"), ("xmlns:edmx", "http://docs.oasis-open.org/odata/ns/edmx")];
    let schema = [
        ("Namespace", "microsoft.graph"),
        ("Alias", "graph"),
        ("xmlns", "http://docs.oasis-open.org/odata/ns/edm"),
    ];
    xml.with("edmx:Edmx", &edmx, |xml| {
        xml.with("edmx:DataServices", &[], |xml| {
            xml.with("Schema", &schema, |xml| {
                let mut types = types(served);
                for (path, below) in containers(served) {
                    let found = types.entry(container(&path).to_owned()).or_default();
                    found
                        .relations
                        .extend(below.into_iter().map(|(name, kind)| (name, format!("{kind} contained"))));
                }
                types.iter().for_each(|(name, kind)| write_type(xml, name, kind));
                write_actions(xml, served);
                write_functions(xml, served);
                write_container(xml, served);
            });
        });
    });
    xml.text
}
