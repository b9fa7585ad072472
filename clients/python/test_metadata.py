"""What `$metadata` says, read by a parser that is not ours: whole CSDL, without a token, and true of real answers."""

import xml.etree.ElementTree as ET

import httpx
import pytest

from world import GRAPH_SCOPE, Tenant

pytestmark = pytest.mark.anyio

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
KINDS = ("EntityType", "ComplexType", "EnumType")


def item(name: str) -> str:
    return name.removeprefix("Collection(").removesuffix(")")


async def test_metadata_is_whole_and_answers_keep_to_it(contoso: Tenant) -> None:
    async with httpx.AsyncClient(verify=contoso.world.trust()) as http:
        answer = await http.get(f"{contoso.world.base}/v1.0/$metadata")
        assert (answer.status_code, answer.headers["odata-version"]) == (200, "4.0")
        assert answer.headers["content-type"].startswith("application/xml")
        root = ET.fromstring(answer.content)
        assert (root.tag, root.get("Version")) == ("{http://docs.oasis-open.org/odata/ns/edmx}Edmx", "4.0")
        schema = root.find(f".//{EDM}Schema")
        prefixes = (schema.get("Namespace") + ".", schema.get("Alias") + ".")

        types = {kind.get("Name"): kind for tag in KINDS for kind in schema.findall(EDM + tag)}
        assert len(types) == sum(len(schema.findall(EDM + tag)) for tag in KINDS), "a name stands there twice"

        def check(name: str) -> None:
            if not item(name).startswith("Edm."):
                prefix, dot, short = item(name).rpartition(".")
                assert prefix + dot in prefixes and short in types, f"{name} is not defined"

        for element in schema.iter():
            for attribute in ("Type", "BaseType", "EntityType"):
                if element.get(attribute) is not None:
                    check(element.get(attribute))

        def line(name: str):
            while name:
                yield types[name]
                name = (types[name].get("BaseType") or "").rpartition(".")[2]

        def names(kind: str) -> set[str]:
            tags = ("Property", "NavigationProperty")
            return {e.get("Name") for t in line(kind) for tag in tags for e in t.findall(EDM + tag)}

        for entity in schema.findall(EDM + "EntityType"):
            own = [member.get("Name") for member in entity if member.tag != EDM + "Key"]
            assert len(own) == len(set(own)), entity.get("Name")
            for kind in line(entity.get("Name")):
                for key in kind.findall(f"{EDM}Key/{EDM}PropertyRef"):
                    assert key.get("Name") in names(kind.get("Name"))

        container = schema.find(EDM + "EntityContainer")
        sets = {member.get("Name"): item(member.get("EntityType") or member.get("Type")) for member in container}
        daemon = contoso.application("daemon")
        granted = contoso.confidential(daemon).acquire_token_for_client([GRAPH_SCOPE])
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        for path in ("users", "groups", "applications", "servicePrincipals", "organization", "domains"):
            body = (await http.get(f"{contoso.world.base}/v1.0/{path}", headers=headers)).json()
            kind = sets[body["@odata.context"].partition("$metadata#")[2]].rpartition(".")[2]
            for found in body["value"]:
                unknown = {name for name in found if "@" not in name} - names(kind)
                assert not unknown, f"{path}: {unknown}"
