"""The running world: who is in it, and how its own clients reach it.

Everything comes from the world document (WORLD names the file) and the public surface.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import msal
import msgraph.graph_request_adapter
from azure.core.credentials import AccessToken, TokenCredential
from azure.identity import ClientSecretCredential
from joserfc import jwt
from joserfc.jwk import KeySet
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.application import Application as GraphApplication
from msgraph.generated.models.invitation import Invitation
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.user import User
from msgraph_core import GraphClientFactory

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
REDIRECT = "http://localhost:53682"
DRIVE = Path(__file__).parent.parent / "node" / "drive.mjs"


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    password: str


@dataclass(frozen=True)
class Application:
    app_id: str
    secret: str | None
    permissions: tuple[str, ...]


class Refused(Exception):
    """The sign-in pages said no; the text is what the person read."""


class Driver:
    """A browser that stays open between sign-ins, each of a person it has not seen before."""

    def __init__(self):
        self.process = subprocess.Popen(["node", DRIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.turn = threading.Lock()

    def drive(self, **wish) -> str:
        with self.turn:
            print(json.dumps(wish), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"failed": "the browser is gone"}
        if "refused" in answer:
            raise Refused(answer["refused"])
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer["end"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=20)


class World:
    """One running server, as its world document describes it."""

    def __init__(self, document: dict, driver: Driver | None = None):
        self.base: str = document["base"].rstrip("/")
        self.ca: str = document["ca"]
        self.tenants = {tenant["domain"]: Tenant(self, tenant) for tenant in document["tenants"]}
        self.http = httpx.Client(verify=self.trust(), timeout=20)
        self.driver = driver or Driver()

    @classmethod
    def from_environment(cls) -> World:
        if "WORLD" not in os.environ:
            raise RuntimeError("WORLD must name a world document: start the suites with clients/run")
        return cls(json.loads(Path(os.environ["WORLD"]).read_text()))

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def drive(self, url: str, person: Person, user_code: str | None = None) -> str:
        """Signs the person in at the address, and returns where the browser was sent."""
        return self.driver.drive(url=url, name=person.name, password=person.password, userCode=user_code)

    def sign_in(self, app: msal.ClientApplication, scopes: list[str], person: Person) -> dict:
        """A whole sign-in at an application of MSAL, and what it got."""
        flow = app.initiate_auth_code_flow(scopes, redirect_uri=REDIRECT)
        landed = self.drive(flow["auth_uri"], person)
        assert landed.startswith(REDIRECT), landed
        answer = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(landed).query)))
        assert "error" not in answer, answer
        return answer

    @asynccontextmanager
    async def graph(self, credential: TokenCredential, **options) -> AsyncIterator[GraphServiceClient]:
        """msgraph-sdk for whoever the credential speaks for; with options of httpx."""
        # The SDK knows Microsoft's hosts only: base address and CA go in through its own HTTP client.
        address = f"{self.base}/v1.0"
        async with httpx.AsyncClient(
            verify=self.trust(), base_url=address, timeout=20,
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=8), **options,
        ) as plain:
            client = GraphClientFactory.create_with_default_middleware(
                client=plain, options=msgraph.graph_request_adapter.options
            )
            provider = AzureIdentityAuthenticationProvider(credential, scopes=[GRAPH_SCOPE])
            adapter = GraphRequestAdapter(provider, client=client)
            adapter.base_url = address
            yield GraphServiceClient(request_adapter=adapter)


class Acquired:
    """A credential for a token that MSAL got already."""

    def __init__(self, answer: dict):
        self.token = AccessToken(answer["access_token"], int(time.time()) + answer["expires_in"])

    def get_token(self, *scopes, **options) -> AccessToken:
        return self.token

    def close(self) -> None:
        pass


class Tenant:
    """A tenant of the world, and the clients that its seeded applications would use."""

    def __init__(self, world: World, document: dict):
        self.world = world
        self.id: str = document["id"]
        self.domain: str = document["domain"]
        self.display_name: str = document["displayName"]
        self.authority = f"{world.base}/{self.id}"
        self._document = document

    def person(self, name: str) -> Person:
        [found] = [
            user for user in self._document["users"]
            if user["userPrincipalName"] == f"{name}@{self.domain}"
        ]
        return Person(found["id"], found["userPrincipalName"], found["password"])

    def application(self, kind: str, **traits: str) -> Application:
        """A seeded application, by its kind and by what else the world document says of it."""
        wanted = {"kind": kind, **traits}
        found = next(
            app for app in self._document["applications"]
            if all(app.get(name) == value for name, value in wanted.items())
        )
        return Application(found["appId"], found.get("secret"), tuple(found.get("permissions", ())))

    def confidential(self, app: Application, **overrides) -> msal.ConfidentialClientApplication:
        """MSAL for a daemon or a web application."""
        return msal.ConfidentialClientApplication(**{
            "client_id": app.app_id,
            "client_credential": app.secret,
            "authority": self.authority,
            "instance_discovery": False,
            "verify": self.world.ca,
            **overrides,
        })

    def public(self, app: Application, **overrides) -> msal.PublicClientApplication:
        """MSAL for a native application."""
        return msal.PublicClientApplication(**{
            "client_id": app.app_id,
            "authority": self.authority,
            "instance_discovery": False,
            "verify": self.world.ca,
            **overrides,
        })

    @asynccontextmanager
    async def graph(self, app: Application | None = None, **options) -> AsyncIterator[GraphServiceClient]:
        """msgraph-sdk with an azure-identity credential; the tenant's daemon if no other is named."""
        app = app or self.application("daemon")
        with ClientSecretCredential(
            self.id, app.app_id, app.secret,
            authority=self.world.base, disable_instance_discovery=True, connection_verify=self.world.ca,
        ) as credential:
            async with self.world.graph(credential, **options) as graph:
                yield graph

    @asynccontextmanager
    async def registered(self, wanted: GraphApplication) -> AsyncIterator[GraphApplication]:
        """An application with its service principal, as long as the test needs it."""
        async with self.graph() as graph:
            made = await graph.applications.post(wanted)
            await graph.service_principals.post(ServicePrincipal(app_id=made.app_id))
            try:
                yield made
            finally:
                await graph.applications.by_application_id(made.id).delete()

    async def new_member(self, name: str) -> Person:
        """Creates a member who can sign in with a password at once."""
        unique = f"{name}-{secrets.token_hex(4)}"
        password = f"{secrets.token_urlsafe(12)}-aA1!"
        async with self.graph() as graph:
            created = await graph.users.post(User(
                account_enabled=True,
                display_name=unique,
                mail_nickname=unique,
                user_principal_name=f"{unique}@{self.domain}",
                password_profile=PasswordProfile(
                    password=password, force_change_password_next_sign_in=False
                ),
            ))
        return Person(created.id, created.user_principal_name, password)

    async def invite(self, mail: str) -> Invitation:
        async with self.graph() as graph:
            return await graph.invitations.post(Invitation(
                invited_user_email_address=mail,
                invite_redirect_url=f"{self.world.base}/myapps",
            ))

    def verify(self, token: str, audience: str | list[str], version: str = "v1") -> dict:
        """Checks a token with the published keys and a library of its own; returns its claims."""
        suffix = {"v1": "", "v2": "/v2.0"}[version]
        metadata = self.world.http.get(f"{self.authority}{suffix}/.well-known/openid-configuration").json()
        keys = KeySet.import_key_set(self.world.http.get(metadata["jwks_uri"]).json())
        decoded = jwt.decode(token, keys, algorithms=["RS256"])
        audiences = [audience] if isinstance(audience, str) else audience
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": metadata["issuer"]},
            aud={"essential": True, "values": audiences},
            exp={"essential": True},
            nbf={"essential": True},
            iat={"essential": True},
        ).validate(decoded.claims)
        assert decoded.header["typ"] == "JWT", "clients refuse any other typ"
        if version == "v1":
            assert decoded.header["x5t"] == decoded.header["kid"]
        return decoded.claims
