"""msgraph-sdk sets how long tokens live, and MSAL's next token shows it."""

import json

import pytest
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.token_lifetime_policy import TokenLifetimePolicy

from world import Application, Tenant, World

pytestmark = pytest.mark.anyio


def policy(name: str, lifetime: str) -> TokenLifetimePolicy:
    definition = json.dumps({"TokenLifetimePolicy": {"Version": 1, "AccessTokenLifetime": lifetime}})
    return TokenLifetimePolicy(display_name=name, definition=[definition])


async def test_a_token_lives_as_long_as_its_resources_policy_says(contoso: Tenant, world: World) -> None:
    async with contoso.graph() as graph:
        made = await graph.applications.post(GraphApplication(display_name="Short tokens"))
        application = graph.applications.by_application_id(made.id)
        policies = graph.policies.token_lifetime_policies
        short = await policies.post(policy("Ten minutes", "00:10:00"))
        try:
            instance = await graph.service_principals.post(ServicePrincipal(app_id=made.app_id))
            secret = await application.add_password.post(AddPasswordPostRequestBody())
            held = graph.service_principals.by_service_principal_id(instance.id).token_lifetime_policies
            address = f"{world.base}/v1.0/policies/tokenLifetimePolicies/{short.id}"
            await held.ref.post(ReferenceCreate(odata_id=address))
            assert [one.display_name for one in (await held.get()).value] == ["Ten minutes"]
            applies = await policies.by_token_lifetime_policy_id(short.id).applies_to.get()
            assert [type(one) for one in applies.value] == [ServicePrincipal]

            def lifetimes() -> tuple[int, int]:
                app = contoso.confidential(Application(made.app_id, secret.secret_text, ()))
                answer = app.acquire_token_for_client([f"{made.app_id}/.default"])
                assert "error" not in answer, answer
                claims = contoso.verify(answer["access_token"], made.app_id)
                return claims["exp"] - claims["iat"], answer["expires_in"]

            lives, expires_in = lifetimes()
            assert lives == 600
            assert expires_in == pytest.approx(600, abs=1)
            with pytest.raises(ODataError) as refused:
                await policies.post(policy("Too short", "00:09:59"))
            assert refused.value.response_status_code == 400
            await held.by_token_lifetime_policy_id(short.id).ref.delete()
            assert lifetimes()[0] >= 3600
        finally:
            await application.delete()
            await policies.by_token_lifetime_policy_id(short.id).delete()
