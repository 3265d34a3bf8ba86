"""Scans per second and time to the result, beside the plain handler in the same run."""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Client, Load, PlainClient, PortalClient, drive
from benchmarks.pictures import Pictures
from benchmarks.processes import Server, own_servers, plain_handler, portal

CONCURRENCIES = (1, 8, 32)
WARM_UP_S = 3.0
PLAIN = "plain handler"


@dataclass(frozen=True)
class Subject:
    """Something that classifies: a server and the door through which it is asked."""

    name: str
    server: Server
    connect: Callable[[], Client]


@dataclass(frozen=True)
class Round:
    load: Load
    cpu_seconds: Counter[str]

    def cpu_per_scan(self) -> float:
        """Milliseconds of all processes together, without those of PostgreSQL and Redis."""
        return 1000 * sum(self.cpu_seconds.values()) / len(self.load.latencies)


def measure(*, seconds: float, rounds: int) -> None:
    pictures = Pictures()
    print(f"{pictures.source}; {rounds} rounds of {seconds:.0f} s each, medians\n")
    with _subjects() as subjects:
        for subject in subjects:
            drive(subject.connect, pictures, concurrency=4, seconds=WARM_UP_S)
        for concurrency in CONCURRENCIES:
            found = _compare(subjects, pictures, concurrency, seconds, rounds)
            _print_table(concurrency, found)
        _print_processes(subjects, found)


def _compare(
    subjects: Sequence[Subject], pictures: Pictures, concurrency: int, seconds: float, rounds: int
) -> dict[str, list[Round]]:
    """Every subject in every round, so that what else the machine does meets all of them alike."""
    found: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
    for _ in range(rounds):
        for subject in subjects:
            before = subject.server.cpu_seconds()
            load = drive(subject.connect, pictures, concurrency=concurrency, seconds=seconds)
            found[subject.name].append(Round(load, subject.server.cpu_seconds() - before))
            time.sleep(0.5)  # what was sent last is still being worked on
    return found


@contextmanager
def _subjects() -> Iterator[list[Subject]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portal-bench-")))
        plain = stack.enter_context(plain_handler())
        subjects = [Subject(PLAIN, plain, lambda: PlainClient(plain.port))]
        backends = {"embedded": {}, "PostgreSQL + Redis": stack.enter_context(own_servers())}
        for name, servers in backends.items():
            if servers is not None:
                server = _started(stack, folder / name.split()[0], servers, name)
                subjects += [_subject(name, server, path) for path in ("scans", "predict")]
        yield subjects


def _started(stack: ExitStack, folder: Path, servers: dict[str, str], name: str) -> Server:
    with portal(folder, servers) as first:
        first_s = first.ready_s
    second = stack.enter_context(portal(folder, servers))
    print(f"{name}: ready {first_s:.1f} s after the first start, {second.ready_s:.1f} s after the second")
    return second


def _subject(name: str, server: Server, path: str) -> Subject:
    def connect() -> Client:
        return PortalClient(server.port, server.token, path)

    return Subject(f"{name}, {path}", server, connect)


def _print_table(concurrency: int, found: dict[str, list[Round]]) -> None:
    plain = [entry.load.per_second for entry in found[PLAIN]]
    print(f"\n{concurrency} at once{'':20}scans/s   ratio   p50 ms   p95 ms   CPU ms per scan")
    for name, entries in found.items():
        ratio = statistics.median(e.load.per_second / p for e, p in zip(entries, plain, strict=True))
        cpu = statistics.median(entry.cpu_per_scan() for entry in entries)
        speed = statistics.median(e.load.per_second for e in entries)
        p50, p95 = (statistics.median(e.load.percentile(share) for e in entries) for share in (50, 95))
        print(f"{name:30}{speed:8.1f}{ratio:8.2f}{p50:9.0f}{p95:9.0f}{cpu:18.1f}")


def _print_processes(subjects: Sequence[Subject], found: dict[str, list[Round]]) -> None:
    print(f"\n{'':30}CPU ms per scan, {CONCURRENCIES[-1]} at once; MB resident")
    for subject in subjects:
        last, sizes = found[subject.name][-1], subject.server.resident_megabytes()
        scans = len(last.load.latencies)
        costs = [
            f"{kind} {1000 * seconds / scans:.1f} ms {sizes[kind]:.0f} MB"
            for kind, seconds in last.cpu_seconds.items()
        ]
        print(f"{subject.name:30}{', '.join(costs)}")
