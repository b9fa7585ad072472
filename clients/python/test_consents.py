"""msgraph-sdk on what applications may do: consents, and app roles given to a group."""

import secrets

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.app_role_assignment import AppRoleAssignment
from msgraph.generated.models.group import Group
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.oauth2_permission_grants.oauth2_permission_grants_request_builder import (
    Oauth2PermissionGrantsRequestBuilder,
)

from world import GRAPH_APP_ID, Tenant

pytestmark = pytest.mark.anyio


async def test_a_consent_is_made_found_changed_and_withdrawn(contoso: Tenant):
    async with contoso.graph() as graph:
        client = await graph.service_principals_with_app_id(contoso.application("native").app_id).get()
        resource = await graph.service_principals_with_app_id(GRAPH_APP_ID).get()
        person = await contoso.new_member("consented")
        grants = graph.oauth2_permission_grants
        made = await grants.post(OAuth2PermissionGrant(
            client_id=client.id, consent_type="Principal", principal_id=person.id,
            resource_id=resource.id, scope="User.Read",
        ))
        query = Oauth2PermissionGrantsRequestBuilder.Oauth2PermissionGrantsRequestBuilderGetQueryParameters(
            filter=f"clientId eq '{client.id}' and principalId eq '{person.id}'"
        )
        found = await grants.get(RequestConfiguration(query_parameters=query))
        assert [grant.id for grant in found.value] == [made.id]

        one = grants.by_o_auth2_permission_grant_id(made.id)
        await one.patch(OAuth2PermissionGrant(scope="User.Read email"))
        assert (await one.get()).scope == "User.Read email"
        below = await graph.users.by_user_id(person.id).oauth2_permission_grants.get()
        assert [grant.id for grant in below.value] == [made.id]
        await one.delete()
        with pytest.raises(ODataError) as gone:
            await one.get()
        assert gone.value.response_status_code == 404


async def test_a_member_of_a_group_holds_its_app_role(contoso: Tenant):
    async with contoso.graph() as graph:
        api = await graph.service_principals_with_app_id(contoso.application("api").app_id).get()
        roles = [role.id for role in api.app_roles if "User" in role.allowed_member_types]
        person = await contoso.new_member("assigned")
        name = f"assigned{secrets.token_hex(4)}"
        group = await graph.groups.post(Group(
            display_name=name, mail_nickname=name, mail_enabled=False, security_enabled=True,
            additional_data={"members@odata.bind": [f"/v1.0/directoryObjects/{person.id}"]},
        ))
        made = await graph.groups.by_group_id(group.id).app_role_assignments.post(AppRoleAssignment(
            principal_id=group.id, resource_id=api.id,
            app_role_id=roles[0] if roles else "00000000-0000-0000-0000-000000000000",
        ))
        assert made.principal_type == "Group"
        held = await graph.users.by_user_id(person.id).app_role_assignments.get()
        assert [assignment.id for assignment in held.value] == [made.id]
        await graph.groups.by_group_id(group.id).delete()
