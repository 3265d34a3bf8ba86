"""Made-up cases in great number, for measuring and trying out. Rows only: there are no images behind them."""

import io
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, models, transaction
from django.utils import timezone

from classifier.models import Analysis, Case, ModelVersion, Patient, Review, Scan, ScanFile, User
from classifier.models.cases import searchable
from classifier.services.triage import pressing

Triage = Case.Triage
Rows = dict[type[models.Model], list[dict[str, Any]]]

CHUNK = 10_000
SPAN = timedelta(days=3 * 365)
CASES_OF_A_PATIENT = 3
ONE_ASSIGNED_OF = 20
# How often a case stands where; one that waits would be handed to a worker that finds no file.
SHARES = {
    Triage.REVIEWED: 70,
    Triage.NO_TUMOUR: 12,
    Triage.SUSPECTED: 8,
    Triage.UNCERTAIN: 4,
    Triage.FAILED: 2,
    Triage.EMPTY: 4,
}
TUMOURS = ("glioma", "meningioma", "pituitary")
# What the machine had said of those that are read, and how often the reader said the same.
READ_OF = {Triage.NO_TUMOUR: 60, Triage.SUSPECTED: 28, Triage.UNCERTAIN: 9, Triage.FAILED: 3}
AGREED = 0.93


@dataclass(frozen=True)
class Seeder:
    """Whose the cases are, and which model has answered them."""

    departments: Sequence[Group]
    user: User
    model_version: ModelVersion

    def seed(self, count: int) -> Iterator[int]:
        """Write ``count`` cases; yields how many there are so far."""
        dice = random.Random(count)  # noqa: S311 - the same cases on every machine
        now = timezone.now()
        patients: list[uuid.UUID] = []
        for start in range(0, count, CHUNK):
            rows: Rows = defaultdict(list)
            for number in range(start, min(start + CHUNK, count)):
                self._case(rows, number, patients, dice, now - SPAN * dice.random())
            with transaction.atomic():
                for model, of_model in rows.items():
                    _write(model, of_model)
            yield min(start + CHUNK, count)

    def _case(
        self, rows: Rows, number: int, patients: list[uuid.UUID], dice: random.Random, moment: datetime
    ) -> None:
        department = self.departments[number // CASES_OF_A_PATIENT % len(self.departments)].pk
        if number % CASES_OF_A_PATIENT == 0:
            patients[:] = [self._patient(rows, number, department, moment)]
        triage = dice.choices(list(SHARES), weights=list(SHARES.values()))[0]
        case = uuid.UUID(int=dice.getrandbits(128), version=4)
        question = "Headache, first seizure" if number % 2 else ""
        row: dict[str, Any] = {
            "id": case,
            "department_id": department,
            "patient_id": patients[0],
            "question": question,
            "study_date": moment.date(),
            "triage": int(triage),
            "urgency": 0,
            "outcome": "",
            "reviewer_id": self.user.pk if triage == Triage.REVIEWED else None,
            "assignee_id": self.user.pk if number % ONE_ASSIGNED_OF == 0 else None,
            "search_text": searchable(_reference(number), question),
            "opened_by_id": self.user.pk,
            "created_at": moment,
        }
        rows[Case].append(row)
        scans = 0 if triage == Triage.EMPTY else 1 + number % 2
        for scan in range(scans):
            self._scan(rows, case, scan, triage, dice, moment)
        if answers := rows[Analysis][-scans:] if scans else []:
            leading = max(answers, key=lambda answer: pressing(Analysis(**answer)))
            row["outcome"] = leading["outcome"]
            ranked = triage in Case.RANKED
            row["urgency"] = round(leading["tumour_probability"] * 1000) if ranked else 0

    def _patient(self, rows: Rows, number: int, department: int, moment: datetime) -> uuid.UUID:
        patient = uuid.uuid4()
        reference = _reference(number)
        rows[Patient].append(
            {
                "id": patient,
                "department_id": department,
                "reference": reference,
                "reference_folded": reference.casefold(),
                "name": "",
                "birth_year": 1930 + number % 80,
                "sex": "FM"[number % 2],
                "created_at": moment,
            }
        )
        return patient

    def _scan(
        self,
        rows: Rows,
        case: uuid.UUID,
        position: int,
        triage: Triage,
        dice: random.Random,
        moment: datetime,
    ) -> None:
        scan, analysis = uuid.uuid4(), uuid.uuid4()
        digest = f"{dice.getrandbits(256):064x}"
        facts = {"kind": "jpeg", "frames": 1, "mean_brightness": round(0.15 + dice.random() / 10, 4)}
        mine = {"id": scan, "case_id": case, "digest": digest, "facts": facts}
        rows[Scan].append({**mine, "uploaded_by_id": self.user.pk, "created_at": moment})
        rows[ScanFile].append(
            {
                "scan_id": scan,
                "position": 0,
                "name": f"seed/{digest[:62]}",
                "original_name": f"slice {position}.jpg",
                "kind": "jpeg",
                "size": 20_000,
                "sha256": digest,
            }
        )
        rows[Analysis].append(self._analysis(analysis, scan, triage, dice, moment))
        if triage == Triage.REVIEWED:
            rows[Review].append(self._review(rows[Analysis][-1], dice, moment))

    def _analysis(
        self, key: uuid.UUID, scan: uuid.UUID, triage: Triage, dice: random.Random, moment: datetime
    ) -> dict[str, Any]:
        outcome, label = _answer(triage, dice)
        tumour = dice.random() * 0.2 if label == "notumor" else 0.7 + dice.random() * 0.3
        others = {name: (tumour if name == label else 0.0) for name in TUMOURS}
        return {
            "id": key,
            "scan_id": scan,
            "model_version_id": self.model_version.pk,
            "requested_by_id": self.user.pk,
            "status": "succeeded",
            "attempts": 1,
            "created_at": moment,
            "rung_at": moment,
            "started_at": moment,
            "lease_until": None,
            "finished_at": moment + timedelta(seconds=1 + dice.expovariate(1 / 4)),
            "outcome": outcome,
            "label": label,
            "probabilities": {**others, "notumor": 1 - tumour},
            "tumour_probability": tumour,
            "reason": "not_brain_mri" if outcome == "refused" else "",
            "reason_text": "",
            "slice_index": 0,
            "slices": None,
            "timings": None,
            "error_code": "",
            "error_detail": "",
        }

    def _review(self, answer: dict[str, Any], dice: random.Random, moment: datetime) -> dict[str, Any]:
        agreed = dice.random() < AGREED
        label = answer["label"] if agreed else dice.choice((*TUMOURS, "notumor"))
        return {
            "id": uuid.uuid4(),
            "analysis_id": answer["id"],
            "reviewer_id": self.user.pk,
            "verdict": "agree" if label == answer["outcome"] else "correct",
            "label": label,
            "comment": "",
            "created_at": moment + timedelta(hours=dice.expovariate(1 / 6)),
        }


def _reference(number: int) -> str:
    """Of the patient whose case this is."""
    return f"SEED-{number - number % CASES_OF_A_PATIENT:08}"


def _answer(triage: Triage, dice: random.Random) -> tuple[str, str]:
    """(outcome, label) that puts a case there."""
    if triage == Triage.REVIEWED:
        [triage] = dice.choices(list(READ_OF), weights=list(READ_OF.values()))
    match triage:
        case Triage.SUSPECTED:
            label = dice.choice(TUMOURS)
            return label, label
        case Triage.UNCERTAIN:
            return "uncertain", "glioma"
        case Triage.FAILED:
            return "refused", "glioma"
    return "notumor", "notumor"


def _write(model: type[models.Model], rows: Sequence[dict[str, Any]]) -> None:
    """Past the models, which would put the present moment where a made-up one is given."""
    usual = {field.attname: field.get_default() for field in model._meta.concrete_fields}
    usual = {name: value for name, value in usual.items() if name not in rows[0] and value is not None}
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name in {**rows[0], **usual})
    whole = [{**row, **usual} for row in rows]
    if connection.vendor == "postgresql":
        _copy(f"{table} ({columns})", whole)
    else:
        _insert(model, f"{table} ({columns})", whole)


def _copy(target: str, rows: Sequence[dict[str, Any]]) -> None:
    """COPY: ten times as fast as INSERT."""
    lines = ("\t".join(map(_copied, row.values())) for row in rows)
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {target} FROM STDIN", io.StringIO("\n".join(lines) + "\n"))


def _insert(model: type[models.Model], target: str, rows: Sequence[dict[str, Any]]) -> None:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    places = ", ".join(["%s"] * len(rows[0]))
    values = [
        [fields[name].get_db_prep_save(value, connection) for name, value in row.items()] for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {target} VALUES ({places})", values)  # noqa: S608 - names of ours


def _copied(value: object) -> str:
    """In COPY's text format; nothing here holds a tab, a line break or a backslash."""
    if value is None:
        return r"\N"
    return json.dumps(value) if isinstance(value, dict) else str(value)
