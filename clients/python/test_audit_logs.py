"""msgraph-sdk reads who was invited and who signed in."""

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.audit_logs.directory_audits.directory_audits_request_builder import (
    DirectoryAuditsRequestBuilder,
)
from msgraph.generated.audit_logs.sign_ins.sign_ins_request_builder import SignInsRequestBuilder

from world import Tenant, World

pytestmark = pytest.mark.anyio

SCOPES = ["User.Read"]


def audits(condition: str):
    return RequestConfiguration(
        query_parameters=DirectoryAuditsRequestBuilder.DirectoryAuditsRequestBuilderGetQueryParameters(
            filter=condition
        )
    )


def sign_ins(condition: str, top: int | None = None):
    return RequestConfiguration(
        query_parameters=SignInsRequestBuilder.SignInsRequestBuilderGetQueryParameters(
            filter=condition, top=top
        )
    )


async def test_a_guest_is_followed_from_the_invitation_to_the_sign_in(
    contoso: Tenant, fabrikam: Tenant, world: World
):
    member = await fabrikam.new_member("logged")
    invitation = await contoso.invite(member.name)
    guest = invitation.invited_user.id
    world.drive(invitation.invite_redeem_url, member)
    native = contoso.application("native")
    app = contoso.public(native)
    world.sign_in(app, SCOPES, member)

    async with contoso.graph() as graph:
        about = f"targetResources/any(t:t/id eq '{guest}')"
        [invited] = (await graph.audit_logs.directory_audits.get(
            audits(f"{about} and activityDisplayName eq 'Invite external user'")
        )).value
        assert (invited.result.value, invited.category) == ("success", "UserManagement")
        assert invited.initiated_by.app.app_id == contoso.application("daemon").app_id
        assert invited.target_resources[0].id == guest
        same = await graph.audit_logs.directory_audits.by_directory_audit_id(invited.id).get()
        assert same.activity_date_time == invited.activity_date_time

        condition = f"userId eq '{guest}' and appId eq '{native.app_id}' and status/errorCode eq 0"
        page = await graph.audit_logs.sign_ins.get(sign_ins(condition, top=1))
        [newest] = page.value
        assert (newest.home_tenant_id, newest.resource_tenant_id) == (fabrikam.id, contoso.id)
        assert newest.status.error_code == 0
        assert page.odata_next_link, "the page of the sign-in and the code are two records"
        [before] = (await graph.audit_logs.sign_ins.with_url(page.odata_next_link).get()).value
        assert before.created_date_time <= newest.created_date_time and before.id != newest.id
        since = before.created_date_time.isoformat().replace("+00:00", "Z")
        both = await graph.audit_logs.sign_ins.get(sign_ins(f"{condition} and createdDateTime ge {since}"))
        assert {before.id, newest.id} <= {sign_in.id for sign_in in both.value}

    async with fabrikam.graph() as graph:
        [home, *_] = (await graph.audit_logs.sign_ins.get(sign_ins(f"userId eq '{member.id}'"))).value
        assert (home.home_tenant_id, home.resource_tenant_id) == (fabrikam.id, contoso.id)
        foreign = await graph.audit_logs.sign_ins.get(sign_ins(f"userId eq '{guest}'"))
        assert foreign.value == []
