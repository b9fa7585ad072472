"""What tokens say because an application asked for it, as MSAL for Python gets them: groups, roles, optional claims."""

import secrets
from uuid import UUID, uuid4

import jwt
import pytest
from msgraph.generated.models.api_application import ApiApplication
from msgraph.generated.models.app_role import AppRole
from msgraph.generated.models.app_role_assignment import AppRoleAssignment
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.group import Group
from msgraph.generated.models.optional_claim import OptionalClaim
from msgraph.generated.models.optional_claims import OptionalClaims
from msgraph.generated.models.permission_scope import PermissionScope
from msgraph.generated.models.public_client_application import PublicClientApplication
from msgraph.generated.models.user import User
from msgraph.generated.users.item.get_member_objects.get_member_objects_post_request_body import (
    GetMemberObjectsPostRequestBody,
)
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

from world import Acquired, Application, Tenant, World

pytestmark = pytest.mark.anyio

# What a JSON Web Token carries (facts: limits §2).
MOST_GROUPS = 200


def group(name: str, *members: str) -> Group:
    return Group(
        display_name=name, mail_nickname=name, mail_enabled=False, security_enabled=True,
        additional_data={"members@odata.bind": [f"/v1.0/directoryObjects/{member}" for member in members]},
    )


def wishes(*names: str) -> list[OptionalClaim]:
    return [OptionalClaim(name=name) for name in names]


def api(tenant: Tenant) -> GraphApplication:
    """An API that wants to know more about its callers than their names."""
    name = f"claims-{secrets.token_hex(4)}"
    return GraphApplication(
        display_name=name,
        identifier_uris=[f"https://{tenant.domain}/{name}"],
        api=ApiApplication(requested_access_token_version=2, oauth2_permission_scopes=[PermissionScope(
            id=uuid4(), value="use", type="User", is_enabled=True,
            admin_consent_display_name="Use it", admin_consent_description="Use it for the person.",
            user_consent_display_name="Use it", user_consent_description="Use it for you.",
        )]),
        app_roles=[AppRole(
            id=uuid4(), value="Reader", display_name="Readers", description="May read.",
            allowed_member_types=["User"], is_enabled=True,
        )],
        group_membership_claims="SecurityGroup",
        optional_claims=OptionalClaims(access_token=[
            *wishes("acct", "family_name", "given_name", "xms_cc"),
            OptionalClaim(name="idtyp", additional_properties=["include_user_token"]),
        ]),
    )


def client(**more) -> GraphApplication:
    return GraphApplication(
        display_name="A client", is_fallback_public_client=True,
        public_client=PublicClientApplication(redirect_uris=["http://localhost"]), **more,
    )


