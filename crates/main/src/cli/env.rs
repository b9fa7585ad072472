//! `hospes env`: settings that can be pasted, for each client.

use super::say;
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Client {
    AzureCli,
    Dotnet,
    Node,
    Powershell,
    Python,
    Shell,
    Terraform,
}

/// What the settings are made of.
struct World {
    base: String,
    host: String,
    ca: String,
    graph: String,
    tenant: String,
    client_id: String,
    secret: String,
}

pub(super) fn run(client: Client, data: &Path, tenant: Option<&str>) -> Result<()> {
    let path = data.join("world.json");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "there is no world in {}\nStart `hospes dev` first, or name its folder with --data",
            data.display()
        )
    })?;
    let document: Value = serde_json::from_str(&text)?;
    let world = World::read(&document, tenant)?;
    say(&world.settings(client));
    Ok(())
}

impl World {
    fn read(document: &Value, domain: Option<&str>) -> Result<Self> {
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let tenants = document.get("tenants").and_then(Value::as_array).cloned().unwrap_or_default();
        let known: Vec<String> = tenants.iter().map(|tenant| text(tenant, "domain")).collect();
        let tenant = tenants
            .iter()
            .find(|tenant| domain.is_none_or(|domain| text(tenant, "domain").eq_ignore_ascii_case(domain)))
            .with_context(|| {
                let asked = domain.unwrap_or("any");
                format!("there is no tenant {asked}\nTenants of this world: {}", known.join(", "))
            })?;
        let apps = tenant.get("applications").and_then(Value::as_array).cloned().unwrap_or_default();
        let daemon = apps.iter().find(|app| text(app, "kind") == "daemon").with_context(|| {
            format!(
                "{} has no application of the kind daemon\nAdd one to the world's description, or name another tenant with --tenant",
                text(tenant, "domain")
            )
        })?;
        let base = text(document, "base");
        Ok(Self {
            host: base.trim_start_matches("https://").to_owned(),
            ca: text(document, "ca"),
            graph: text(document, "graph"),
            tenant: text(tenant, "id"),
            client_id: text(daemon, "appId"),
            secret: text(daemon, "secret"),
            base,
        })
    }

