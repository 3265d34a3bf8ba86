"""The download against a stand-in for Kaggle: whole, resumed, refused, and never half in place."""

import errno
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml import __main__ as program
from ml import download
from ml.download import DownloadError
from tests.ml import kaggle
from tests.ml.kaggle import Kaggle

COUNTS = dict.fromkeys(download.COUNTS, 1)
MIB = 2**20
"""kagglehub writes in pieces of this size."""


@pytest.fixture(scope="module")
def content() -> bytes:
    return kaggle.archive(COUNTS)


@pytest.fixture
def server(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    for name in (
        "KAGGLE_USERNAME",
        "KAGGLE_KEY",
        "KAGGLE_API_TOKEN",
        "KAGGLE_CONFIG_DIR",
        "no_proxy",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLEHUB_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    with kaggle.serving(content) as server:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, server.address)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sets" / "kaggle"


def code_of(folder: Path) -> str:
    with pytest.raises(DownloadError) as caught:
        download.download(folder, COUNTS)
    assert caught.value.detail.endswith(".")
    return caught.value.code


def test_the_set_arrives_counted_and_listed_by_hash(server: Kaggle, folder: Path) -> None:
    assert download.download(folder, COUNTS) == COUNTS
    lines = (folder / download.MANIFEST).read_text().splitlines()
    assert len(lines) == 8 and all(len(line.split("  ")[0]) == 64 for line in lines)
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256", "Testing", "Training"]
    assert [path.name for path in folder.parent.iterdir()] == ["kaggle"]


def test_a_second_call_asks_nobody_and_checks_every_file(server: Kaggle, folder: Path) -> None:
    download.download(folder, COUNTS)
    server.asked.clear()
    assert download.download(folder, COUNTS) == COUNTS and not server.asked
    (folder / "Testing/glioma/0.png").write_bytes(b"altered")
    assert code_of(folder) == "download_altered"


def test_a_cut_connection_is_gone_on_with_at_once(server: Kaggle, folder: Path) -> None:
    server.cuts = [MIB + MIB // 2]
    assert download.download(folder, COUNTS) == COUNTS
    assert server.asked == [None, None, f"bytes={MIB}-"]


def test_what_arrived_is_kept_for_the_next_call(
    server: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.cuts = [MIB + MIB // 2]
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    assert code_of(folder) == "kaggle_offline" and not folder.exists()
    assert download.download(folder, COUNTS) == COUNTS
    assert server.asked[-1] == f"bytes={MIB}-"


def test_attempts_that_bring_nothing_end(server: Kaggle, folder: Path) -> None:
    server.cuts = [0] * 50
    assert code_of(folder) == "kaggle_offline"
    assert len(server.asked) < 5


def test_without_a_connection_it_says_so(
    server: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert program.main(["download", "--out", str(folder)]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("kaggle_offline: Kaggle cannot be reached.")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "kaggle_unauthorised"),
        (403, "kaggle_unauthorised"),
        (404, "kaggle_not_found"),
        (429, "kaggle_unavailable"),
        (503, "kaggle_unavailable"),
    ],
)
def test_a_refusal_has_its_code(server: Kaggle, folder: Path, status: int, code: str) -> None:
    server.status = status
    assert code_of(folder) == code and not folder.exists()


def test_credentials_come_from_the_environment(
    server: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")
    download.download(folder, COUNTS)
    assert server.authorised == ["Bearer a-token"]


@pytest.mark.parametrize("told", [True, False], ids=["by its hash", "by its form"])
def test_a_damaged_archive_is_deleted_and_fetched_anew(server: Kaggle, folder: Path, told: bool) -> None:
    whole, md5 = server.archive, server.md5
    server.archive = b"x" * len(whole)
    server.md5 = md5 if told else None
    assert code_of(folder) == "download_corrupt"
    assert not list(folder.parent.rglob("*.archive"))
    server.archive, server.md5 = whole, md5
    assert download.download(folder, COUNTS) == COUNTS


def test_another_set_than_the_one_expected_is_refused_and_deleted(server: Kaggle, folder: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        download.download(folder, COUNTS | {"Testing/glioma": 300})
    assert (
        caught.value.code == "download_incomplete"
        and "Testing/glioma 1 instead of 300" in caught.value.detail
    )
    assert not list(folder.parent.iterdir())


def test_a_full_disk_is_noticed_before_the_transfer(
    server: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 0))
    assert code_of(folder) == "disk_full" and not server.authorised


def test_a_disk_that_fills_during_the_transfer_has_its_code(
    server: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kagglehub.clients

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kagglehub.clients, "_download_file", full)
    assert code_of(folder) == "disk_full"


def test_a_folder_with_other_files_is_left_alone(server: Kaggle, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("precious")
    assert code_of(folder) == "folder_not_empty" and not server.authorised


def test_a_place_that_cannot_be_written_has_its_code(server: Kaggle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert code_of(tmp_path / "file" / "set") == "folder_unwritable"


def test_the_program_counts_the_published_set(
    server: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sum(download.COUNTS.values()) == 7023
    monkeypatch.setattr(download, "COUNTS", COUNTS)
    assert program.main(["download", "--out", str(folder)]) == 0
    assert "Training/notumor" in capsys.readouterr().out
