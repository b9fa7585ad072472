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
        let tenant = tenants
            .iter()
            .find(|tenant| domain.is_none_or(|domain| text(tenant, "domain") == domain))
            .with_context(|| format!("there is no tenant {}", domain.unwrap_or_default()))?;
        let apps = tenant.get("applications").and_then(Value::as_array).cloned().unwrap_or_default();
        let daemon = apps.iter().find(|app| text(app, "kind") == "daemon").cloned().unwrap_or_default();
        let base = text(document, "base");
        Ok(Self {
            host: base.trim_start_matches("https://").to_owned(),
            ca: text(document, "ca"),
            graph: text(document, "graph"),
            tenant: text(tenant, "id"),
            client_id: text(&daemon, "appId"),
            secret: text(&daemon, "secret"),
            base,
        })
    }

    fn settings(&self, client: Client) -> String {
        let Self { base, host, ca, graph, tenant, client_id, secret } = self;
        match client {
            Client::Python => format!(
                "# msal: discovery of Microsoft's instances is off, because this is one of its own\n\
                 import msal\n\
                 app = msal.ConfidentialClientApplication(\"{client_id}\", client_credential=\"{secret}\",\n    \
                     authority=\"{base}/{tenant}\", instance_discovery=False, verify=\"{ca}\")\n\
                 print(app.acquire_token_for_client([\"https://graph.microsoft.com/.default\"]))\n\n\
                 # azure-identity\n\
                 from azure.identity import ClientSecretCredential\n\
                 credential = ClientSecretCredential(\"{tenant}\", \"{client_id}\", \"{secret}\",\n    \
                     authority=\"{base}\", disable_instance_discovery=True, connection_verify=\"{ca}\")\n\n\
                 # Graph: {graph}"
            ),
            Client::Node => format!(
                "// run with NODE_EXTRA_CA_CERTS={ca}\n\
                 import {{ ConfidentialClientApplication }} from \"@azure/msal-node\";\n\
                 const app = new ConfidentialClientApplication({{ auth: {{\n  \
                   clientId: \"{client_id}\", clientSecret: \"{secret}\",\n  \
                   authority: \"{base}/{tenant}\", knownAuthorities: [\"{host}\"],\n}} }});\n\
                 // Graph client: baseUrl \"{base}/\", customHosts new Set([\"localhost\"])"
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
                "export REQUESTS_CA_BUNDLE={ca}\n\
                 az cloud register --name hospes --endpoint-active-directory {base} \\\n  \
                   --endpoint-active-directory-graph-resource-id {base} --endpoint-microsoft-graph-resource-id {base} \\\n  \
                   --endpoint-management {base} --endpoint-resource-manager {base} --endpoint-active-directory-resource-id {base}\n\
                 az cloud set --name hospes\n\
                 az login --service-principal --username {client_id} --password '{secret}' --tenant {tenant} --allow-no-subscriptions"
            ),
            Client::Shell => format!(
                "export HOSPES_BASE={base}\nexport HOSPES_GRAPH={graph}\nexport HOSPES_CA={ca}\n\
                 export AZURE_AUTHORITY_HOST={base}\nexport AZURE_TENANT_ID={tenant}\nexport AZURE_CLIENT_ID={client_id}\n\
                 export AZURE_CLIENT_SECRET='{secret}'\n\
                 export REQUESTS_CA_BUNDLE={ca}\nexport SSL_CERT_FILE={ca}\nexport NODE_EXTRA_CA_CERTS={ca}"
            ),
        }
    }
}
