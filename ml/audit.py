"""What a sceptic asks of a collection: copies, patients on both sides, classes told by the file."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import duplicates, shortcut, survey
from ml.datasets import DataError, Row
from ml.duplicates import ALIKE, ORIENTATIONS, Pairs
from ml.survey import Survey

PARTS: Final = ("official", "split", "fold")
"""The columns that divide rows; ``official`` is the published Training and Testing."""
EXAMPLES: Final = 20


@dataclass(frozen=True)
class Copies:
    """``exact`` numbers pictures with the same pixels alike; ``near`` holds all pairs of positions that
    are alike, exact copies aside; ``cluster`` numbers what copies join."""

    exact: NDArray[np.int32]
    near: Pairs
    cluster: NDArray[np.int32]


def audit(data: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """Everything that is found, ready for JSON; ``as_text`` puts it in words."""
    found = survey.survey(data, rows)
    copies = find_copies(found)
    groups = duplicates.clusters(
        len(found.rows), copies.near, list(copies.exact), [row.group for row in found.rows]
    )
    return {
        "pictures": len(found.rows),
        "unreadable": [vars(bad) for bad in found.unreadable],
        "copies": _copies(found, copies),
        "overlap": {part: _overlap(found.rows, copies, part) for part in _parts(found.rows)},
        "shortcut": shortcut.measure(found, groups.tolist()),
    }


def groups_of_copies(data: Path, rows: Sequence[Row]) -> list[str]:
    """A name per row, the same for all copies of a picture. DataError where a file cannot be read."""
    found = survey.survey(data, rows)
    if found.unreadable:
        bad = found.unreadable[0]
        raise DataError(f"{bad.path}: {bad.detail}", code="data_unreadable")
    cluster = find_copies(found).cluster.tolist()
    first = {number: at for at, number in reversed(list(enumerate(cluster)))}
    return [rows[first[number]].path for number in cluster]


def find_copies(found: Survey) -> Copies:
    """Near pairs are looked for among one representative of every exact copy."""
    exact = _numbered([picture.pixels for picture in found.pictures])
    chosen = np.unique(exact, return_index=True)[1]
    pairs = duplicates.near(found.prepared[chosen])
    joined = duplicates.clusters(len(chosen), pairs)
    near = Pairs(
        chosen[pairs.first].astype(np.int32),
        chosen[pairs.second].astype(np.int32),
        pairs.correlation,
        pairs.orientation,
    )
    return Copies(exact, near, joined[exact])


def as_text(result: dict[str, Any]) -> str:
    blocks = [_copies_in_words(result), *(_overlap_in_words(*item) for item in result["overlap"].items())]
    measured = result["shortcut"]
    blocks.append(
        shortcut.as_text(measured) if measured else "shortcut: too few classes or groups to measure one"
    )
    return "\n\n".join(blocks)


def _numbered(keys: Sequence[Hashable]) -> NDArray[np.int32]:
    places: dict[Hashable, int] = {}
    return np.array([places.setdefault(key, len(places)) for key in keys], np.int32)


def _copies(found: Survey, copies: Copies) -> dict[str, Any]:
    rows, near = found.rows, copies.near
    labels = [(rows[i].label, rows[j].label) for i, j in zip(near.first, near.second, strict=True)]
    turned = Counter(ORIENTATIONS[number] for number in near.orientation)
    return {
        "alike_above": ALIKE,
        "same_file": _surplus([picture.sha256 for picture in found.pictures]),
        "same_pixels": _surplus(list(copies.exact)),
        "near_pairs": len(near),
        "near_pairs_of_different_groups": sum(
            rows[i].group != rows[j].group for i, j in zip(near.first, near.second, strict=True)
        ),
        "near_pairs_of_different_classes": sum(a != b for a, b in labels),
        "orientations": {name: turned[name] for name in ORIENTATIONS if turned[name]},
        "different_pictures": len(set(copies.cluster.tolist())),
        "by_class": _by_class(rows, copies.cluster),
        "examples": _examples(rows, near),
    }


def _surplus(keys: Sequence[Hashable]) -> int:
    """How many pictures could go without losing one."""
    return len(keys) - len(set(keys))


def _by_class(rows: Sequence[Row], cluster: NDArray[np.int32]) -> dict[str, dict[str, int]]:
    members: dict[str, list[int]] = defaultdict(list)
    for row, number in zip(rows, cluster, strict=True):
        members[row.label].append(int(number))
    return {
        label: {"pictures": len(found), "different": len(set(found))}
        for label, found in sorted(members.items())
    }


def _examples(rows: Sequence[Row], near: Pairs) -> list[dict[str, Any]]:
    """The least alike of the pairs: those to look at when the threshold is doubted."""
    return [
        {
            "first": rows[near.first[at]].path,
            "second": rows[near.second[at]].path,
            "correlation": round(float(near.correlation[at]), 4),
            "orientation": ORIENTATIONS[near.orientation[at]],
        }
        for at in np.argsort(near.correlation, kind="stable")[:EXAMPLES]
    ]


def _parts(rows: Sequence[Row]) -> list[str]:
    return [part for part in PARTS if len(_values(rows, part)) > 1]


def _values(rows: Sequence[Row], part: str) -> set[str]:
    return {str(getattr(row, part)) for row in rows} - {"", "-1"}


def _overlap(rows: Sequence[Row], copies: Copies, part: str) -> dict[str, dict[str, int]]:
    """Of the pictures of each value of ``part``, how many have the same group, the same pixels, a near
    copy, or any of these under another value."""
    values = sorted(_values(rows, part))
    side = np.array([str(getattr(row, part)) for row in rows])
    counted = np.isin(side, values)
    group = _numbered([row.group for row in rows])
    away = {
        "same_group": _elsewhere(group, side, counted),
        "same_pixels": _elsewhere(copies.exact, side, counted),
        "near_copy": _near_elsewhere(copies, side, counted),
    }
    away["any"] = np.logical_or.reduce(list(away.values()))
    return {
        value: {"pictures": int(np.sum(side == value))}
        | {name: int(np.sum(found & (side == value))) for name, found in away.items()}
        for value in values
    }


def _elsewhere(key: NDArray[np.int32], side: NDArray[Any], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the key of each picture occurs under another value."""
    seen: dict[int, set[str]] = defaultdict(set)
    for number, value in zip(key[counted].tolist(), side[counted].tolist(), strict=True):
        seen[number].add(value)
    return np.asarray(counted & np.array([len(seen[number]) > 1 for number in key.tolist()]))


