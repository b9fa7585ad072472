"""msgraph-sdk keeps a mirror of the directory by delta queries alone."""

import secrets

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.groups.delta.delta_request_builder import DeltaRequestBuilder as GroupsDelta
from msgraph.generated.models.group import Group
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.user import User
from msgraph.generated.users.delta.delta_request_builder import DeltaRequestBuilder as UsersDelta

from world import Tenant, World

pytestmark = pytest.mark.anyio


async def whole_round(builder, page):
    """All objects of a round, and the link of the next."""
    items = []
    while True:
        items += page.value
        if page.odata_delta_link:
            return items, page.odata_delta_link
        page = await builder.with_url(page.odata_next_link).get()


async def test_users_are_followed_from_the_first_round_on(contoso: Tenant, world: World):
    mark = f"delta{secrets.token_hex(4)}"
    early = await contoso.new_member(mark)
    async with contoso.graph() as graph:
        first = await graph.users.delta.get(RequestConfiguration(
            query_parameters=UsersDelta.DeltaRequestBuilderGetQueryParameters(select=["id", "displayName"])
        ))
        known, link = await whole_round(graph.users.delta, first)
        assert early.id in {user.id for user in known}
        assert link.startswith(f"{world.base}/v1.0/users/delta()?")

        late = await contoso.new_member(mark)
        await graph.users.by_user_id(early.id).patch(User(display_name="Renamed"))
        told, link = await whole_round(graph.users.delta, await graph.users.delta.with_url(link).get())
        names = {user.id: user.display_name for user in told}
        assert names[early.id] == "Renamed"
        assert late.id in names

        await graph.users.by_user_id(late.id).delete()
        told, _ = await whole_round(graph.users.delta, await graph.users.delta.with_url(link).get())
        [gone] = [user for user in told if user.id == late.id]
        assert gone.additional_data["@removed"]["reason"] == "changed"


async def test_groups_tell_who_came_and_went(contoso: Tenant, world: World):
    mark = f"delta{secrets.token_hex(4)}"
    member = await contoso.new_member(mark)
    async with contoso.graph() as graph:
        group = await graph.groups.post(Group(
            display_name=mark, mail_nickname=mark, mail_enabled=False, security_enabled=True,
        ))
        now = await graph.groups.delta.get(RequestConfiguration(
            query_parameters=GroupsDelta.DeltaRequestBuilderGetQueryParameters(
                select=["displayName", "members"], filter=f"id eq '{group.id}'",
            )
        ))
        _, link = await whole_round(graph.groups.delta, now)
        members = graph.groups.by_group_id(group.id).members
        await members.ref.post(ReferenceCreate(odata_id=f"{world.base}/v1.0/directoryObjects/{member.id}"))
        [told], link = await whole_round(graph.groups.delta, await graph.groups.delta.with_url(link).get())
        [came] = told.additional_data["members@delta"]
        assert str(came["id"]) == member.id and "@removed" not in came
        await members.by_directory_object_id(member.id).ref.delete()
        [told], _ = await whole_round(graph.groups.delta, await graph.groups.delta.with_url(link).get())
        [went] = told.additional_data["members@delta"]
        assert (str(went["id"]), went["@removed"]["reason"]) == (member.id, "deleted")
