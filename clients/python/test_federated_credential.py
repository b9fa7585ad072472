"""A daemon without a secret: MSAL for Python with the token of an application elsewhere as its assertion."""

import json

import msal
import pytest
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential

from world import GRAPH_SCOPE, Application, Tenant

pytestmark = pytest.mark.anyio


async def test_a_workload_of_another_organisation_speaks_for_the_application(
    contoso: Tenant, fabrikam: Tenant
) -> None:
    theirs = fabrikam.confidential(fabrikam.application("daemon")).acquire_token_for_client([GRAPH_SCOPE])
    claims = json.loads(msal.oauth2cli.oidc.decode_part(theirs["access_token"].split(".")[1]))

    def ask(assertion) -> dict:
        app = contoso.confidential(
            Application(made.app_id, None, ()), client_credential={"client_assertion": assertion}
        )
        return app.acquire_token_for_client([GRAPH_SCOPE])

    wanted = GraphApplication(display_name="Trusts a workload elsewhere")
    async with contoso.registered(wanted) as made, contoso.graph() as graph:
        credentials = graph.applications.by_application_id(made.id).federated_identity_credentials
        trusted = await credentials.post(FederatedIdentityCredential(
            name="workload", issuer=claims["iss"], subject=claims["sub"], audiences=[claims["aud"]],
        ))
        answer = ask(lambda: theirs["access_token"])
        assert "access_token" in answer, answer
        [listed] = (await credentials.get()).value
        assert (listed.id, listed.name) == (trusted.id, "workload")
        await credentials.by_federated_identity_credential_id(trusted.id).delete()
        refused = ask(theirs["access_token"])
        assert refused["error"] == "invalid_client", refused
