"""A device without a browser, and a program that asks for the password itself: MSAL for Python and azure-identity."""

import threading

import msal
import pytest
import requests
from azure.identity import DeviceCodeCredential

from world import Tenant, World

SCOPES = ["User.Read"]


@pytest.mark.anyio
async def test_msal_waits_until_somebody_has_signed_in(contoso: Tenant, world: World):
    member = await contoso.new_member("device")
    native = contoso.application("native")
    app = contoso.public(native)
    flow = app.initiate_device_flow(SCOPES)
    assert (flow["expires_in"], flow["interval"]) == (900, 5)
    assert flow["user_code"] in flow["message"] and flow["verification_uri"] in flow["message"]

    once = app.acquire_token_by_device_flow(flow, exit_condition=lambda flow: True)
    assert once["error"] == "authorization_pending", once

    world.drive(flow["verification_uri"], member, flow["user_code"])
    answer = app.acquire_token_by_device_flow(flow)
    assert "error" not in answer, answer
    assert contoso.verify(answer["id_token"], native.app_id, "v2")["oid"] == member.id
    [account] = app.get_accounts()
    assert account["home_account_id"] == f"{member.id}.{contoso.id}"
    renewed = app.acquire_token_silent(SCOPES, account, force_refresh=True)
    assert renewed["token_source"] == "identity_provider"


@pytest.mark.anyio
async def test_azure_identity_asks_with_a_code(contoso: Tenant, world: World):
    member = await contoso.new_member("devicecred")
    drives: list[threading.Thread] = []

    def prompt(uri: str, code: str, expires):
        drives.append(threading.Thread(target=world.drive, args=(uri, member, code)))
        drives[-1].start()

    with DeviceCodeCredential(
        contoso.application("native").app_id, tenant_id=contoso.id, prompt_callback=prompt,
        authority=world.base, disable_instance_discovery=True, connection_verify=world.ca,
    ) as credential:
        token = credential.get_token("https://graph.microsoft.com/User.Read").token
    for drive in drives:
        drive.join()
    me = world.http.get(f"{world.base}/v1.0/me", headers={"authorization": f"Bearer {token}"})
    assert me.json()["id"] == member.id


class WithoutRealm:
    """MSAL asks port 443 of the host for the name's realm, whatever the port is; a 404 there means "go on"."""

    def __init__(self, ca: str):
        self.session = requests.Session()
        self.session.verify = ca

    def post(self, url, **kwargs):
        return self.session.post(url, **kwargs)

    def get(self, url, **kwargs):
        if "/common/userrealm/" in url:
            answer = requests.Response()
            answer.status_code = 404
            return answer
        return self.session.get(url, **kwargs)

    def close(self):
        self.session.close()


@pytest.mark.anyio
async def test_msal_signs_in_with_name_and_password(contoso: Tenant, world: World):
    member = await contoso.new_member("ropc")
    native = contoso.application("native")

    # MSAL remembers a refusal for a minute, so each question is another application's.
    def fresh() -> msal.PublicClientApplication:
        return msal.PublicClientApplication(
            native.app_id, authority=contoso.authority, instance_discovery=False, http_client=WithoutRealm(world.ca)
        )

    app = fresh()
    refused = app.acquire_token_by_username_password(member.name, member.password, SCOPES)
    assert (refused["error"], refused["suberror"]) == ("invalid_grant", "consent_required")
    flow = app.initiate_device_flow(SCOPES)
    world.drive(flow["verification_uri"], member, flow["user_code"])
    answer = fresh().acquire_token_by_username_password(member.name, member.password, SCOPES)
    assert "error" not in answer, answer
    assert contoso.verify(answer["id_token"], native.app_id, "v2")["oid"] == member.id
    wrong = fresh().acquire_token_by_username_password(member.name, "wrong", SCOPES)
    assert wrong["error_codes"] == [50126]
