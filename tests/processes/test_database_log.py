"""What compose's database logs of a row that it refuses names nobody."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from tests.ops.test_compose import services
from tests.processes.conftest import needs_servers
from tests.processes.servers import PostgresServer


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    needs_servers()
    program, *options = services("docker-compose.yml")["database"].get("command", ["postgres"])
    assert program == "postgres"
    server = PostgresServer(*options)
    server.create()
    yield server
    server.remove()


def test_the_databases_log_tells_what_failed_and_of_nobody(database: PostgresServer) -> None:
    with closing(psycopg2.connect(database.url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE patient (reference text CONSTRAINT only_once UNIQUE)")
        cursor.execute("INSERT INTO patient VALUES ('MRN-77')")
        with pytest.raises(psycopg2.IntegrityError, match="MRN-77"):
            cursor.execute("INSERT INTO patient VALUES ('MRN-77')")
    assert "only_once" in database.log()
    assert "MRN-77" not in database.log()
