"""ZIP archives and folders: only images come out, and never more than the limits allow."""

import io
import random
import resource
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from ml.images import CODES, ImageError, Limits, is_archive, read_path, unpack
from tests.ml.pictures import brain_dicom, brain_png, dicom_without_pixels, zip_bomb
from tests.ml.volumes import dicom_slices, grade_order, head, nifti, zipped

PNG = brain_png()
SLICES = dicom_slices(5)


def refused(data: bytes, limits: Limits | None = None) -> ImageError:
    with pytest.raises(ImageError) as caught:
        list(unpack(data, limits or Limits()))
    assert caught.value.code in CODES and caught.value.detail.endswith(".")
    return caught.value


def code_of(data: bytes, limits: Limits | None = None) -> str:
    return refused(data, limits).code


def code_of_path(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        list(read_path(path, limits or Limits()))
    return caught.value.code


def test_an_archive_is_told_by_its_content() -> None:
    assert is_archive(zipped({"a.png": PNG})[:4096])
    assert not any(map(is_archive, (PNG, brain_dicom(), nifti(head()), b"")))


def test_members_come_with_their_names_and_bytes() -> None:
    files = {"scan/b.png": PNG, "a.dcm": SLICES[0], "scan/volume.nii": nifti(head())}
    assert {member.name: member.data for member in unpack(zipped(files))} == files
    stored = zipped(files, compression=zipfile.ZIP_STORED)
    assert [member.name for member in unpack(io.BytesIO(stored))] == list(files)


SPANISH = "Léame\r\nEste disco contiene imágenes. Póngase en contacto con Radiología: Muñoz, Núñez.\r\n"
FONT = b"\0\1\0\0\0\x0c\0\x80\0\3\0\x40OS/2" + bytes(200)
ICON = b"\0\0\1\0\2\0\x10\x10\0\0\1\0\x20\0h\4\0\0\x26\0\0\0" + bytes(1200)

NO_IMAGES = {
    "scan/": b"",
    "__MACOSX/scan/._a.png": b"\0\5\x16\7",
    "scan/.DS_Store": b"\0\0\0\1Bud1",
    ".hidden/a.png": PNG,
    "scan/Thumbs.db": b"\xd0\xcf\x11\xe0",
    "desktop.ini": b"[.ShellClassInfo]",
    "DICOMDIR": dicom_without_pixels(uid.MediaStorageDirectoryStorage, ""),
    "disk/index": dicom_without_pixels(uid.MediaStorageDirectoryStorage, ""),
    "README": b"How to read this disc.",
    "README.TXT": b"How to read this disc.",
    "LEEME.TXT": SPANISH.encode("cp1252"),
    "LEAME.DOS": SPANISH.encode("cp850"),
    "long.txt": SPANISH.encode("utf-8-sig") * 99,
    "info.xml": b"<?xml version='1.0' encoding='ISO-8859-1'?>" + SPANISH.encode("latin-1"),
    "AUTORUN.INF": SPANISH.encode("utf-16"),
    "swapped.inf": b"\xfe\xff" + SPANISH.encode("utf-16-be") * 99,
    "dos.txt": b"How to read this disc.\r\n\x1a",
    "report.doc": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600),
    "report.docx": zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"x"}),
    "report.odt": zipped({"mimetype": b"application/vnd.oasis.opendocument.text"}, compression=0),
    "report.rtf": b"{\\rtf1\\ansi Informe}",
    "viewer.jar": zipped({"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0", "a.class": bytes(9)}),
    "viewer.cab": b"MSCF" + bytes(60),
    "viewer.chm": b"ITSF" + bytes(60),
    "viewer.ttf": FONT,
    "viewer.woff2": b"wOF2" + bytes(60),
    "viewer.ico": ICON,
    "viewer/LOCKFILE": b"",
    "table.csv": b"a,b\n1,2\n",
    "report.pdf": b"%PDF-1.7\n" + bytes(range(256)),
    "viewer.exe": b"MZ\x90\0" + bytes(200),
    "report.dcm": dicom_without_pixels(uid.BasicTextSRStorage, "SR"),
    "shown.dcm": dicom_without_pixels(uid.GrayscaleSoftcopyPresentationStateStorage, "PR"),
    "raw.dcm": dicom_without_pixels(uid.RawDataStorage, "MR"),
    "surface.dcm": dicom_without_pixels(uid.SurfaceSegmentationStorage, "SEG"),
    "tracts.dcm": dicom_without_pixels(uid.TractographyResultsStorage, "MR"),
    "hung.dcm": dicom_without_pixels(uid.HangingProtocolStorage, ""),
    "palette.dcm": dicom_without_pixels(uid.ColorPaletteStorage, ""),
    "XX_0001": dicom_without_pixels(uid.UID("1.3.46.670589.11.0.0.12.1"), "MR"),
    "XX_0002": dicom_without_pixels(uid.UID("1.3.46.670589.11.0.0.12.2"), "MR"),
    "XX_0003": dicom_without_pixels(uid.UID("1.3.46.670589.11.0.0.12.4"), "MR"),
    "ge.dcm": dicom_without_pixels(uid.UID("1.2.840.113619.4.30"), "MR"),
    "outline.dcm": dicom_without_pixels(uid.RTStructureSetStorage, "RTSTRUCT"),
}


