"""msgraph-sdk on directory roles: one is given, seen, permits what it says at once, and is taken back."""

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.directory_role import DirectoryRole
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.unified_role_assignment import UnifiedRoleAssignment
from msgraph.generated.models.user import User
from msgraph.generated.role_management.directory.role_assignments.role_assignments_request_builder import (
    RoleAssignmentsRequestBuilder,
)

from world import Tenant, World

pytestmark = pytest.mark.anyio

DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"


async def test_a_guest_reads_the_directory_while_holding_the_role(
    contoso: Tenant, fabrikam: Tenant, world: World
):
    person = await fabrikam.new_member("reader")
    invitation = await contoso.invite(person.name)
    guest = invitation.invited_user.id
    world.drive(invitation.invite_redeem_url, person)
    app = contoso.public(contoso.application("native"))
    answer = world.sign_in(app, ["User.ReadBasic.All"], person)

    def users() -> int:
        headers = {"authorization": f"Bearer {answer['access_token']}"}
        return world.http.get(f"{world.base}/v1.0/users", headers=headers).status_code

    assert users() == 403, "guests do not list users"
    async with contoso.graph() as graph:
        assignments = graph.role_management.directory.role_assignments
        wanted = UnifiedRoleAssignment(
            principal_id=guest, role_definition_id=DIRECTORY_READERS, directory_scope_id="/",
        )
        given = await assignments.post(wanted)
        assert users() == 200, "with the same token"

        with pytest.raises(ODataError) as refused:
            await assignments.post(wanted)
        assert refused.value.response_status_code == 400, "one assignment of the two"
        found = await assignments.get(RequestConfiguration(
            query_parameters=RoleAssignmentsRequestBuilder.RoleAssignmentsRequestBuilderGetQueryParameters(
                filter=f"principalId eq '{guest}'", expand=["principal"],
            )
        ))
        [held] = found.value
        assert (held.id, held.role_definition_id) == (given.id, DIRECTORY_READERS)
        assert isinstance(held.principal, User)

        role = await graph.directory_roles_with_role_template_id(DIRECTORY_READERS).get()
        members = await graph.directory_roles.by_directory_role_id(role.id).members.get()
        assert guest in [member.id for member in members.value]
        [group] = (await graph.users.by_user_id(guest).member_of.get()).value
        assert isinstance(group, DirectoryRole)
        assert (group.id, group.display_name) == (role.id, "Directory Readers")

        await assignments.by_unified_role_assignment_id(given.id).delete()
        assert users() == 403, "with the same token"
        assert (await graph.users.by_user_id(guest).member_of.get()).value == []
