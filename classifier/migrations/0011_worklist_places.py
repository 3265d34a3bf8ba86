"""What the worklist needs to know of the cases that were there before it asked for it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

BATCH = 500
SUSPECTED, UNCERTAIN = 60, 50
TUMOURS = ("glioma", "meningioma", "pituitary")
PRESSING = {"": 3, "refused": 4, "uncertain": 5, "notumor": 1} | dict.fromkeys(TUMOURS, 6)
UNFINISHED = 2


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    case_model = apps.get_model("classifier", "Case")
    keys = case_model.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=BATCH * 20)
    for some in batches(list(keys)):
        fill_batch(apps, some)


def batches(keys: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]


def fill_batch(apps: Apps, keys: list[Any]) -> None:
    case_model = apps.get_model("classifier", "Case")
    latest, readers = latest_analyses(apps, keys), last_readers(apps, keys)
    cases = list(case_model.objects.filter(pk__in=keys).select_related("patient"))
    for case in cases:
        case.search_text = f"{case.patient.reference} {case.question}".casefold()[:600]
        answers = list(latest[case.pk].values())
        case.outcome = max(answers, key=pressing)["outcome"] if answers else ""
        case.urgency = urgency(case.triage, answers)
        case.reviewer_id = readers.get(case.pk)
    case_model.objects.bulk_update(cases, ["search_text", "outcome", "urgency", "reviewer"])


def latest_analyses(apps: Apps, keys: list[Any]) -> dict[Any, dict[Any, dict[str, Any]]]:
    analyses = apps.get_model("classifier", "Analysis").objects.filter(scan__case__in=keys)
    columns = ("scan__case_id", "scan_id", "status", "outcome", "tumour_probability", "reviews__id")
    found: dict[Any, dict[Any, dict[str, Any]]] = defaultdict(dict)
    for row in analyses.order_by("created_at").values(*columns):
        found[row["scan__case_id"]][row["scan_id"]] = row
    return found


def last_readers(apps: Apps, keys: list[Any]) -> dict[Any, Any]:
    reviews = apps.get_model("classifier", "Review").objects.filter(analysis__scan__case__in=keys)
    return dict(reviews.order_by("created_at").values_list("analysis__scan__case_id", "reviewer_id"))


def pressing(answer: dict[str, Any]) -> tuple[int, float]:
    finished = answer["status"] in ("succeeded", "failed")
    return (PRESSING[answer["outcome"]] if finished else UNFINISHED), answer["tumour_probability"] or 0.0


def urgency(triage: int, answers: list[dict[str, Any]]) -> int:
    wanted = {SUSPECTED: TUMOURS, UNCERTAIN: ("uncertain",)}.get(triage, ())
    shares = [
        answer["tumour_probability"] or 0.0
        for answer in answers
        if answer["outcome"] in wanted and answer["reviews__id"] is None
    ]
    return round(max(shares, default=0.0) * 1000)


class Migration(migrations.Migration):
    dependencies = [("classifier", "0010_worklist")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
