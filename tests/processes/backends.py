"""The two backends that every scenario runs on, unless it needs a server to lose."""

import pytest

SERVERS = "PostgreSQL and Redis"
EMBEDDED = "embedded"

only_servers = pytest.mark.parametrize("lasting_portal", [SERVERS], indirect=True)
