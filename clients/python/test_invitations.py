"""Invitations with msgraph-sdk: the guest is there the moment the answer is."""

import anyio
import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.invitation import Invitation
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder

from world import Tenant, World

pytestmark = pytest.mark.anyio

GUEST_PROPERTIES = RequestConfiguration(
    query_parameters=UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=[
        "id", "userPrincipalName", "mail", "userType", "creationType", "externalUserState",
        "externalUserStateChangeDateTime", "identities", "accountEnabled",
    ])
)


async def initial_domain(graph) -> str:
    [initial] = [domain.id for domain in (await graph.domains.get()).value if domain.is_initial]
    return initial


async def test_an_invitation_makes_a_pending_guest(contoso: Tenant, fabrikam: Tenant, world: World):
    member = await fabrikam.new_member("zoe")
    async with contoso.graph() as graph:
        invitation = await graph.invitations.post(Invitation(
            invited_user_email_address=member.name,
            invited_user_display_name="Zoe",
            invite_redirect_url=f"{world.base}/myapps",
        ))
        guest = await graph.users.by_user_id(invitation.invited_user.id).get(GUEST_PROPERTIES)
        initial = await initial_domain(graph)

        assert invitation.status == "PendingAcceptance"
        assert invitation.invited_user_type == "Guest"
        assert invitation.send_invitation_message is False
        assert invitation.invite_redeem_url.startswith(f"{world.base}/redeem?")

        assert guest.user_principal_name == f"{member.name.replace('@', '_')}#EXT#@{initial}"
        assert guest.mail == member.name
        assert guest.user_type == "Guest"
        assert guest.creation_type == "Invitation"
        assert guest.external_user_state == "PendingAcceptance"
        assert guest.external_user_state_change_date_time is not None
        assert guest.account_enabled is True
        assert guest.id != member.id
        assert [identity.sign_in_type for identity in guest.identities] == ["userPrincipalName"]

        # `#` must travel as %23; the SDK encodes the key itself.
        by_name = await graph.users.by_user_id(guest.user_principal_name).get()
        assert by_name.id == guest.id


async def test_inviting_the_same_person_again_finds_the_same_guest(contoso: Tenant, fabrikam: Tenant):
    member = await fabrikam.new_member("twice")
    first = await contoso.invite(member.name)
    second = await contoso.invite(member.name.upper())
    assert second.invited_user.id == first.invited_user.id


async def test_an_address_of_ones_own_organization_is_not_invited(contoso: Tenant):
    with pytest.raises(ODataError) as failure:
        await contoso.invite(contoso.person("carol").name)
    assert failure.value.response_status_code == 400


@pytest.mark.parametrize("address", ["", "nobody", "a b@fabrikam.test", "a+b@fabrikam.test", "x@y@fabrikam.test"])
async def test_an_address_that_is_none_is_refused(contoso: Tenant, address: str):
    with pytest.raises(ODataError) as failure:
        await contoso.invite(address)
    assert failure.value.response_status_code == 400
    assert failure.value.error.inner_error.request_id


async def test_a_guest_can_be_read_by_every_connection_at_once(contoso: Tenant, fabrikam: Tenant):
    """5 invitations, each read 200 times over 8 connections from the moment it is acknowledged."""
    members = [await fabrikam.new_member("instant") for _ in range(5)]
    async with contoso.graph() as graph:

        async def read(guest_id: str) -> None:
            for _ in range(25):
                found = await graph.users.by_user_id(guest_id).get()  # raises on a 404
                assert found.id == guest_id

        for member in members:
            invitation = await contoso.invite(member.name)
            async with anyio.create_task_group() as connections:
                for _ in range(8):
                    connections.start_soon(read, invitation.invited_user.id)
