"""Which tests of a parallel run share a process: those that share started portals and servers.

Instead of pytest-xdist's ``loadgroup``, whose marks pytest 9.2 loses without a word.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class _ByPortal(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        """Together: scenarios of one backend, a file of walks or of operations. The rest anywhere."""
        path, _, test = nodeid.partition("::")
        match path.split("/")[1]:
            case "processes":
                return test.partition("[")[2]
            case "e2e" | "ops":
                return path
        return nodeid


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByPortal(config, log)
