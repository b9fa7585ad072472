"""A daemon without a secret: MSAL for Python with the token of an application elsewhere as its assertion."""

import json

import msal
import pytest
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential
from msgraph.generated.models.service_principal import ServicePrincipal

from world import GRAPH_SCOPE, World

pytestmark = pytest.mark.anyio


async def test_a_workload_of_another_organisation_speaks_for_the_application(world: World) -> None:
    contoso, fabrikam = world.tenants["contoso.test"], world.tenants["fabrikam.test"]
    theirs = fabrikam.confidential(fabrikam.application("daemon")).acquire_token_for_client([GRAPH_SCOPE])
    claims = json.loads(msal.oauth2cli.oidc.decode_part(theirs["access_token"].split(".")[1]))
    async with contoso.graph() as graph:
        made = await graph.applications.post(GraphApplication(display_name="Trusts a workload elsewhere"))
        await graph.service_principals.post(ServicePrincipal(app_id=made.app_id))
        credentials = graph.applications.by_application_id(made.id).federated_identity_credentials
        trusted = await credentials.post(FederatedIdentityCredential(
            name="workload", issuer=claims["iss"], subject=claims["sub"], audiences=[claims["aud"]],
        ))
        try:
            app = msal.ConfidentialClientApplication(
                made.app_id,
                client_credential={"client_assertion": lambda: theirs["access_token"]},
                authority=contoso.authority,
                instance_discovery=False,
                verify=world.ca,
            )
            answer = app.acquire_token_for_client([GRAPH_SCOPE])
            assert "access_token" in answer, answer
            [listed] = (await credentials.get()).value
            assert (listed.id, listed.name) == (trusted.id, "workload")
            await credentials.by_federated_identity_credential_id(trusted.id).delete()
            refused = msal.ConfidentialClientApplication(
                made.app_id,
                client_credential={"client_assertion": theirs["access_token"]},
                authority=contoso.authority,
                instance_discovery=False,
                verify=world.ca,
            ).acquire_token_for_client([GRAPH_SCOPE])
            assert refused["error"] == "invalid_client", refused
        finally:
            await graph.applications.by_application_id(made.id).delete()
