"""What the machine and the readers said is told in the admin site as on the pages, in the reader's words."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import Analysis, Scan, User
from classifier.services.reviews import submit_review
from tests.worker import Worker, outlined, prediction

# In text; the addresses of a list hold such letters too.
SHARE = re.compile(r">[^<]*\d%")
Pages = Callable[[Analysis], dict[str, str]]


@pytest.fixture
def pages(otto: User, browser: Callable[[User], Client]) -> Pages:
    """The list, the case and the analysis itself, each as an auditor sees it."""
    client = browser(otto)

    def shown(analysis: Analysis) -> dict[str, str]:
        addresses = {
            "list": reverse("admin:classifier_analysis_changelist"),
            "case": reverse("admin:classifier_case_change", args=(analysis.scan.case_id,)),
            "analysis": reverse("admin:classifier_analysis_change", args=(analysis.pk,)),
        }
        return {name: client.get(address).content.decode() for name, address in addresses.items()}

    return shown


def test_slices_are_counted_from_one_as_on_the_pages(
    scan: Scan, worker: Worker, pages: Pages, as_alice: Actor, otto: User, browser: Callable[[User], Client]
) -> None:
    analysis = worker.finish(scan, outlined(0))
    region = {"slice": 0, "box": [10, 20, 30, 40]}
    review = submit_review(
        actor=as_alice, analysis=analysis, verdict="agree", wrong_region=True, region=region
    )
    decided = re.search(r"The slice that decided:.*?>\s*(\d+)\s*<", pages(analysis)["analysis"], re.DOTALL)
    assert decided and decided[1] == "1"
    shown = browser(otto).get(reverse("admin:classifier_review_change", args=(review.pk,)))
    assert "slice 1: 10, 20, 30, 40" in shown.content.decode()


def test_the_trail_and_the_people_speak_the_reader_s_language(
    scan: Scan, ada: User, browser: Callable[[User], Client]
) -> None:
    client = browser(ada)
    client.cookies["language"] = "es"
    trail = client.get(reverse("admin:classifier_auditevent_changelist")).content.decode()
    assert f"exploración {str(scan.pk)[:8]}" in trail
    people = client.get(reverse("admin:classifier_user_changelist")).content.decode()
    assert "Administrador" in people[people.index('id="result_list"') :]


def test_a_refused_scan_has_neither_a_probability_nor_a_class(
    scan: Scan, worker: Worker, pages: Pages
) -> None:
    shares = {"glioma": 0.29, "meningioma": 0.0, "notumor": 0.71, "pituitary": 0.0}
    refused = prediction("refused", label="notumor", probabilities=shares, tumour_probability=0.29)
    told = pages(worker.finish(scan, refused))
    assert all("Refused" in page and not SHARE.search(page) for page in told.values())
    assert "No tumour" not in told["case"] + told["analysis"]
