"""Other scans of the same patient, to be looked at beside one."""

import uuid

from django.db.models import F, Prefetch

from classifier.audit import Actor
from classifier.errors import NotFound
from classifier.models import Scan, ScanFile
from classifier.services.scans import find_scan, view_scan

MOST = 50


def priors_of(*, actor: Actor, scan: Scan) -> list[Scan]:
    """Those that ``actor`` may see without ``scan`` itself, of the latest study first; at most ``MOST``.

    Each with its case and its first file. None where it is not known whose scan it is.
    """
    if not scan.case.patient.is_one_person:
        return []
    patients = Scan.objects.visible_to(actor.require_user()).filter(case__patient=scan.case.patient_id)
    return list(
        patients.exclude(pk=scan.pk)
        .select_related("case")
        .prefetch_related(Prefetch("files", ScanFile.objects.filter(position=0)))
        .order_by(F("case__study_date").desc(nulls_last=True), "-created_at", "pk")[:MOST]
    )


def view_prior(*, actor: Actor, scan: Scan, prior_id: uuid.UUID | str) -> Scan:
    """A scan of the same patient, with the look at it recorded; `NotFound` where it is another patient's."""
    prior = find_scan(actor=actor, scan_id=prior_id)
    same = prior.case.patient_id == scan.case.patient_id and scan.case.patient.is_one_person
    if not same or prior.pk == scan.pk:
        raise NotFound("scan")
    return view_scan(actor=actor, scan_id=prior.pk)
