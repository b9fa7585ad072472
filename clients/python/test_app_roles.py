"""App roles as MSAL for Python meets them: who holds none is kept out where one is required, and who holds one is let in with it."""

import secrets
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from msgraph.generated.models.api_application import ApiApplication
from msgraph.generated.models.app_role import AppRole
from msgraph.generated.models.app_role_assignment import AppRoleAssignment
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.public_client_application import PublicClientApplication
from msgraph.generated.models.service_principal import ServicePrincipal

from world import Application, Refused, Tenant, World

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def guarded(tenant: Tenant, role: AppRole, **more):
    """An application that only those use who were given a role; with a way to give it."""
    wanted = GraphApplication(
        display_name=f"Guarded {secrets.token_hex(4)}", app_roles=[role],
        identifier_uris=[f"https://{tenant.domain}/{secrets.token_hex(4)}"],
        api=ApiApplication(requested_access_token_version=2), **more,
    )
    async with tenant.registered(wanted) as app, tenant.graph() as graph:
        instance = await graph.service_principals_with_app_id(app.app_id).get()
        item = graph.service_principals.by_service_principal_id(instance.id)
        await item.patch(ServicePrincipal(app_role_assignment_required=True))

        async def give(principal: str) -> None:
            await item.app_role_assigned_to.post(AppRoleAssignment(
                principal_id=UUID(principal), resource_id=UUID(instance.id), app_role_id=role.id,
            ))

        yield app, give


def role(value: str, kind: str) -> AppRole:
    return AppRole(
        id=uuid4(), value=value, display_name=value, description=value, allowed_member_types=[kind], is_enabled=True
    )


async def test_a_daemon_needs_a_role_of_the_api(contoso: Tenant):
    daemon = contoso.application("daemon")
    async with guarded(contoso, role("Tasks.Read.All", "Application")) as (api, give), contoso.graph() as graph:
        scope = [f"{api.identifier_uris[0]}/.default"]
        refused = contoso.confidential(daemon).acquire_token_for_client(scope)
        assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [501051])
        await give((await graph.service_principals_with_app_id(daemon.app_id).get()).id)
        # MSAL remembers the refusal for a while; another instance asks again.
        answer = contoso.confidential(daemon).acquire_token_for_client(scope)
        claims = contoso.verify(answer["access_token"], api.app_id, "v2")
        assert (claims["azp"], claims["roles"]) == (daemon.app_id, ["Tasks.Read.All"])


async def test_a_person_needs_a_role_of_the_application(contoso: Tenant, world: World):
    member = await contoso.new_member("guarded")
    native = {
        "is_fallback_public_client": True,
        "public_client": PublicClientApplication(redirect_uris=["http://localhost"]),
    }
    async with guarded(contoso, role("Writer", "User"), **native) as (client, give):
        app = contoso.public(Application(client.app_id, None, ()))
        with pytest.raises(Refused, match="AADSTS50105"):
            world.sign_in(app, ["User.Read"], member)
        await give(member.id)
        answer = world.sign_in(app, ["User.Read"], member)
        assert contoso.verify(answer["id_token"], client.app_id, "v2")["roles"] == ["Writer"]
