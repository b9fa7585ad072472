"""azure-identity and msgraph-sdk on the directory: users, applications, organization, domains."""

import secrets

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.user import User
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

from world import GRAPH_SCOPE, Application, Tenant, World

pytestmark = pytest.mark.anyio


def listing(**parameters) -> RequestConfiguration:
    return RequestConfiguration(
        query_parameters=UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(**parameters)
    )


def selecting(*properties: str) -> RequestConfiguration:
    return RequestConfiguration(
        query_parameters=UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(
            select=list(properties)
        )
    )


async def test_a_filtered_list_pages_to_its_end_with_what_was_selected(contoso: Tenant, world: World):
    mark = f"lister{secrets.token_hex(4)}"
    made = {(await contoso.new_member(mark)).id for _ in range(5)}
    async with contoso.graph() as graph:
        page = await graph.users.get(listing(
            filter=f"startswith(displayName,'{mark}')", select=["id", "displayName"], top=2,
        ))
        seen = []
        while True:
            assert len(page.value) <= 2
            seen += page.value
            if not page.odata_next_link:
                break
            assert page.odata_next_link.startswith(f"{world.base}/v1.0/users?")
            page = await graph.users.with_url(page.odata_next_link).get()
    assert {user.id for user in seen} == made
    assert len(seen) == len(made), "nobody comes twice"
    assert all(user.display_name.startswith(mark) for user in seen)
    assert all(user.user_principal_name is None for user in seen), "it was not selected"


@pytest.mark.parametrize(("expression", "finds"), [
    ("userPrincipalName eq '{upn}'", True),
    ("id in ('{id}', '00000000-0000-0000-0000-000000000000')", True),
    ("displayName eq '{mark}' and accountEnabled eq true", True),
    ("displayName eq '{mark}' and userType eq 'Guest'", False),
    ("displayName eq '{mark}' or displayName eq 'nobody'", True),
])
async def test_filters_find_whom_they_describe(contoso: Tenant, expression: str, finds: bool):
    member = await contoso.new_member("filtered")
    mark = member.name.partition("@")[0]
    wanted = expression.format(upn=member.name, id=member.id, mark=mark)
    async with contoso.graph() as graph:
        found = await graph.users.get(listing(filter=wanted))
    assert [user.id for user in found.value] == ([member.id] if finds else [])


async def test_a_user_is_read_by_id_and_by_name(contoso: Tenant):
    alice = contoso.person("alice")
    async with contoso.graph() as graph:
        by_id = await graph.users.by_user_id(alice.id).get()
        by_name = await graph.users.by_user_id(alice.name).get()
    assert by_id.id == by_name.id == alice.id
    assert by_id.user_principal_name == by_name.user_principal_name == alice.name


async def test_a_user_is_changed_deleted_and_restored(contoso: Tenant):
    member = await contoso.new_member("restored")
    async with contoso.graph() as graph:
        user = graph.users.by_user_id(member.id)
        await user.patch(User(department="Archive", job_title="Keeper"))
        read = await user.get(selecting("department", "jobTitle"))
        assert (read.department, read.job_title) == ("Archive", "Keeper")

        await user.delete()
        with pytest.raises(ODataError) as gone:
            await user.get()
        assert gone.value.response_status_code == 404

        deleted = await graph.directory.deleted_items.by_directory_object_id(member.id).get()
        assert deleted.id == member.id
        assert isinstance(deleted, User), "@odata.type says what it is"
        bin_page = await graph.directory.deleted_items.graph_user.get()
        assert member.id in {user.id for user in bin_page.value}

        restored = await graph.directory.deleted_items.by_directory_object_id(member.id).restore.post()
        assert restored.id == member.id
        assert (await user.get(selecting("department"))).department == "Archive"


async def test_errors_tell_code_and_request(contoso: Tenant):
    async with contoso.graph() as graph:
        with pytest.raises(ODataError) as failure:
            await graph.users.by_user_id("00000000-0000-0000-0000-000000000001").get()
    assert failure.value.response_status_code == 404
    error = failure.value.error
    assert error.code == "Request_ResourceNotFound"
    assert error.message
    assert error.inner_error.request_id
    assert error.inner_error.client_request_id
    assert error.inner_error.date


async def test_a_name_is_taken_only_once(contoso: Tenant):
    alice = contoso.person("alice")
    async with contoso.graph() as graph:
        with pytest.raises(ODataError) as failure:
            await graph.users.post(User(
                account_enabled=False, display_name="Second Alice", mail_nickname="alice",
                user_principal_name=alice.name,
                password_profile=PasswordProfile(password=secrets.token_urlsafe(16)),
            ))
    assert 400 <= failure.value.response_status_code < 500


async def test_a_new_application_works_with_its_new_secret_but_may_nothing(contoso: Tenant):
    async with contoso.graph() as graph:
        made = await graph.applications.post(GraphApplication(
            display_name="Made by Python", sign_in_audience="AzureADMyOrg"
        ))
        assert (await graph.applications.by_application_id(made.id).get()).app_id == made.app_id
        principal = await graph.service_principals.post(ServicePrincipal(app_id=made.app_id))
        password = await graph.applications.by_application_id(made.id).add_password.post(
            AddPasswordPostRequestBody(
                password_credential=PasswordCredential(display_name="first")
            )
        )
        assert password.secret_text and password.hint and password.key_id
        again = await graph.applications.by_application_id(made.id).get()
        [shown] = again.password_credentials
        assert (shown.secret_text, shown.key_id) == (None, password.key_id)

    app = Application(made.app_id, password.secret_text, ())
    answer = contoso.confidential(app).acquire_token_for_client([GRAPH_SCOPE])
    claims = contoso.verify(answer["access_token"], "https://graph.microsoft.com")
    assert claims["oid"] == principal.id
    assert not claims.get("roles")

    async with contoso.graph(app) as graph:
        with pytest.raises(ODataError) as failure:
            await graph.users.get()
    assert failure.value.response_status_code == 403
    assert failure.value.error.code == "Authorization_RequestDenied"
    assert failure.value.error.inner_error.request_id


async def test_service_principals_stand_for_the_applications(contoso: Tenant):
    daemon = contoso.application("daemon")
    async with contoso.graph() as graph:
        page = await graph.service_principals.get()
        principals = {principal.app_id: principal for principal in page.value}
        assert daemon.app_id in principals
        read = await graph.service_principals.by_service_principal_id(principals[daemon.app_id].id).get()
    assert read.app_owner_organization_id is not None
    assert str(read.app_owner_organization_id) == contoso.id


async def test_the_organization_is_the_tenant(contoso: Tenant):
    async with contoso.graph() as graph:
        [organization] = (await graph.organization.get()).value
    assert organization.id == contoso.id
    assert organization.display_name == contoso.display_name
    assert contoso.domain in {domain.name for domain in organization.verified_domains}


async def test_exactly_one_domain_is_the_initial_one(contoso: Tenant):
    async with contoso.graph() as graph:
        domains = (await graph.domains.get()).value
    assert sum(bool(domain.is_initial) for domain in domains) == 1
    assert contoso.domain in {domain.id for domain in domains if domain.is_verified}
