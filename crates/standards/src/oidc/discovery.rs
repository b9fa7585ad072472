//! Metadata: OpenID configuration and instance discovery, field by field as recorded (facts: protocol §1).

use crate::oauth::Version;
use serde::Serialize;
use serde_json::{Value, json};

/// Names of a cloud that metadata repeats.
#[derive(Clone, Debug)]
pub struct Cloud<'a> {
    pub instance_name: &'a str,
    pub graph_host: &'a str,
    pub region_scope: Option<&'a str>,
    pub region_sub_scope: Option<&'a str>,
}

/// `/.well-known/openid-configuration` (OIDC Discovery §3).
#[derive(Debug, Serialize)]
pub struct Document {
    token_endpoint: String,
    token_endpoint_auth_methods_supported: [&'static str; 3],
    jwks_uri: String,
    response_modes_supported: [&'static str; 3],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    response_types_supported: [&'static str; 4],
    scopes_supported: [&'static str; 4],
    issuer: String,
    request_uri_parameter_supported: bool,
    userinfo_endpoint: String,
    authorization_endpoint: String,
    device_authorization_endpoint: String,
    http_logout_supported: bool,
    frontchannel_logout_supported: bool,
    frontchannel_logout_session_supported: bool,
    end_session_endpoint: String,
    claims_supported: [&'static str; 19],
    kerberos_endpoint: String,
    tenant_region_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_region_sub_scope: Option<String>,
    cloud_instance_name: String,
    cloud_graph_host_name: String,
    msgraph_host: String,
    rbac_url: String,
}

impl Document {
    /// Metadata of a tenant (`segment` is its id) or of `common` and `organizations`, whose issuer keeps its braces.
    pub fn new(base: &str, segment: &str, is_tenant: bool, version: Version, cloud: &Cloud<'_>) -> Self {
        let tenant = if is_tenant { segment } else { "{tenantid}" };
        let (oauth, keys, issuer) = match version {
            Version::V1 => ("oauth2", "discovery/keys", format!("{base}/{tenant}/")),
            Version::V2 => ("oauth2/v2.0", "discovery/v2.0/keys", format!("{base}/{tenant}/v2.0")),
        };
        let at = |path: &str| format!("{base}/{segment}/{path}");
        Self {
            token_endpoint: at(&format!("{oauth}/token")),
            token_endpoint_auth_methods_supported: [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            jwks_uri: at(keys),
            response_modes_supported: ["query", "fragment", "form_post"],
            subject_types_supported: ["pairwise"],
            id_token_signing_alg_values_supported: ["RS256"],
            response_types_supported: ["code", "id_token", "code id_token", "id_token token"],
            scopes_supported: ["openid", "profile", "email", "offline_access"],
            issuer,
            request_uri_parameter_supported: false,
            userinfo_endpoint: format!("{base}/oidc/userinfo"),
            authorization_endpoint: at(&format!("{oauth}/authorize")),
            device_authorization_endpoint: at(&format!("{oauth}/devicecode")),
            http_logout_supported: true,
            frontchannel_logout_supported: true,
            frontchannel_logout_session_supported: true,
            end_session_endpoint: at(&format!("{oauth}/logout")),
            claims_supported: [
                "sub",
                "iss",
                "cloud_instance_name",
                "cloud_instance_host_name",
                "cloud_graph_host_name",
                "msgraph_host",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "acr",
                "nonce",
                "preferred_username",
                "name",
                "tid",
                "ver",
                "at_hash",
                "c_hash",
                "email",
            ],
            kerberos_endpoint: at("kerberos"),
            tenant_region_scope: cloud.region_scope.map(str::to_owned),
            tenant_region_sub_scope: cloud.region_sub_scope.map(str::to_owned),
            cloud_instance_name: cloud.instance_name.to_owned(),
            cloud_graph_host_name: cloud.graph_host.to_owned(),
            msgraph_host: cloud.graph_host.to_owned(),
            rbac_url: base.to_owned(),
        }
    }
}

/// `/common/discovery/instance` (facts: protocol §1.2): this cloud's own hosts and no others.
pub fn instance(base: &str, host: &str, segment: &str) -> Value {
    json!({
        "tenant_discovery_endpoint": format!("{base}/{segment}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "6731de76-14a6-49ae-97bc-6eba6914391e";

    fn document(segment: &str, version: Version, region: Option<&str>) -> String {
        let cloud = Cloud {
            instance_name: "localhost:8443",
            graph_host: "localhost:8443",
            region_scope: region,
            region_sub_scope: None,
        };
        let document = Document::new("https://localhost:8443", segment, segment == TENANT, version, &cloud);
        serde_json::to_string_pretty(&document).unwrap()
    }

    #[test]
    fn metadata_of_a_tenant_has_every_field_in_order() {
        let expected = include_str!("../../tests/vectors/openid-configuration.json");
        assert_eq!(document(TENANT, Version::V2, Some("EU")), expected.trim_end());
    }

    #[test]
    fn shared_metadata_keeps_its_segment_and_the_braces_of_the_issuer() {
        for segment in ["common", "organizations"] {
            let document: Value = serde_json::from_str(&document(segment, Version::V2, None)).unwrap();
            assert_eq!(document["issuer"], "https://localhost:8443/{tenantid}/v2.0");
            let token = format!("https://localhost:8443/{segment}/oauth2/v2.0/token");
            assert_eq!(document["token_endpoint"], token);
            assert_eq!(document.get("tenant_region_scope"), Some(&Value::Null));
        }
    }

    #[test]
    fn v1_metadata_names_v1_addresses_and_the_issuer_with_its_slash() {
        let document: Value = serde_json::from_str(&document(TENANT, Version::V1, None)).unwrap();
        let at = |path: &str| format!("https://localhost:8443/{TENANT}/{path}");
        assert_eq!(document["issuer"], at(""));
        assert_eq!(document["authorization_endpoint"], at("oauth2/authorize"));
        assert_eq!(document["jwks_uri"], at("discovery/keys"));
    }

    #[test]
    fn the_device_endpoint_is_where_msal_computes_it() {
        for version in [Version::V1, Version::V2] {
            let document: Value = serde_json::from_str(&document(TENANT, version, None)).unwrap();
            let token = document["token_endpoint"].as_str().unwrap();
            assert_eq!(document["device_authorization_endpoint"], token.replace("/token", "/devicecode"));
        }
    }

    #[test]
    fn the_instance_document_names_this_cloud_only() {
        let document = instance("https://localhost:8443", "localhost:8443", "common");
        assert_eq!(
            document["tenant_discovery_endpoint"],
            "https://localhost:8443/common/v2.0/.well-known/openid-configuration"
        );
        assert_eq!(document["metadata"].as_array().unwrap().len(), 1);
        assert_eq!(document["metadata"][0]["aliases"], json!(["localhost:8443"]));
    }
}
