"""A series of many files goes through a real worker; a chosen version answers beside the active one."""

import numpy as np

from tests.ml.pictures import brain, bytes_of
from tests.ml.volumes import dicom_slices, zipped
from tests.processes.portal import PROJECT, Portal
from tests.processes.waiting import wait_until

SLICES = 6
BUNDLES = PROJECT / "ml" / "bundles"


def study() -> bytes:
    volume = np.stack([bytes_of(brain(number)).astype(np.uint16) for number in range(SLICES)])
    slices = dicom_slices(SLICES, volume=volume)
    return zipped({f"IM{number}": data for number, data in enumerate(slices)})


def test_a_series_is_analysed_whole_and_again_by_a_chosen_version(portal: Portal) -> None:
    active = (BUNDLES / "DEFAULT").read_text().strip()
    chosen = next(path.name for path in sorted(BUNDLES.iterdir()) if path.is_dir() and path.name != active)
    portal.register(chosen)
    portal.start_worker()
    portal.worker_ready()
    uploaded = portal.post_file(study(), "study.zip", patient="P-series")
    assert (uploaded.status, len(uploaded.body["files"])) == (202, SLICES), uploaded
    [first] = portal.settle([uploaded.body["id"]])
    second = portal.ask(uploaded.body["id"], chosen)
    wait_until(lambda: portal.analysis(second)["finished_at"], "the chosen version to answer")
    answers = [portal.analysis(key) for key in (first.id, second)]
    assert [(answer["error"], answer["model_version"]) for answer in answers] == [
        (None, active),
        (None, chosen),
    ]
    assert [len(answer["slices"]) for answer in answers] == [SLICES, SLICES]
    portal.settle(portal.upload())
    assert len(portal.loads()) == 1  # the active model was never given up