def test_what_comes_along_with_images_is_passed_over() -> None:
    assert [member.name for member in unpack(zipped(NO_IMAGES | {"a.png": PNG}))] == ["a.png"]


@pytest.mark.parametrize("name", NO_IMAGES)
def test_an_archive_without_an_image_is_refused(name: str) -> None:
    assert code_of(zipped({name: NO_IMAGES[name]})) == "zip_empty"


def test_an_empty_archive_is_refused() -> None:
    assert code_of(zipped({})) == "zip_empty"


@pytest.mark.parametrize(
    "data",
    [
        SLICES[0],
        brain_dicom(modality="CT"),
        brain_dicom(SOPClassUID=uid.SegmentationStorage),
        dicom_without_pixels(uid.UID("1.2.840.113619.4.3"), "MR"),
        SLICES[0][:200],
        PNG[:100],
        b"GIF89a" + bytes(50),
        b"\0" * 500,
        b"",
        b"\xc3",
        b"\xff\xfe",
        bytes(range(0xA0, 0x100)) * 40,
        SPANISH.encode("cp1252") + b"\0",
        SPANISH.encode("utf-16")[:40] + bytes(200),
        b"\0\1\0\0" + bytes(200),
        b"\0\0\1\0" + bytes(200),
        b"\0\0\1\0\1\0" + bytes(200),
    ],
)
def test_what_may_be_an_image_is_never_passed_over(data: bytes) -> None:
    assert [member.data for member in unpack(zipped({"a": data}))] == [data]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\scan.png", "a\\..\\b.png", "ü/é.png"]
)
def test_names_are_labels_and_lead_nowhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [member] = unpack(zipped({name: PNG}))
    assert member.data == PNG
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_archive_is_refused_with_the_reason() -> None:
    data = bytearray(zipped({"a.png": PNG}))
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + place] |= 1
    assert code_of(bytes(data)) == "zip_encrypted"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_than_deflation_is_refused(method: int) -> None:
    assert code_of(zipped({"a.png": PNG}, compression=method)) == "zip_unsupported"


def test_an_archive_in_an_archive_is_refused() -> None:
    inner = zipped({"a.png": PNG})
    assert code_of(zipped({"b.png": PNG, "inner.zip": inner})) == "zip_nested"
    assert code_of(zipped({"inner.png": inner}, compression=zipfile.ZIP_STORED)) == "zip_nested"
    with_report = zipped({"report.pdf": b"%PDF-1.7", "a.png": PNG}, compression=zipfile.ZIP_STORED)
    assert code_of(zipped({"b.png": PNG, "inner.zip": with_report})) == "zip_nested"


def test_an_archive_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner.zip").write_bytes(zipped({"a.png": PNG}))
    assert code_of_path(tmp_path) == "image_unsupported"


def test_bombs_are_refused_before_anything_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a member was opened")

    bomb, ordinary = zip_bomb(), zipped({str(number): PNG for number in range(20)})
    large = zipped({"a": bytes(300_000), "b": PNG})
    monkeypatch.setattr(zipfile.ZipFile, "open", never)
    assert code_of(bomb) == "zip_bomb"
    assert code_of(ordinary, Limits(max_files=19)) == "zip_too_many_files"
    assert code_of(ordinary, Limits(max_bytes=len(PNG) - 1)) == "zip_too_large"
    assert code_of(ordinary, Limits(max_total_bytes=len(ordinary) - 1)) == "image_too_many_bytes"
    assert code_of(large, Limits(max_total_bytes=250_000)) == "zip_too_large"


def test_black_slices_are_no_bomb() -> None:
    black = bytes(2**19)
    assert len(list(unpack(zipped({"black": black, "a.png": PNG})))) == 2


def test_a_member_that_unpacks_to_more_than_it_says_costs_nothing() -> None:
    data = bytearray(zipped({"a.png": bytes(2**28)}))
    for signature, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        start = data.index(signature) + place
        data[start : start + 4] = struct.pack("<I", 5000)
    before, start_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert code_of(bytes(data)) == "zip_unreadable"
    assert time.process_time() - start_s < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def test_a_directory_of_a_million_entries_is_not_read() -> None:
    entry = b"PK\1\2" + bytes(42)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, len(entry) * 400_000, 4, 0)
    started = time.process_time()
    assert code_of(b"PK\3\4" + entry * 400_000 + end) == "zip_too_many_files"
    assert time.process_time() - started < 0.5


