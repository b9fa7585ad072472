"""MSAL for Python and azure-identity in a web API: it acts for the user whose token it was called with."""

from contextlib import asynccontextmanager

import pytest
from azure.identity import OnBehalfOfCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.web_application import WebApplication

from world import REDIRECT, Application, Tenant, World

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def service(tenant: Tenant):
    """The tenant's API with a secret and an address, so that people can agree to what it does."""
    api = tenant.application("api")
    async with tenant.graph() as graph:
        parameters = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            filter=f"appId eq '{api.app_id}'"
        )
        [found] = (
            await graph.applications.get(RequestConfiguration(query_parameters=parameters))
        ).value
        item = graph.applications.by_application_id(found.id)
        await item.patch(GraphApplication(web=WebApplication(redirect_uris=[REDIRECT])))
        secret = await item.add_password.post(AddPasswordPostRequestBody())
        yield Application(api.app_id, secret.secret_text, ())


async def test_a_web_api_acts_for_the_user_who_called_it(contoso: Tenant, world: World):
    member = await contoso.new_member("caller")
    async with service(contoso) as api:
        native = contoso.public(contoso.application("native"))
        called = world.sign_in(native, [f"api://{api.app_id}/access_as_user"], member)
        confidential = contoso.confidential(api)

        refused = confidential.acquire_token_on_behalf_of(called["access_token"], ["User.Read"])
        assert (refused["error"], refused["suberror"]) == ("invalid_grant", "consent_required")

        world.sign_in(contoso.confidential(api), ["User.Read"], member)
        # MSAL remembers the refusal for a minute; another instance asks again.
        confidential = contoso.confidential(api)
        answer = confidential.acquire_token_on_behalf_of(called["access_token"], ["User.Read"])
        assert "error" not in answer, answer
        assert answer["id_token_claims"]["oid"] == member.id
        claims = contoso.verify(answer["access_token"], "https://graph.microsoft.com")
        assert (claims["oid"], claims["appid"]) == (member.id, api.app_id)
        with OnBehalfOfCredential(
            contoso.id, api.app_id, client_secret=api.secret, user_assertion=called["access_token"],
            authority=world.base, disable_instance_discovery=True, connection_verify=world.ca,
        ) as credential:
            async with world.graph(credential) as graph:
                assert (await graph.me.get()).id == member.id
