"""Azure CLI, with the commands that `hospes env azure-cli` prints, as an administrator's scripts use it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from world import Tenant, World

AZ = Path(__file__).parent.parent / "azure-cli" / ".venv" / "bin" / "az"
GRAPH = "00000003-0000-0000-c000-000000000000"
USER_READ = "e1fe6dd8-ba31-4d61-89e7-88639da4683d"

Az = Callable[..., object]


class Failed(Exception):
    """What `az` printed when it ended with an error."""


@pytest.fixture(scope="module")
def az(world: World, contoso: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """`az`, signed in as Contoso's daemon."""
    home = tmp_path_factory.mktemp("azure-cli")
    environment = {
        **os.environ,
        "HOME": str(home),
        "AZURE_CONFIG_DIR": str(home / "config"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "REQUESTS_CA_BUNDLE": world.ca,
    }

    def run(*arguments: str) -> object:
        command = [AZ, *arguments, "--output", "json", "--only-show-errors"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise Failed(done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    run("cloud", "register", "--name", "hospes", "--endpoint-resource-manager", world.base)
    run("cloud", "set", "--name", "hospes")
    daemon = contoso.application("daemon")
    run(
        "login", "--service-principal", "--username", daemon.app_id, "--password", daemon.secret,
        "--tenant", contoso.id, "--allow-no-subscriptions",
    )
    return run


def test_users(az: Az):
    name = "az-user@contoso.test"
    made = az(
        "ad", "user", "create", "--display-name", "Az User", "--user-principal-name", name,
        "--password", "Sunny-Harbour-71",
    )
    az("ad", "user", "update", "--id", made["id"], "--display-name", "Az Renamed")
    assert az("ad", "user", "show", "--id", name)["displayName"] == "Az Renamed"
    found = az("ad", "user", "list", "--filter", "startswith(displayName,'Az Ren')")
    assert [user["id"] for user in found] == [made["id"]]
    az("ad", "user", "delete", "--id", name)
    with pytest.raises(Failed, match="does not exist"):
        az("ad", "user", "show", "--id", name)


def test_groups(az: Az, contoso: Tenant):
    member = contoso.person("carol").id
    group = az("ad", "group", "create", "--display-name", "Az Group", "--mail-nickname", "az-group")["id"]
    az("ad", "group", "member", "add", "--group", group, "--member-id", member)
    assert [one["id"] for one in az("ad", "group", "member", "list", "--group", "Az Group")] == [member]
    assert az("ad", "group", "member", "check", "--group", group, "--member-id", member) == {"value": True}
    az("ad", "group", "owner", "add", "--group", group, "--owner-object-id", member)
    assert [one["id"] for one in az("ad", "group", "owner", "list", "--group", group)] == [member]
    az("ad", "group", "member", "remove", "--group", group, "--member-id", member)
    assert az("ad", "group", "member", "list", "--group", group) == []
    az("ad", "group", "delete", "--group", group)


def test_applications_and_their_service_principals(az: Az, contoso: Tenant):
    owner = contoso.person("carol").id
    app = az(
        "ad", "app", "create", "--display-name", "Az App", "--identifier-uris", "https://contoso.test/az-app",
        "--web-redirect-uris", "https://az.contoso.test/answer", "--enable-id-token-issuance", "true",
    )["appId"]
    az("ad", "app", "update", "--id", app, "--set", "displayName=Az App Renamed")
    assert az("ad", "app", "show", "--id", "https://contoso.test/az-app")["displayName"] == "Az App Renamed"
    az("ad", "app", "owner", "add", "--id", app, "--owner-object-id", owner)
    assert owner in [one["id"] for one in az("ad", "app", "owner", "list", "--id", app)]
    az("ad", "app", "permission", "add", "--id", app, "--api", GRAPH, "--api-permissions", f"{USER_READ}=Scope")
    assert az("ad", "app", "permission", "list", "--id", app)[0]["resourceAppId"] == GRAPH

    az("ad", "sp", "create", "--id", app)
    az("ad", "sp", "update", "--id", app, "--set", "appRoleAssignmentRequired=true")
    assert az("ad", "sp", "show", "--id", app)["appRoleAssignmentRequired"] is True
    az("ad", "app", "permission", "grant", "--id", app, "--api", GRAPH, "--scope", "User.Read")
    granted = az("ad", "app", "permission", "list-grants", "--id", app)
    assert [grant["scope"] for grant in granted] == ["User.Read"]

    secret = az("ad", "app", "credential", "reset", "--id", app, "--append")
    assert secret["tenant"] == contoso.id and secret["password"]
    az("ad", "app", "credential", "reset", "--id", app, "--create-cert")
    assert len(az("ad", "app", "credential", "list", "--id", app, "--cert")) == 1

    credential = json.dumps({
        "name": "pipeline", "issuer": "https://token.contoso.test", "subject": "main",
        "audiences": ["api://AzureADTokenExchange"],
    })
    az("ad", "app", "federated-credential", "create", "--id", app, "--parameters", credential)
    shown = az("ad", "app", "federated-credential", "show", "--id", app, "--federated-credential-id", "pipeline")
    assert shown["subject"] == "main"

    az("ad", "sp", "delete", "--id", app)
    az("ad", "app", "delete", "--id", app)


def test_a_deleted_service_principal_is_restored(az: Az):
    app = az("ad", "app", "create", "--display-name", "Az Undo")
    made = az("ad", "sp", "create", "--id", app["appId"])["id"]
    az("ad", "app", "permission", "grant", "--id", app["appId"], "--api", GRAPH, "--scope", "User.Read")
    az("ad", "sp", "delete", "--id", made)
    with pytest.raises(Failed, match="does not exist"):
        az("ad", "sp", "show", "--id", made)
    bin_ = "/v1.0/directory/deletedItems"
    listed = az("rest", "--url", f"{bin_}/microsoft.graph.servicePrincipal?$select=id")["value"]
    assert made in [one["id"] for one in listed]
    restored = az("rest", "--method", "post", "--url", f"{bin_}/{made}/restore")
    assert (restored["id"], restored["appId"]) == (made, app["appId"])
    granted = az("ad", "app", "permission", "list-grants", "--id", app["appId"])
    assert [grant["scope"] for grant in granted] == ["User.Read"]

    # Its application takes it along, and back.
    az("ad", "app", "delete", "--id", app["appId"])
    with pytest.raises(Failed, match="does not exist"):
        az("ad", "sp", "show", "--id", made)
    az("rest", "--method", "post", "--url", f"{bin_}/{app['id']}/restore")
    assert az("ad", "sp", "show", "--id", app["appId"])["id"] == made
    az("ad", "app", "delete", "--id", app["appId"])
    az("rest", "--method", "delete", "--url", f"{bin_}/{app['id']}")
    with pytest.raises(Failed, match="does not exist"):
        az("rest", "--url", f"{bin_}/{made}")


def test_a_robot_made_by_the_cli_signs_in_with_it(az: Az, contoso: Tenant):
    robot = az("ad", "sp", "create-for-rbac", "--display-name", "Az Robot")
    again = az("ad", "sp", "credential", "reset", "--id", robot["appId"])
    az(
        "login", "--service-principal", "--username", robot["appId"], "--password", again["password"],
        "--tenant", contoso.id, "--allow-no-subscriptions",
    )
    # It was given nothing, so it may sign in and no more.
    with pytest.raises(Failed, match="Insufficient privileges"):
        az("ad", "user", "list")
    az("logout", "--username", robot["appId"])


def test_rest(az: Az, world: World, contoso: Tenant):
    daemon = contoso.application("daemon")
    az(
        "login", "--service-principal", "--username", daemon.app_id, "--password", daemon.secret,
        "--tenant", contoso.id, "--allow-no-subscriptions",
    )
    body = json.dumps({"invitedUserEmailAddress": "az@guest.example", "inviteRedirectUrl": f"{world.base}/myapps"})
    made = az("rest", "--method", "post", "--url", f"{world.base}/v1.0/invitations", "--body", body)
    assert made["status"] == "PendingAcceptance"
    counted = az(
        "rest", "--url", "/v1.0/users?$count=true&$filter=endsWith(mail,'@guest.example')",
        "--headers", "ConsistencyLevel=eventual",
    )
    assert counted["@odata.count"] == 1
