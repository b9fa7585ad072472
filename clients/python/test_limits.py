"""msgraph-sdk where there is little room and little time: quotas as typed errors, and throttling that it sits out by itself."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgraph.generated.models.group import Group
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from world import GRAPH_APP_ID, Acquired, Tenant, World

pytestmark = pytest.mark.anyio

PERMISSIONS = [
    "Application.Read.All", "DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All", "Organization.Read.All",
]
# At one percent of what Graph documents, an application has 35 units for ten seconds (facts: limits §7).
DESCRIPTION = {"tenants": [{
    "domain": "narrow.test",
    "displayName": "Narrow",
    "limits": {"objects": 14, "objectsOfNonAdmin": 1},
    "users": [{"userPrincipalName": "nora@narrow.test", "displayName": "Nora"}],
    "applications": [
        {"displayName": "Daemon", "kind": "daemon", "permissions": PERMISSIONS},
        {"displayName": "Desktop", "kind": "native", "permissions": ["User.Read"], "redirectUris": ["http://localhost"]},
    ],
}]}


@pytest.fixture(scope="module")
def narrow(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """A tenant of a server of its own, which throttles soon."""
    folder: Path = tmp_path_factory.mktemp("narrow")
    (folder / "seed.yaml").write_text(json.dumps(DESCRIPTION))
    if "HOSPES" not in os.environ:
        raise RuntimeError("HOSPES must name the program: start the suites with clients/run")
    options = ["--ephemeral", "--json", "--listen", "127.0.0.1:0", "--throttle", "1", "--seed", "seed.yaml"]
    with (folder / "log").open("w") as log, subprocess.Popen(
        [os.environ["HOSPES"], "dev", *options], cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
    ) as server:
        try:
            document = ""
            for line in server.stdout:
                document += line
                if line == "}\n":
                    break
            [tenant] = World(json.loads(document), world.driver).tenants.values()
            with pytest.MonkeyPatch.context() as environment:
                # It overrules what MSAL is told, and this server has a CA of its own.
                environment.setenv("REQUESTS_CA_BUNDLE", tenant.world.ca)
                yield tenant
        finally:
            server.terminate()


def group() -> Group:
    name = f"g{secrets.token_hex(4)}"
    return Group(display_name=name, mail_nickname=name, mail_enabled=False, security_enabled=True)


def assert_full(error: ODataError, whose: str) -> None:
    assert (error.response_status_code, error.error.code) == (403, "Directory_QuotaExceeded")
    sentence = f"The directory object quota limit for the {whose} has been exceeded."
    assert error.error.message.startswith(sentence), error.error.message


async def test_a_full_directory_says_so_and_has_room_again_when_something_goes(narrow: Tenant):
    async with narrow.graph() as graph:
        made = []
        with pytest.raises(ODataError) as full:
            for _ in range(DESCRIPTION["tenants"][0]["limits"]["objects"] + 1):
                made.append((await graph.groups.post(group())).id)
        assert len(made) >= 3, "there was some room"
        assert_full(full.value, "Tenant")
        # For thirty days what cannot be restored weighs a quarter, so three make room for two.
        for one in made[:3]:
            await graph.groups.by_group_id(one).delete()
            await graph.directory.deleted_items.by_directory_object_id(one).delete()
        await graph.groups.post(group())


async def test_somebody_without_a_role_makes_only_so_much(narrow: Tenant):
    nora, desktop = narrow.person("nora"), narrow.application("native")
    async with narrow.graph() as graph:
        client = await graph.service_principals_with_app_id(desktop.app_id).get()
        resource = await graph.service_principals_with_app_id(GRAPH_APP_ID).get()
        await graph.oauth2_permission_grants.post(OAuth2PermissionGrant(
            client_id=client.id, consent_type="AllPrincipals", resource_id=resource.id, scope="Group.ReadWrite.All",
        ))
    answer = narrow.world.sign_in(narrow.public(desktop), ["Group.ReadWrite.All"], nora)
    async with narrow.world.graph(Acquired(answer)) as graph:
        await graph.groups.post(group())
        with pytest.raises(ODataError) as full:
            await graph.groups.post(group())
        assert_full(full.value, "Principal")


async def test_throttled_requests_come_through_a_little_later(narrow: Tenant):
    answers = []

    async def hear(response):
        answers.append((response.status_code, response.request.headers.get("retry-attempt")))

    async with narrow.graph(event_hooks={"response": [hear]}) as graph:
        # Each costs two units, and there are never more than 35.
        while len(answers) < 30 and not any(attempt for _, attempt in answers):
            await graph.users.get()
    assert {status for status, _ in answers} == {200}
    assert answers[-1] == (200, "1"), "the SDK waited as long as Retry-After said, and asked again"