def test_an_archive_cut_anywhere_is_refused() -> None:
    data = zipped({"a.png": PNG, "b.dcm": SLICES[0]})
    for length in range(4, len(data), len(data) // 60):
        assert code_of(data[:length]) == "zip_unreadable"
    assert code_of(b"") == "image_empty"
    assert code_of(PNG) == "zip_unreadable"


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_archive_is_unpacked_or_refused_and_nothing_else(seed: int) -> None:
    source, data = random.Random(seed), bytearray(zipped({"a.png": PNG[:400], "b.dcm": SLICES[0][:300]}))
    for _ in range(source.choice([1, 3, 9])):
        data[source.randrange(4, len(data))] = source.choice([0, 255, source.randrange(256)])
    try:
        assert len(list(unpack(bytes(data)))) <= 2
    except ImageError as error:
        assert error.code in CODES


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_bytes_after_the_beginning_of_an_archive_are_refused(rest: bytes) -> None:
    assert code_of(b"PK\3\4" + rest) in ("zip_unreadable", "zip_empty")


Pack = Callable[[dict[str, bytes]], Path]


@pytest.fixture(params=["folder", "zip"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Pack:
    """Lay files into a folder or a ZIP archive."""

    def make(files: dict[str, bytes]) -> Path:
        path: Path = tmp_path / "scan"
        if request.param == "zip":
            path.write_bytes(zipped(files))
            return path
        path.mkdir()
        for name, data in files.items():
            if not name.endswith("/"):
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_bytes(data)
        return path

    return make


def test_a_folder_and_an_archive_give_the_series_that_they_hold(pack: Pack) -> None:
    scrambled = {f"disk/{7 * number % 5}": data for number, data in enumerate(SLICES)}
    found = list(read_path(pack(scrambled | {"z/photo.png": PNG} | NO_IMAGES)))
    assert [series.image.facts.kind for series in found] == ["dicom", "png"]
    assert grade_order(found[0].image.slices) == list(range(5))


def test_the_file_at_fault_is_named(pack: Pack) -> None:
    with pytest.raises(ImageError, match=r"^b/bad\.dcm: .*\.$") as caught:
        list(read_path(pack({"a.png": PNG, "b/a.dcm": SLICES[0], "b/bad.dcm": SLICES[1][:-80]})))
    assert (caught.value.code, caught.value.member) == ("image_truncated", 2)


def test_series_come_one_by_one_and_each_is_held_against_the_limit_on_pixels(pack: Pack) -> None:
    several = {f"{n}/{m}": data for n in range(3) for m, data in enumerate(dicom_slices(5, series=f"1.{n}"))}
    path = pack(several | {"3/bad.dcm": SLICES[1][:-80]})
    found = read_path(path, Limits(max_pixels=5 * 40 * 36))
    assert [next(found).members for _ in range(3)] == [tuple(range(n, n + 5)) for n in (0, 5, 10)]
    with pytest.raises(ImageError, match=r"^3/bad\.dcm: "):
        next(found)
    with pytest.raises(ImageError, match=r"^0/4: ") as caught:
        next(read_path(path, Limits(max_pixels=5 * 40 * 36 - 1)))
    assert caught.value.code == "image_too_large"


def test_a_place_without_images_is_refused(pack: Pack) -> None:
    assert code_of_path(pack(NO_IMAGES)) in ("folder_empty", "zip_empty")


def test_a_single_file_is_one_series(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(PNG)
    [series] = read_path(tmp_path / "a")
    assert (series.members, series.image.facts.kind) == ((0,), "png")


def test_limits_hold_for_folders(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / str(number)).write_bytes(PNG)
    assert len(list(read_path(tmp_path))) == 6
    assert code_of_path(tmp_path, Limits(max_files=5)) == "too_many_files"
    assert code_of_path(tmp_path, Limits(max_files=1)) == "too_many_files"
    assert code_of_path(tmp_path, Limits(max_total_bytes=5 * len(PNG))) == "too_many_bytes"


def test_an_absent_path_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_path(tmp_path / "absent"))


@pytest.mark.data
def test_the_real_volumes_in_a_folder_are_read_but_for_the_one_that_is_refused(data: Path) -> None:
    with pytest.raises(ImageError, match=r"edge_4d.*time series of 10 volumes") as caught:
        list(read_path(data / "volumes"))
    assert (caught.value.code, caught.value.member) == ("nifti_4d", 0)
