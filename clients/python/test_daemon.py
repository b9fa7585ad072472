"""MSAL for Python as a daemon: client credentials, and how refusals look."""

import re
import uuid

import pytest

from world import GRAPH_SCOPE, Tenant, World

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_a_daemon_gets_an_app_only_token_of_graph(contoso: Tenant):
    daemon = contoso.application("daemon")
    answer = contoso.confidential(daemon).acquire_token_for_client([GRAPH_SCOPE])
    assert "error" not in answer, answer
    assert answer["token_type"] == "Bearer"
    assert answer["token_source"] == "identity_provider"
    assert "refresh_token" not in answer

    claims = contoso.verify(answer["access_token"], "https://graph.microsoft.com")
    assert claims["iss"] == f"{contoso.authority}/"
    assert claims["ver"] == "1.0"
    assert claims["appid"] == daemon.app_id
    assert claims["appidacr"] == "1"
    assert claims["tid"] == contoso.id
    assert claims["oid"] == claims["sub"], "an app-only token is about the service principal"
    assert claims.get("idtyp", "app") == "app"
    assert set(daemon.permissions) <= set(claims["roles"])
    assert "scp" not in claims
    assert claims["nbf"] == claims["iat"]
    assert claims["exp"] - claims["iat"] == pytest.approx(answer["expires_in"], abs=5)


def test_the_second_token_comes_from_the_cache(contoso: Tenant):
    app = contoso.confidential(contoso.application("daemon"))
    first = app.acquire_token_for_client([GRAPH_SCOPE])
    second = app.acquire_token_for_client([GRAPH_SCOPE])
    assert second["token_source"] == "cache"
    assert second["access_token"] == first["access_token"]


def test_the_domain_name_is_as_good_as_the_tenant_id(contoso: Tenant, world: World):
    app = contoso.confidential(
        contoso.application("daemon"), authority=f"{world.base}/{contoso.domain}"
    )
    answer = app.acquire_token_for_client([GRAPH_SCOPE])
    assert contoso.verify(answer["access_token"], "https://graph.microsoft.com")["tid"] == contoso.id


def test_a_wrong_secret_is_an_invalid_client(contoso: Tenant):
    app = contoso.confidential(contoso.application("daemon"), client_credential="not-the-secret")
    answer = app.acquire_token_for_client([GRAPH_SCOPE])
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]


def test_an_unknown_application_is_an_unauthorized_client(contoso: Tenant):
    app = contoso.confidential(contoso.application("daemon"), client_id=str(uuid.uuid4()))
    answer = app.acquire_token_for_client([GRAPH_SCOPE])
    assert answer["error"] == "unauthorized_client"
    assert answer["error_codes"] == [700016]


def test_an_application_of_another_tenant_is_unknown_too(contoso: Tenant, fabrikam: Tenant):
    answer = contoso.confidential(fabrikam.application("daemon")).acquire_token_for_client([GRAPH_SCOPE])
    assert answer["error_codes"] == [700016]


def test_an_unknown_tenant_stops_msal_at_discovery(contoso: Tenant, world: World):
    with pytest.raises(ValueError, match="double check your tenant name"):
        contoso.confidential(
            contoso.application("daemon"), authority=f"{world.base}/{uuid.uuid4()}"
        ).acquire_token_for_client([GRAPH_SCOPE])


def test_a_resource_nobody_registered_is_an_invalid_resource(contoso: Tenant):
    app = contoso.confidential(contoso.application("daemon"))
    answer = app.acquire_token_for_client([f"api://{uuid.uuid4()}/.default"])
    assert answer["error"] == "invalid_resource"
    assert answer["error_codes"] == [500011]


def token_request(world: World, tenant: str, **form: str):
    return world.http.post(
        f"{world.base}/{tenant}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "scope": GRAPH_SCOPE, **form},
        headers={"client-request-id": CORRELATION},
    )


CORRELATION = "6a7b8c9d-0000-4000-8000-1234567890ab"


def test_the_error_body_has_the_documented_shape(contoso: Tenant, world: World):
    response = token_request(
        world, contoso.id,
        client_id=contoso.application("daemon").app_id, client_secret="not-the-secret",
    )
    assert response.status_code == 401
    assert response.headers["content-type"].startswith("application/json")
    assert "no-store" in response.headers["cache-control"]
    assert "www-authenticate" not in response.headers, "openid-client would hide the error codes"

    body = response.json()
    assert body["error"] == "invalid_client"
    assert body["error_codes"] == [7000215]
    assert body["error_description"].startswith("AADSTS7000215: ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", body["timestamp"])
    assert GUID.fullmatch(body["trace_id"])
    assert body["correlation_id"] == CORRELATION
    for part in (body["trace_id"], body["correlation_id"], body["timestamp"]):
        assert part in body["error_description"]


@pytest.mark.parametrize(("form", "status", "error", "code"), [
    ({"client_id": str(uuid.uuid4()), "client_secret": "s"}, 400, "unauthorized_client", 700016),
    ({"client_secret": "s"}, 400, "invalid_request", 900144),
    ({}, 401, "invalid_client", 7000218),
])
def test_refusals_have_their_status_and_number(contoso: Tenant, world: World, form, status, error, code):
    if not form:
        form = {"client_id": contoso.application("daemon").app_id}
    response = token_request(world, contoso.id, **form)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json()["error_codes"] == [code]


def test_an_unknown_tenant_has_its_number_at_both_doors(world: World):
    nowhere = str(uuid.uuid4())
    metadata = world.http.get(f"{world.base}/{nowhere}/v2.0/.well-known/openid-configuration")
    assert (metadata.status_code, metadata.json()["error"]) == (400, "invalid_tenant")
    assert metadata.json()["error_codes"] == [90002]
    token = token_request(world, nowhere, client_id=str(uuid.uuid4()), client_secret="s")
    assert (token.status_code, token.json()["error"]) == (400, "invalid_request")
    assert token.json()["error_codes"] == [90002]
