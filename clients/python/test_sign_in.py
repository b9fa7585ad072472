"""MSAL for Python in a native application: code with PKCE, cache, refresh, and guests."""

import threading
import webbrowser

import pytest
from azure.identity import InteractiveBrowserCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.public_client_application import PublicClientApplication
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder

from world import GRAPH_APP_ID, Application, Person, Refused, Tenant, World

SCOPES = ["User.Read"]
GRAPH = ["https://graph.microsoft.com", GRAPH_APP_ID]


def me(world: World, answer: dict) -> dict:
    response = world.http.get(
        f"{world.base}/v1.0/me?$select=id,userType",
        headers={"authorization": f"Bearer {answer['access_token']}"},
    )
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.anyio
async def test_a_member_signs_in_and_stays_signed_in(contoso: Tenant, world: World):
    member = await contoso.new_member("native")
    native = contoso.application("native")
    app = contoso.public(native)
    answer = world.sign_in(app, SCOPES, member)

    claims = contoso.verify(answer["id_token"], native.app_id, "v2")
    assert (claims["oid"], claims["tid"]) == (member.id, contoso.id)
    assert contoso.verify(answer["access_token"], [*GRAPH, world.base])["appidacr"] == "0"
    assert me(world, answer)["id"] == member.id

    [account] = app.get_accounts()
    assert account["home_account_id"] == f"{member.id}.{contoso.id}"
    assert account["username"] == member.name

    cached = app.acquire_token_silent(SCOPES, account)
    assert cached["token_source"] == "cache"
    renewed = app.acquire_token_silent(SCOPES, account, force_refresh=True)
    assert renewed["token_source"] == "identity_provider"
    assert me(world, renewed)["id"] == member.id


def users_browser(world: World, person: Person, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The person's own browser, which libraries open; tells how often they did."""
    drives: list[threading.Thread] = []

    class DrivenBrowser(webbrowser.BaseBrowser):
        def open(self, url, new=0, autoraise=True):
            drives.append(threading.Thread(target=world.drive, args=(url, person)))
            drives[-1].start()
            return True

    monkeypatch.setattr(webbrowser, "get", lambda using=None: DrivenBrowser())
    monkeypatch.setattr(webbrowser, "open", DrivenBrowser().open)
    return drives


@pytest.mark.anyio
async def test_a_browser_of_the_users_own_answers_on_any_local_port(
    contoso: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
):
    """acquire_token_interactive listens on a free port and asks for form_post."""
    member = await contoso.new_member("interactive")
    drives = users_browser(world, member, monkeypatch)
    app = contoso.public(contoso.application("native"))
    answer = app.acquire_token_interactive(SCOPES, timeout=90)
    for drive in drives:
        drive.join()
    assert "error" not in answer, answer
    assert answer["id_token_claims"]["oid"] == member.id


@pytest.mark.anyio
async def test_a_revoked_sign_in_is_renewed_by_the_sdk_itself(
    contoso: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
):
    """Graph's challenge reaches azure-identity, which puts its token away and asks the person again."""
    member = await contoso.new_member("revoked")
    drives = users_browser(world, member, monkeypatch)
    with InteractiveBrowserCredential(
        client_id=contoso.application("native").app_id, tenant_id=contoso.id, timeout=90,
        authority=world.base, disable_instance_discovery=True, connection_verify=world.ca,
    ) as credential:
        async with world.graph(credential) as own, contoso.graph() as graph:
            assert (await own.me.get()).id == member.id
            assert (await own.me.get()).id == member.id
            assert len(drives) == 1
            await graph.users.by_user_id(member.id).revoke_sign_in_sessions.post()
            assert (await own.me.get()).id == member.id
    for drive in drives:
        drive.join()
    assert len(drives) == 2


@pytest.mark.anyio
async def test_a_guest_signs_in_at_the_tenant_that_invited_them(
    contoso: Tenant, fabrikam: Tenant, world: World
):
    member = await fabrikam.new_member("nativeguest")
    invitation = await contoso.invite(member.name)
    guest_id = invitation.invited_user.id
    landed = world.drive(invitation.invite_redeem_url, member)
    assert landed.startswith(f"{world.base}/myapps")

    native = contoso.application("native")
    app = contoso.public(native)
    answer = world.sign_in(app, SCOPES, member)
    claims = contoso.verify(answer["id_token"], native.app_id, "v2")
    assert (claims["oid"], claims["tid"]) == (guest_id, contoso.id)
    assert claims["idp"] == f"{fabrikam.authority}/"
    assert me(world, answer).items() >= {"id": guest_id, "userType": "Guest"}.items()

    [account] = app.get_accounts()
    assert account["home_account_id"] == f"{member.id}.{fabrikam.id}"
    renewed = app.acquire_token_silent(SCOPES, account, force_refresh=True)
    assert me(world, renewed)["id"] == guest_id

    async with contoso.graph() as graph:
        guest = await graph.users.by_user_id(guest_id).get(RequestConfiguration(
            query_parameters=UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(
                select=["externalUserState"]
            )
        ))
    assert guest.external_user_state == "Accepted"


@pytest.mark.anyio
async def test_one_sign_in_reaches_every_tenant_the_person_is_in(contoso: Tenant, fabrikam: Tenant, world: World):
    """A tool for many organisations: `organizations` leads home, and the one refresh token works where they are a guest."""
    member = await fabrikam.new_member("tool")
    invitation = await contoso.invite(member.name)
    world.drive(invitation.invite_redeem_url, member)
    wanted = GraphApplication(
        display_name="For many organisations", sign_in_audience="AzureADMultipleOrgs", is_fallback_public_client=True,
        public_client=PublicClientApplication(redirect_uris=["http://localhost"]),
    )
    async with contoso.registered(wanted) as made, contoso.graph() as graph:
        client = await graph.service_principals_with_app_id(made.app_id).get()
        resource = await graph.service_principals_with_app_id(GRAPH_APP_ID).get()
        await graph.oauth2_permission_grants.post(OAuth2PermissionGrant(
            client_id=client.id, consent_type="AllPrincipals", resource_id=resource.id, scope=" ".join(SCOPES),
        ))
        tool = Application(made.app_id, None, ())
        anywhere = contoso.public(tool, authority=f"{world.base}/organizations")
        answer = world.sign_in(anywhere, SCOPES, member)
        assert fabrikam.verify(answer["id_token"], made.app_id, "v2")["oid"] == member.id

        here = contoso.public(tool, token_cache=anywhere.token_cache)
        [account] = here.get_accounts()
        renewed = here.acquire_token_silent(SCOPES, account)
        claims = contoso.verify(renewed["access_token"], GRAPH)
        assert (claims["oid"], claims["idp"]) == (invitation.invited_user.id, f"{fabrikam.authority}/")
        assert me(world, renewed)["userType"] == "Guest"


@pytest.mark.anyio
async def test_a_stranger_is_not_let_into_another_tenant(contoso: Tenant, fabrikam: Tenant, world: World):
    stranger = await fabrikam.new_member("stranger")
    app = contoso.public(contoso.application("native"))
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri="http://localhost:53682")
    with pytest.raises(Refused, match="AADSTS(50020|50034|90072|16000)"):
        world.drive(flow["auth_uri"], stranger)
