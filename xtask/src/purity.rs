//! Who may import whom. The pure crates' normal dependencies stand on allow-lists: a new one is a decision.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// What `standards` and `domain` may be built from: codecs, text, and primitives of cryptography. No runtime, no
/// clock, no files, no sockets.
const PURE: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "base64",
    "displaydoc",
    "form_urlencoded",
    "icu_collections",
    "icu_locale_core",
    "icu_normalizer",
    "icu_normalizer_data",
    "icu_properties",
    "icu_properties_data",
    "icu_provider",
    "idna",
    "idna_adapter",
    "itoa",
    "jiff",
    "jiff-core",
    "libc",
    "litemap",
    "memchr",
    "percent-encoding",
    "potential_utf",
    "proc-macro2",
    "quote",
    "regex-automata",
    "regex-syntax",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "smallvec",
    "stable_deref_trait",
    "syn",
    "synstructure",
    "thiserror",
    "thiserror-impl",
    "tinystr",
    "unicode-ident",
    "untrusted",
    "url",
    "utf8_iter",
    "utf_types",
    "uuid",
    "writeable",
    "yoke",
    "yoke-derive",
    "zerofrom",
    "zerofrom-derive",
    "zeroize",
    "zeroize_derive",
    "zerotrie",
    "zerovec",
    "zerovec-derive",
    "zmij",
];

/// A crate of ours, and those of ours it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("hospes-standards", &[]),
    ("hospes-domain", &["hospes-standards"]),
    ("hospes-store", &["hospes-domain", "hospes-standards"]),
    ("hospes-outbound", &["hospes-domain", "hospes-standards"]),
    ("hospes-service", &["hospes-domain", "hospes-outbound", "hospes-standards", "hospes-store"]),
    ("hospes-http", &["hospes-domain", "hospes-service", "hospes-standards"]),
];

/// Libraries that a crate never names, whatever comes with others.
const NEVER: &[(&str, &[&str])] = &[
    ("hospes-domain", &["serde", "tokio", "rusqlite", "axum"]),
    ("hospes-service", &["axum", "hyper", "http", "rusqlite"]),
    ("hospes-http", &["rusqlite", "lettre"]),
];

pub(crate) fn run() -> Result<()> {
    let metadata = metadata()?;
    let mut problems = Vec::new();
    for (package, allowed) in MAY_IMPORT {
        let direct = direct(&metadata, package)?;
        for name in direct.iter().filter(|name| name.starts_with("hospes-")) {
            if !allowed.contains(&name.as_str()) {
                problems.push(format!("{package} must not import {name}"));
            }
        }
        let never = NEVER.iter().find(|(known, _)| known == package).map_or(&[][..], |(_, never)| never);
        problems.extend(
            never
                .iter()
                .filter(|name| direct.contains(**name))
                .map(|name| format!("{package} must not import {name}")),
        );
    }
    for package in ["hospes-standards", "hospes-domain"] {
        for name in tree(package)? {
            if !PURE.contains(&name.as_str()) && !name.starts_with("hospes-") {
                problems
                    .push(format!("{package} is built from {name}, which is not on the list of pure crates"));
            }
        }
    }
    if problems.is_empty() {
        println!("the crates import what they may");
        return Ok(());
    }
    bail!(
        "{}\nA new dependency of a pure crate needs a reason: see docs/ARCHITECTURE.md",
        problems.join("\n")
    )
}

fn metadata() -> Result<Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()?;
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}

/// Normal dependencies that a package names.
fn direct(metadata: &Value, package: &str) -> Result<BTreeSet<String>> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let found = packages
        .iter()
        .find(|known| known["name"] == package)
        .with_context(|| format!("no package {package}"))?;
    let dependencies = found["dependencies"].as_array().context("no dependencies")?;
    let normal = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
    Ok(normal.filter_map(|dependency| dependency["name"].as_str().map(str::to_owned)).collect())
}

/// Everything a package's own code is linked with.
fn tree(package: &str) -> Result<BTreeSet<String>> {
    let arguments = [
        "tree",
        "--locked",
        "--package",
        package,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{lib} {p}",
    ];
    let output = Command::new("cargo").args(arguments).output()?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect())
}
