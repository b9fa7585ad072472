"""A daemon with a certificate instead of a secret: MSAL for Python and azure-identity, in their own spellings."""

import datetime
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from azure.identity import CertificateCredential
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.key_credential import KeyCredential

from world import GRAPH_SCOPE, Tenant, World

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Identity:
    """A key and its self-signed certificate."""

    key: str
    certificate: str
    der: bytes
    thumbprint: str

    @classmethod
    def make(cls) -> "Identity":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A daemon's certificate")])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .sign(key, hashes.SHA256())
        )
        return cls(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
            certificate.public_bytes(serialization.Encoding.PEM).decode(),
            certificate.public_bytes(serialization.Encoding.DER),
            certificate.fingerprint(hashes.SHA1()).hex(),
        )


@asynccontextmanager
async def registered(tenant: Tenant, identity: Identity):
    """An application that knows the certificate; gives its public id."""
    certificate = KeyCredential(type="AsymmetricX509Cert", usage="Verify", key=identity.der)
    wanted = GraphApplication(display_name="Daemon with a certificate", key_credentials=[certificate])
    async with tenant.registered(wanted) as made:
        yield made.app_id


@pytest.mark.parametrize("has_public_certificate", [False, True])
async def test_msal_signs_in_with_a_certificate(contoso: Tenant, has_public_certificate: bool):
    identity = Identity.make()
    credential = {"private_key": identity.key, "thumbprint": identity.thumbprint}
    if has_public_certificate:
        # Then MSAL names it by SHA-256 and signs with PS256.
        credential = {"private_key": identity.key, "public_certificate": identity.certificate}
    async with registered(contoso, identity) as app_id:
        daemon = contoso.application("daemon")
        app = contoso.confidential(daemon, client_id=app_id, client_credential=credential)
        answer = app.acquire_token_for_client([GRAPH_SCOPE])
        assert "error" not in answer, answer
        claims = contoso.verify(answer["access_token"], "https://graph.microsoft.com")
        assert (claims["appid"], claims["appidacr"]) == (app_id, "2")


async def test_a_certificate_that_is_not_registered_is_an_invalid_client(contoso: Tenant):
    async with registered(contoso, Identity.make()) as app_id:
        other = Identity.make()
        app = contoso.confidential(
            contoso.application("daemon"),
            client_id=app_id,
            client_credential={"private_key": other.key, "thumbprint": other.thumbprint},
        )
        answer = app.acquire_token_for_client([GRAPH_SCOPE])
        assert answer["error"] == "invalid_client"
        assert answer["error_codes"] == [700027]


async def test_azure_identity_signs_in_with_a_certificate(contoso: Tenant, world: World):
    identity = Identity.make()
    pem = (identity.key + identity.certificate).encode()
    async with registered(contoso, identity) as app_id:
        options = {"authority": world.base, "disable_instance_discovery": True}
        with CertificateCredential(
            contoso.id, app_id, certificate_data=pem, connection_verify=world.ca, **options
        ) as credential:
            token = credential.get_token(GRAPH_SCOPE).token
        assert contoso.verify(token, "https://graph.microsoft.com")["appid"] == app_id
        # The async credential writes its assertion itself, with padded segments.
        async with AsyncCertificateCredential(
            contoso.id, app_id, certificate_data=pem, connection_verify=world.ca, **options
        ) as credential:
            token = (await credential.get_token(GRAPH_SCOPE)).token
        assert contoso.verify(token, "https://graph.microsoft.com")["appid"] == app_id
