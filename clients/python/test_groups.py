"""msgraph-sdk on groups: made, filled, read through, and asked who is in them; ordered and searched lists."""

import secrets

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.headers_collection import HeadersCollection
from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder
from msgraph.generated.models.group import Group
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.user import User
from msgraph.generated.users.item.check_member_groups.check_member_groups_post_request_body import (
    CheckMemberGroupsPostRequestBody,
)
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

from world import Tenant, World

pytestmark = pytest.mark.anyio


def advanced(builder, **parameters) -> RequestConfiguration:
    headers = HeadersCollection()
    headers.add("ConsistencyLevel", "eventual")
    return RequestConfiguration(query_parameters=builder(**parameters), headers=headers)


async def new_group(graph, name: str) -> Group:
    return await graph.groups.post(Group(
        display_name=name, mail_nickname=name, mail_enabled=False, security_enabled=True,
    ))


def reference(world: World, object_id: str) -> ReferenceCreate:
    return ReferenceCreate(odata_id=f"{world.base}/v1.0/directoryObjects/{object_id}")


async def test_a_guest_is_in_a_group_through_another_at_once(contoso: Tenant, world: World):
    guest = (await contoso.invite(f"in-group-{secrets.token_hex(4)}@elsewhere.test")).invited_user.id
    async with contoso.graph() as graph:
        outer = await new_group(graph, f"outer{secrets.token_hex(4)}")
        inner = await new_group(graph, f"inner{secrets.token_hex(4)}")
        await graph.groups.by_group_id(outer.id).members.ref.post(reference(world, inner.id))
        await graph.groups.by_group_id(inner.id).members.ref.post(reference(world, guest))

        members = await graph.groups.by_group_id(outer.id).members.get()
        [member] = members.value
        assert isinstance(member, Group), "the SDK tells kinds apart by @odata.type"
        assert member.id == inner.id
        through = await graph.groups.by_group_id(outer.id).transitive_members.graph_user.get()
        assert [user.id for user in through.value] == [guest]

        person = graph.users.by_user_id(guest)
        assert {held.id for held in (await person.transitive_member_of.get()).value} == {outer.id, inner.id}
        checked = await person.check_member_groups.post(CheckMemberGroupsPostRequestBody(group_ids=[outer.id]))
        assert checked.value == [outer.id]

        with pytest.raises(ODataError) as refused:
            await graph.groups.by_group_id(inner.id).members.ref.post(reference(world, outer.id))
        assert refused.value.response_status_code == 400, "no circles"

        await graph.groups.by_group_id(inner.id).members.by_directory_object_id(guest).ref.delete()
        assert (await person.transitive_member_of.get()).value == []
        for group in [outer, inner]:
            await graph.groups.by_group_id(group.id).delete()


async def test_lists_are_ordered_searched_and_counted(contoso: Tenant):
    mark = f"m{secrets.token_hex(4)}"
    async with contoso.graph() as graph:
        made = [await new_group(graph, f"{mark}-{name}") for name in ["cobalt", "amber", "beryl"]]
        found = await graph.groups.get(advanced(
            GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters,
            filter=f"startsWith(displayName,'{mark}')", orderby=["displayName desc"], count=True, top=2,
        ))
        assert found.odata_count == 3
        rest = await graph.groups.with_url(found.odata_next_link).get(
            advanced(GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters)
        )
        names = [group.display_name for group in found.value + rest.value]
        assert names == [f"{mark}-{name}" for name in ["cobalt", "beryl", "amber"]]
        searched = await graph.groups.get(advanced(
            GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters,
            search=f'"displayName:{mark}" AND "displayName:ambe"',
        ))
        assert [group.display_name for group in searched.value] == [f"{mark}-amber"]
        for group in made:
            await graph.groups.by_group_id(group.id).delete()

        carol = contoso.person("carol")
        people = await graph.users.get(advanced(
            UsersRequestBuilder.UsersRequestBuilderGetQueryParameters,
            search='"userPrincipalName:carol"', filter="accountEnabled ne false", count=True,
            orderby=["displayName"],
        ))
        assert carol.id in {person.id for person in people.value if isinstance(person, User)}


async def test_a_dynamic_group_holds_whoever_fits_its_rule_at_once(contoso: Tenant):
    mark = f"d{secrets.token_hex(4)}"
    async with contoso.graph() as graph:
        guest = (await contoso.invite(f"{mark}@elsewhere.test")).invited_user.id
        group = await graph.groups.post(Group(
            display_name=mark, mail_nickname=mark, mail_enabled=False, security_enabled=True,
            group_types=["DynamicMembership"], membership_rule_processing_state="On",
            membership_rule=f'user.department -eq "{mark}" -and user.userType -eq "Guest"',
        ))
        members = graph.groups.by_group_id(group.id).members
        assert (await members.get()).value == []
        await graph.users.by_user_id(guest).patch(User(department=mark.upper()))
        assert [member.id for member in (await members.get()).value] == [guest]
        await graph.users.by_user_id(guest).patch(User(department="elsewhere"))
        assert (await members.get()).value == []
        with pytest.raises(ODataError) as refused:
            await graph.groups.by_group_id(group.id).patch(Group(membership_rule="user.department -eq Sales"))
        assert refused.value.response_status_code == 400
        assert "position 20" in refused.value.error.message
        await graph.groups.by_group_id(group.id).delete()
