"""Which tests of a parallel run share a process: those that share started portals and servers.

Instead of pytest-xdist's ``loadgroup``, whose marks pytest 9.2 loses without a word.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class _ByPortal(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        """Scenarios of one backend together, operations by file, the rest wherever there is room."""
        path, _, test = nodeid.partition("::")
        if path.startswith("tests/processes/"):
            return test.partition("[")[2]
        return path if path.startswith("tests/ops/") else nodeid


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByPortal(config, log)