def _near_elsewhere(copies: Copies, side: NDArray[Any], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The same for what is alike: a picture, its exact copies and their near ones, one step far."""
    reached: dict[int, set[str]] = defaultdict(set)
    own: dict[int, set[str]] = defaultdict(set)
    for number, value in zip(copies.exact[counted].tolist(), side[counted].tolist(), strict=True):
        own[number].add(value)
    for i, j in zip(copies.exact[copies.near.first], copies.exact[copies.near.second], strict=True):
        reached[int(i)] |= own[int(j)]
        reached[int(j)] |= own[int(i)]
    away = [
        bool((reached[n] | own[n]) - {value}) for n, value in zip(copies.exact.tolist(), side, strict=True)
    ]
    return np.asarray(counted & np.array(away))


def _copies_in_words(result: dict[str, Any]) -> str:
    copies = result["copies"]
    lines = [
        f"{result['pictures']} pictures, {len(result['unreadable'])} unreadable",
        f"copies: {copies['same_file']} files and {copies['same_pixels']} pictures repeat another exactly",
        f"  {copies['near_pairs']} pairs are alike (r > {copies['alike_above']}): "
        + ", ".join(f"{count} {name}" for name, count in copies["orientations"].items()),
        f"  {copies['near_pairs_of_different_groups']} of them join two groups, "
        f"{copies['near_pairs_of_different_classes']} two classes",
        f"  {copies['different_pictures']} different pictures remain:",
    ]
    for label, count in copies["by_class"].items():
        lines.append(f"    {label:<12}{count['different']:6d} of {count['pictures']}")
    lines += [f"  {bad['path']}: {bad['code']}: {bad['detail']}" for bad in result["unreadable"]]
    return "\n".join(lines)


def _overlap_in_words(part: str, found: dict[str, dict[str, int]]) -> str:
    lines = [f"{part:<10} pictures  also elsewhere: group  pixels  near copy  any"]
    for value, counts in found.items():
        lines.append(
            f"  {value:<8} {counts['pictures']:8d}  {counts['same_group']:21d}"
            f"  {counts['same_pixels']:6d}  {counts['near_copy']:9d}  {counts['any']:4d}"
        )
    return "\n".join(lines)
