"""``python -m benchmarks [throughput | worklist | pages]``; without a name, all. See docs/performance.md."""

import argparse
import os
import sys


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("what", nargs="?", choices=["throughput", "worklist", "pages"])
    parser.add_argument("--seconds", type=float, default=10, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--cases", type=int, default=1_000_000, help="how many the worklist and pages have")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    if options.what in {None, "throughput"}:
        from benchmarks import throughput

        throughput.measure(seconds=options.seconds, rounds=options.rounds)
    if options.what != "throughput":
        from benchmarks import looks, pages, worklist

        lists = {"worklist": worklist.pages, "pages": pages.pages}
        chosen = [lists[options.what]] if options.what else list(lists.values())
        looks.measure(cases=options.cases, lists=chosen)


if __name__ == "__main__":
    main()
