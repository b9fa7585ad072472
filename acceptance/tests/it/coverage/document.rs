//! `docs/graph-coverage.md`: what is served of each type, and why not the rest.

use super::reasons::REASONS;
use super::{Served, is_relation_served, members};
use std::collections::{BTreeMap, BTreeSet};
use testkit::contract;

const HEAD: &str = "# What is served of Microsoft Graph v1.0

Made by `cargo xtask coverage` from Graph's own types and from what the server answers; do not edit. A property counts as
served when an answer has a value in it. Reasons stand in `acceptance/tests/it/coverage/reasons.rs`.
";

/// The document, and what is neither served nor has a reason, or is served and has one.
pub(super) fn write(served: &Served) -> (String, Vec<String>) {
    let (mut text, mut problems, mut used) = (HEAD.to_owned(), Vec::new(), BTreeSet::new());
    for kind in served.types.keys().filter(|kind| contract::types().contains_key(*kind)) {
        text.push_str(&format!("\n## {kind}\n"));
        for (group, title) in [("properties", "Properties"), ("navigation", "Relations")] {
            let (mut there, mut missing) = (Vec::new(), BTreeMap::<&str, Vec<String>>::new());
            for (name, _) in members(kind, group) {
                let is_served = match group {
                    "navigation" => served.has(kind, &name) || is_relation_served(served, kind, &name),
                    _ => served.has(kind, &name),
                };
                match (is_served, reason(kind, &name)) {
                    (true, _) => there.push(format!("`{name}`")),
                    (false, Some((pattern, reason))) => {
                        used.insert(pattern);
                        missing.entry(reason).or_default().push(format!("`{name}`"));
                    }
                    (false, None) => problems.push(format!("{kind}.{name} has neither a value nor a reason")),
                }
            }
            if !there.is_empty() {
                text.push_str(&format!("\n{title}: {}\n", there.join(", ")));
            }
            if !missing.is_empty() {
                text.push_str(&format!("\nNot served, {}:\n\n", title.to_lowercase()));
            }
            for (reason, names) in missing {
                text.push_str(&format!("- {reason}: {}\n", names.join(", ")));
            }
        }
    }
    for pattern in
        REASONS.iter().flat_map(|(_, patterns)| *patterns).filter(|pattern| !used.contains(**pattern))
    {
        problems.push(format!("the reason for {pattern} is used by nothing"));
    }
    (text, problems)
}

/// The first reason that fits.
fn reason(kind: &str, name: &str) -> Option<(&'static str, &'static str)> {
    let name = format!("{kind}.{name}");
    REASONS.iter().find_map(|(reason, patterns)| {
        let pattern = patterns.iter().find(|pattern| fits(pattern, &name))?;
        Some((*pattern, *reason))
    })
}

/// Whether a name fits a pattern: `*` stands for any text, at most twice.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|left| {
            let ends = (0..=left.len()).filter_map(|at| left.get(at..));
            let mut ends = ends;
            ends.any(|end| fits(rest, end))
        }),
    }
}

#[test]
fn patterns_fit_what_they_say() {
    for (pattern, name, expected) in [
        ("user.mail", "user.mail", true),
        ("user.mail", "user.mailNickname", false),
        ("user.mail*", "user.mailNickname", true),
        ("*.onPremises*", "user.onPremisesSyncEnabled", true),
        ("*.onPremises*", "user.id", false),
        ("*.id", "user.id", true),
    ] {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }
}
