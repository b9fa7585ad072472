"""Discovery as MSAL for Python does it, with and without asking for the instance."""

import pytest

from world import GRAPH_SCOPE, Tenant, World


def test_msal_accepts_the_server_when_it_is_asked_for_its_instance(contoso: Tenant, world: World):
    app = contoso.confidential(
        contoso.application("daemon"),
        instance_discovery=f"{world.base}/common/discovery/instance",
    )
    answer = app.acquire_token_for_client([GRAPH_SCOPE])
    assert contoso.verify(answer["access_token"], "https://graph.microsoft.com")["tid"] == contoso.id


def test_a_foreign_instance_is_unknown(contoso: Tenant, world: World):
    response = world.http.get(f"{world.base}/common/discovery/instance", params={
        "api-version": "1.1",
        "authorization_endpoint": "https://login.example.org/common/oauth2/v2.0/authorize",
    })
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_instance"
    assert response.json()["error_codes"] == [50049]


def test_msal_works_with_the_issuer_as_a_plain_oidc_authority(contoso: Tenant):
    app = contoso.confidential(
        contoso.application("daemon"),
        authority=None, instance_discovery=None, oidc_authority=f"{contoso.authority}/v2.0",
    )
    answer = app.acquire_token_for_client([GRAPH_SCOPE])
    assert "access_token" in answer, answer


@pytest.mark.parametrize("name", ["id", "domain"])
def test_metadata_of_every_name_of_a_tenant_speaks_of_its_id(contoso: Tenant, world: World, name: str):
    alias = getattr(contoso, name)
    metadata = world.http.get(f"{world.base}/{alias}/v2.0/.well-known/openid-configuration").json()
    assert metadata["issuer"] == f"{contoso.authority}/v2.0"
    assert metadata["token_endpoint"] == f"{contoso.authority}/oauth2/v2.0/token"
    assert metadata["device_authorization_endpoint"] == f"{contoso.authority}/oauth2/v2.0/devicecode"


@pytest.mark.parametrize("alias", ["common", "organizations"])
def test_metadata_of_the_shared_names_has_a_template_issuer(world: World, alias: str):
    metadata = world.http.get(f"{world.base}/{alias}/v2.0/.well-known/openid-configuration").json()
    assert metadata["issuer"] == f"{world.base}/{{tenantid}}/v2.0"
    assert metadata["authorization_endpoint"] == f"{world.base}/{alias}/oauth2/v2.0/authorize"


def test_metadata_has_every_documented_field(contoso: Tenant, world: World):
    metadata = world.http.get(f"{contoso.authority}/v2.0/.well-known/openid-configuration").json()
    assert {
        "authorization_endpoint", "claims_supported", "cloud_graph_host_name", "cloud_instance_name",
        "device_authorization_endpoint", "end_session_endpoint", "frontchannel_logout_supported",
        "http_logout_supported", "id_token_signing_alg_values_supported", "issuer", "jwks_uri",
        "kerberos_endpoint", "msgraph_host", "rbac_url", "request_uri_parameter_supported",
        "response_modes_supported", "response_types_supported", "scopes_supported",
        "subject_types_supported", "tenant_region_scope", "token_endpoint",
        "token_endpoint_auth_methods_supported", "userinfo_endpoint",
    } <= metadata.keys()
    assert metadata["subject_types_supported"] == ["pairwise"]
    assert set(metadata["response_modes_supported"]) == {"query", "fragment", "form_post"}