async def test_an_api_is_told_the_groups_roles_and_kind_of_who_calls(
    contoso: Tenant, fabrikam: Tenant, world: World
):
    member = await contoso.new_member("claims")
    partner = await fabrikam.new_member("claims")
    guest = (await contoso.invite(partner.name)).invited_user.id
    wanted = client(
        group_membership_claims="All", optional_claims=OptionalClaims(id_token=wishes("acct", "email", "login_hint")),
    )
    async with contoso.registered(api(contoso)) as resource, contoso.registered(wanted) as native, contoso.graph() as graph:
        mark = secrets.token_hex(4)
        await graph.users.by_user_id(member.id).patch(
            User(given_name="Clara", surname="Cole", mail=member.name, department=mark)
        )
        by_rule = await graph.groups.post(Group(
            display_name=mark, mail_nickname=mark, mail_enabled=False, security_enabled=True,
            group_types=["DynamicMembership"], membership_rule_processing_state="On",
            membership_rule=f'user.department -eq "{mark}"',
        ))
        inner = await graph.groups.post(group(f"inner{secrets.token_hex(4)}", member.id))
        outer = await graph.groups.post(group(f"outer{secrets.token_hex(4)}", inner.id))
        groups = [by_rule, inner, outer]
        instance = await graph.service_principals_with_app_id(resource.app_id).get()
        await graph.service_principals.by_service_principal_id(instance.id).app_role_assigned_to.post(AppRoleAssignment(
            principal_id=UUID(inner.id), resource_id=UUID(instance.id), app_role_id=resource.app_roles[0].id,
        ))
        scope = f"{resource.identifier_uris[0]}/use"

        def tokens(person) -> tuple[dict, dict]:
            # An application that says it can take claims challenges; MSAL writes that into `claims`.
            app = contoso.public(Application(native.app_id, None, ()), client_capabilities=["CP1"])
            answer = world.sign_in(app, [scope], person)
            id_token = contoso.verify(answer["id_token"], native.app_id, "v2")
            return id_token, contoso.verify(answer["access_token"], resource.app_id, "v2")

        id_token, access = tokens(member)
        for token in (id_token, access):
            assert (token["oid"], sorted(token["groups"])) == (member.id, sorted(made.id for made in groups))
            assert token["acct"] == 0
        assert (id_token["email"], isinstance(id_token["login_hint"], str)) == (member.name, True)
        assert (access["scp"], access["roles"], access["xms_cc"]) == ("use", ["Reader"], ["cp1"])
        assert (access["given_name"], access["family_name"], access["idtyp"]) == ("Clara", "Cole", "user")
        assert access["azp"] == native.app_id
        assert "roles" not in id_token, "those of the API are not the client's"

        id_token, access = tokens(partner)
        for token in (id_token, access):
            assert (token["oid"], token["acct"], token["idp"]) == (guest, 1, f"{fabrikam.authority}/")
            assert "groups" not in token
        assert "roles" not in access
        for made in groups:
            await graph.groups.by_group_id(made.id).delete()


async def test_more_groups_than_a_token_carries_are_asked_for_where_it_says(contoso: Tenant, world: World):
    member = await contoso.new_member("overage")
    async with contoso.registered(client(group_membership_claims="SecurityGroup")) as native, contoso.graph() as graph:
        wanted = [group(f"many{secrets.token_hex(4)}", member.id) for _ in range(MOST_GROUPS + 1)]
        for start in range(0, len(wanted), 20):
            content = BatchRequestContent()
            for number, one in enumerate(wanted[start:start + 20]):
                request = graph.groups.to_post_request_information(one)
                content.add_request(str(number), BatchRequestItem(request, id=str(number)))
            answers = await graph.batch.post(batch_request_content=content)
            assert {answer.status for answer in answers.responses.values()} == {201}

        app = contoso.public(Application(native.app_id, None, ()))
        answer = world.sign_in(app, ["User.Read"], member)
        claims = contoso.verify(answer["id_token"], native.app_id, "v2")
        assert "groups" not in claims
        endpoint = claims["_claim_sources"][claims["_claim_names"]["groups"]]["endpoint"]
        async with world.graph(Acquired(answer)) as own:
            questions = own.users.by_user_id(member.id).get_member_objects.with_url(endpoint)
            found = await questions.post(GetMemberObjectsPostRequestBody(security_enabled_only=True))
        assert len(found.value) == MOST_GROUPS + 1


async def test_an_api_that_wants_them_gets_tokens_by_elliptic_curve(contoso: Tenant, world: World):
    """PyJWT, as an API would check them: the key by its id, from the address that the metadata names."""
    fast = contoso.application("api", tokenSigningAlgorithm="ES256").app_id
    daemon = contoso.confidential(contoso.application("daemon"))
    token = daemon.acquire_token_for_client([f"api://{fast}/.default"])["access_token"]
    metadata = world.http.get(f"{contoso.authority}/v2.0/.well-known/openid-configuration").json()
    keys = jwt.PyJWKClient(metadata["jwks_uri"], ssl_context=world.trust())
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=fast, issuer=metadata["issuer"])
    assert claims["azp"] == contoso.application("daemon").app_id
    with pytest.raises(jwt.InvalidAlgorithmError):
        jwt.decode(token, key, algorithms=["RS256"], audience=fast, issuer=metadata["issuer"])
