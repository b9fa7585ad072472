"""Fixtures: the world that clients/run started, and its two tenants."""

from collections.abc import Iterator

import pytest

from world import Tenant, World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    world = World.from_environment()
    yield world
    world.driver.close()


@pytest.fixture(scope="session")
def contoso(world: World) -> Tenant:
    return world.tenants["contoso.test"]


@pytest.fixture(scope="session")
def fabrikam(world: World) -> Tenant:
    return world.tenants["fabrikam.test"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
