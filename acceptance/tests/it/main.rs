//! One binary over the real router: journeys, every route, and each security rule by its number.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what does not hold fails the test"
)]

mod admin_consent;
mod assignments;
mod audit_logs;
mod batch;
mod branding;
mod client_assertion;
mod cloud;
mod consent;
mod consent_requests;
mod consents;
mod coverage;
mod create_tenant;
mod cross_origin;
mod delete_tenant;
mod deleted_items;
mod delta;
mod device_code;
mod differential;
mod door;
mod dynamic_groups;
mod expand;
mod federated_credentials;
mod front_channel_logout;
mod graph;
mod groups;
mod instance_secrets;
mod journey;
mod keys;
mod limits;
mod limits_of_objects;
mod log;
mod on_behalf_of;
mod options;
mod organizations;
mod password_grant;
mod relations;
mod response_types;
mod roles;
mod routes;
mod rules;
mod throttling;
mod token_claims;
mod token_lifetimes;
mod v1;

/// A test file that nobody names is a test that nobody runs.
#[test]
fn no_test_file_is_forgotten() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let named = |folder: &std::path::Path, parent: &std::path::Path| {
        let source = std::fs::read_to_string(parent).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name != "main" && name != "mod" {
                assert!(source.contains(&format!("mod {name};")), "{} is not named", path.display());
            }
        }
    };
    named(&root, &root.join("main.rs"));
    named(&root.join("rules"), &root.join("rules/mod.rs"));
}
