"""An API and its client as parts of one solution, by MSAL for Python: who is asked, and for what."""

import secrets
from uuid import UUID, uuid4

import pytest
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.models.api_application import ApiApplication
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.permission_scope import PermissionScope
from msgraph.generated.models.pre_authorized_application import PreAuthorizedApplication
from msgraph.generated.models.public_client_application import PublicClientApplication
from msgraph.generated.models.required_resource_access import RequiredResourceAccess
from msgraph.generated.models.resource_access import ResourceAccess
from msgraph.generated.models.web_application import WebApplication

from world import GRAPH_APP_ID, REDIRECT, Acquired, Application, Refused, Tenant, World

pytestmark = pytest.mark.anyio


def scope(value: str, kind: str) -> PermissionScope:
    """What the API offers: `User` to everybody, `Admin` only with an administrator's agreement."""
    return PermissionScope(
        id=uuid4(), value=value, type=kind, is_enabled=True,
        admin_consent_display_name=f"May {value}", admin_consent_description=f"May {value} for people.",
        user_consent_display_name=f"May {value}", user_consent_description=f"May {value} for you.",
    )


def native() -> GraphApplication:
    return GraphApplication(
        display_name=f"Client {secrets.token_hex(4)}", is_fallback_public_client=True,
        public_client=PublicClientApplication(redirect_uris=["http://localhost"]),
    )


def needs(resource: str, scope_id: UUID) -> list[RequiredResourceAccess]:
    access = ResourceAccess(id=scope_id, type="Scope")
    return [RequiredResourceAccess(resource_app_id=resource, resource_access=[access])]


async def test_a_client_that_the_api_trusts_is_let_in_without_a_question(contoso: Tenant, world: World):
    member = await contoso.new_member("trusted")
    audit = scope("audit", "Admin")
    wanted = GraphApplication(
        display_name="Trusts a client", identifier_uris=[f"https://{contoso.domain}/{secrets.token_hex(4)}"],
        api=ApiApplication(requested_access_token_version=2, oauth2_permission_scopes=[audit]),
    )
    async with contoso.registered(wanted) as api, contoso.registered(native()) as client, contoso.graph() as graph:
        app = contoso.public(Application(client.app_id, None, ()))
        asked = [f"{api.identifier_uris[0]}/audit"]
        with pytest.raises(Refused, match="AADSTS90094"):
            world.sign_in(app, asked, member)
        item = graph.applications.by_application_id(api.id)
        trusted = PreAuthorizedApplication(app_id=client.app_id, delegated_permission_ids=[str(audit.id)])
        await item.patch(GraphApplication(api=ApiApplication(pre_authorized_applications=[trusted])))
        [read] = (await item.get()).api.pre_authorized_applications
        assert (read.app_id, read.delegated_permission_ids) == (client.app_id, [str(audit.id)])

        answer = world.sign_in(app, asked, member)
        claims = contoso.verify(answer["access_token"], api.app_id, "v2")
        assert (claims["oid"], claims["azp"], claims["scp"]) == (member.id, client.app_id, "audit")


async def test_one_yes_lets_in_a_client_and_what_the_api_behind_it_needs(contoso: Tenant, world: World):
    member = await contoso.new_member("known")
    use = scope("use", "User")
    async with contoso.registered(native()) as client, contoso.graph() as graph:
        microsoft_graph = await graph.service_principals_with_app_id(GRAPH_APP_ID).get()
        [read] = [offered for offered in microsoft_graph.oauth2_permission_scopes if offered.value == "User.Read"]
        wanted = GraphApplication(
            display_name="Knows its client", identifier_uris=[f"https://{contoso.domain}/{secrets.token_hex(4)}"],
            api=ApiApplication(
                requested_access_token_version=2, oauth2_permission_scopes=[use],
                known_client_applications=[UUID(client.app_id)],
            ),
            required_resource_access=needs(GRAPH_APP_ID, read.id),
            web=WebApplication(redirect_uris=[REDIRECT]),
        )
        async with contoso.registered(wanted) as api:
            await graph.applications.by_application_id(client.id).patch(
                GraphApplication(required_resource_access=needs(api.app_id, use.id))
            )
            secret = await graph.applications.by_application_id(api.id).add_password.post(AddPasswordPostRequestBody())
            app = contoso.public(Application(client.app_id, None, ()))
            answer = world.sign_in(app, [f"{api.identifier_uris[0]}/.default"], member)
            assert contoso.verify(answer["access_token"], api.app_id, "v2")["scp"] == "use"

            # Nobody signed in to the API: it acts for the member by the yes that was given to its client.
            middle = contoso.confidential(Application(api.app_id, secret.secret_text, ()))
            answer = middle.acquire_token_on_behalf_of(
                answer["access_token"], ["https://graph.microsoft.com/.default"]
            )
            assert "error" not in answer, answer
            async with world.graph(Acquired(answer)) as theirs:
                assert (await theirs.me.get()).id == member.id