    fn settings(&self, client: Client) -> String {
        let Self { base, host, ca, graph, tenant, client_id, secret } = self;
        match client {
            Client::Python => format!(
                "# msal. Discovery of Microsoft's own clouds is off, because this server is none of them.\n\
                 import msal\n\
                 app = msal.ConfidentialClientApplication(\n    \
                     \"{client_id}\", client_credential=\"{secret}\",\n    \
                     authority=\"{base}/{tenant}\", instance_discovery=False, verify=\"{ca}\")\n\
                 print(app.acquire_token_for_client([\"https://graph.microsoft.com/.default\"]))\n\n\
                 # azure-identity\n\
                 from azure.identity import ClientSecretCredential\n\
                 credential = ClientSecretCredential(\n    \
                     \"{tenant}\", \"{client_id}\", \"{secret}\",\n    \
                     authority=\"{base}\", disable_instance_discovery=True, connection_verify=\"{ca}\")\n\n\
                 # msgraph-sdk\n\
                 import httpx, msgraph, ssl\n\
                 from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider\n\
                 from msgraph_core import GraphClientFactory\n\
                 client = httpx.AsyncClient(verify=ssl.create_default_context(cafile=\"{ca}\"), base_url=\"{graph}\")\n\
                 client = GraphClientFactory.create_with_default_middleware(client=client, options=msgraph.graph_request_adapter.options)\n\
                 adapter = msgraph.GraphRequestAdapter(\n    \
                     AzureIdentityAuthenticationProvider(credential, scopes=[\"https://graph.microsoft.com/.default\"]), client=client)\n\
                 adapter.base_url = \"{graph}\"\n\
                 graph = msgraph.GraphServiceClient(request_adapter=adapter)"
            ),
            Client::Node => format!(
                "// Run with NODE_EXTRA_CA_CERTS={ca}\n\
                 // @azure/msal-node. knownAuthorities (with the port) stands for discovery, which only knows Microsoft's clouds.\n\
                 import {{ ConfidentialClientApplication }} from \"@azure/msal-node\";\n\
                 const app = new ConfidentialClientApplication({{ auth: {{\n  \
                   clientId: \"{client_id}\", clientSecret: \"{secret}\",\n  \
                   authority: \"{base}/{tenant}\", knownAuthorities: [\"{host}\"],\n}} }});\n\n\
                 // @azure/identity and @microsoft/microsoft-graph-client. customHosts (without the port), or no token is sent.\n\
                 import {{ ClientSecretCredential }} from \"@azure/identity\";\n\
                 import {{ Client }} from \"@microsoft/microsoft-graph-client\";\n\
                 const credential = new ClientSecretCredential(\"{tenant}\", \"{client_id}\", \"{secret}\",\n  \
                   {{ authorityHost: \"{base}\", disableInstanceDiscovery: true }});\n\
                 const graph = Client.initWithMiddleware({{ baseUrl: \"{base}/\", customHosts: new Set([\"localhost\"]),\n  \
                   authProvider: {{ getAccessToken: async () =>\n    \
                     (await credential.getToken(\"https://graph.microsoft.com/.default\")).token }} }});"
            ),
            Client::Dotnet => format!(
                "// run with SSL_CERT_FILE={ca}\n\
                 var app = ConfidentialClientApplicationBuilder.Create(\"{client_id}\")\n    \
                     .WithClientSecret(\"{secret}\")\n    \
                     .WithOidcAuthority(\"{base}/{tenant}/v2.0\")\n    .Build();\n\
                 // Graph: new GraphServiceClient(credential, baseUrl: \"{graph}\")"
            ),
            Client::Powershell => format!(
                "$env:SSL_CERT_FILE = \"{ca}\"\n\
                 $body = @{{ grant_type = \"client_credentials\"; client_id = \"{client_id}\"; client_secret = \"{secret}\"; scope = \"https://graph.microsoft.com/.default\" }}\n\
                 $token = (Invoke-RestMethod -Method Post \"{base}/{tenant}/oauth2/v2.0/token\" -Body $body).access_token\n\
                 Invoke-RestMethod \"{graph}/users\" -Headers @{{ Authorization = \"Bearer $token\" }}"
            ),
            Client::Terraform => format!(
                "# export SSL_CERT_FILE={ca}\n\
                 provider \"azuread\" {{\n  tenant_id     = \"{tenant}\"\n  client_id     = \"{client_id}\"\n  \
                   client_secret = \"{secret}\"\n  metadata_host = \"{host}\"\n}}"
            ),
            Client::AzureCli => format!(
                "# pip install azure-cli. Discovery of Microsoft's own clouds is off, because this server is none of them.\n\
                 export REQUESTS_CA_BUNDLE={ca}\n\
                 export AZURE_CORE_INSTANCE_DISCOVERY=false\n\
                 az cloud register --name hospes --endpoint-resource-manager {base}   # it names all others\n\
                 az cloud set --name hospes\n\
                 az login --service-principal --username {client_id} --password '{secret}' --tenant {tenant} --allow-no-subscriptions\n\
                 az ad user list   # and: az rest --url {graph}/organization"
            ),
            Client::Shell => format!(
                "# For msal and azure-identity also switch the discovery of Microsoft's clouds off: `hospes env python`, `hospes env node`.\n\
                 export HOSPES_BASE={base}\nexport HOSPES_GRAPH={graph}\nexport HOSPES_CA={ca}\n\
                 export AZURE_AUTHORITY_HOST={base}\nexport AZURE_TENANT_ID={tenant}\nexport AZURE_CLIENT_ID={client_id}\n\
                 export AZURE_CLIENT_SECRET='{secret}'\n\
                 export REQUESTS_CA_BUNDLE={ca}\nexport SSL_CERT_FILE={ca}\nexport NODE_EXTRA_CA_CERTS={ca}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use serde_json::json;

    fn document() -> Value {
        let daemon = json!({ "kind": "daemon", "appId": "app-1", "secret": "secret-1" });
        json!({
            "base": "https://localhost:8443", "ca": "/data/ca.pem", "graph": "https://localhost:8443/v1.0",
            "tenants": [
                { "id": "tenant-1", "domain": "contoso.test", "applications": [{ "kind": "web" }, daemon] },
                { "id": "tenant-2", "domain": "tailspin.test", "applications": [] }
            ]
        })
    }

    #[test]
    fn every_client_is_told_where_the_server_is_and_who_it_is() {
        let world = World::read(&document(), None).unwrap();
        for client in Client::value_variants() {
            let settings = world.settings(*client);
            for part in ["localhost:8443", "/data/ca.pem", "tenant-1", "app-1", "secret-1"] {
                assert!(settings.contains(part), "{client:?}: {part}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |domain| World::read(&document(), Some(domain)).err().map(|error| error.to_string());
        assert!(error("nobody.test").unwrap().contains("contoso.test, tailspin.test"));
        assert!(error("tailspin.test").unwrap().contains("daemon"));
        assert!(error("CONTOSO.test").is_none());
    }
}
