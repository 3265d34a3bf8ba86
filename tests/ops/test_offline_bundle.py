"""The bundle for a machine without a network: complete, checked before use, refused when altered."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.ops import names
from tests.ops.test_compose import services

DOCKER = """#!/bin/sh
echo "docker $*" >> "$CALLS"
case $1 in save) printf 'the images' ;; load) cat > /dev/null ;; esac
"""
PYTHON = """#!/bin/sh
echo "python $*" >> "$CALLS"
case "$*" in
    *"pip download"*) for last in "$@"; do :; done; mkdir -p "$last"; echo wheel > "$last/a.whl" ;;
    *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
esac
"""


class Machine:
    """Its Docker and Python only write down what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        binaries = folder / "bin"
        binaries.mkdir()
        for name, script in (("docker", DOCKER), ("python3.11", PYTHON)):
            (binaries / name).write_text(script)
            (binaries / name).chmod(0o755)
        self.environment = os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}", "CALLS": str(self.calls)}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=names.ROOT, env=self.environment, capture_output=True, text=True, check=False
        )

    def asked(self) -> str:
        return self.calls.read_text() if self.calls.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The machine that made the bundle, which lies beside its calls."""
    if shutil.which("git") is None or not (names.ROOT / ".git").exists():
        pytest.skip("a bundle is made with git in a checkout of the project")
    machine = Machine(tmp_path_factory.mktemp("connected"))
    made = machine.run("deploy/offline_bundle.sh", str(machine.calls.parent / "bundle"))
    assert made.returncode == 0, made.stderr
    return machine


@pytest.fixture
def bundle(connected: Machine, tmp_path: Path) -> Path:
    return Path(shutil.copytree(connected.calls.parent / "bundle", tmp_path / "bundle"))


def test_the_bundle_holds_project_wheels_and_every_image_of_compose(connected: Machine, bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == {
        "SHA256SUMS",
        "images.tar.gz",
        "install.sh",
        "project.tar.gz",
        "wheels",
    }
    [saved] = [line for line in connected.asked().splitlines() if line.startswith("docker save")]
    others = {service["image"] for service in services("docker-compose.yml").values()}
    own = {image for image in others if image.startswith("mri-portal:")}
    assert set(saved.split()[2:]) == others - own | {"mri-portal:0.1.0"}
    assert "--require-hashes --only-binary :all: --requirement requirements.txt" in connected.asked()
    with tarfile.open(bundle / "project.tar.gz") as project:
        files = set(project.getnames())
    assert {"mri-portal-0.1.0/manage.py", "mri-portal-0.1.0/ml/bundles/DEFAULT"} <= files
    assert any(name.startswith("mri-portal-0.1.0/static/vendor/") for name in files)


def test_installing_loads_the_images_and_unpacks_the_project(
    machine: Machine, bundle: Path, tmp_path: Path
) -> None:
    done = machine.run(str(bundle / "install.sh"), str(tmp_path / "portal"))
    assert done.returncode == 0, done.stderr
    assert "docker load --quiet" in machine.asked()
    assert (tmp_path / "portal" / "docker-compose.yml").is_file()
    assert "docker compose up --detach --no-build" in done.stdout


def test_without_docker_the_wheels_of_the_bundle_are_installed_by_hash(
    machine: Machine, bundle: Path, tmp_path: Path
) -> None:
    done = machine.run(str(bundle / "install.sh"), "--without-docker", str(tmp_path / "portal"))
    assert done.returncode == 0, done.stderr
    assert f"--no-index --find-links {bundle}/wheels --require-hashes" in machine.asked()
    assert (tmp_path / "portal" / ".venv" / ".installed").is_file()
    assert "docker load" not in machine.asked()


@pytest.mark.parametrize("victim", ["project.tar.gz", "wheels/a.whl", "images.tar.gz", "install.sh"])
def test_an_altered_file_stops_the_installation(
    machine: Machine, bundle: Path, tmp_path: Path, victim: str
) -> None:
    with (bundle / victim).open("ab") as handle:
        handle.write(b"\n")
    refused = machine.run(str(bundle / "install.sh"), str(tmp_path / "portal"))
    assert refused.returncode == 1
    assert "nothing was installed" in refused.stderr
    assert not (tmp_path / "portal").exists()


def test_an_added_file_stops_the_installation(machine: Machine, bundle: Path, tmp_path: Path) -> None:
    (bundle / "wheels" / "evil.whl").write_text("x")
    refused = machine.run(str(bundle / "install.sh"), str(tmp_path / "portal"))
    assert refused.returncode == 1
    assert not (tmp_path / "portal").exists()


def test_prepare_writes_secrets_once_and_keeps_them(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "deploy").mkdir(parents=True)
    (project / "deploy" / "prepare.sh").write_bytes((names.ROOT / "deploy" / "prepare.sh").read_bytes())
    (project / ".env.example").write_bytes((names.ROOT / ".env.example").read_bytes())

    def prepare() -> dict[str, str]:
        subprocess.run(["sh", "deploy/prepare.sh"], cwd=project, capture_output=True, check=True)
        return {path.name: path.read_text() for path in (project / "secrets").iterdir()}

    first = prepare()
    assert first.keys() == {"secret_key", "database_password"}
    assert all(len(secret) >= 50 and secret.isalnum() for secret in first.values())
    assert (project / "secrets").stat().st_mode & 0o777 == 0o700
    assert (project / ".env").stat().st_mode & 0o777 == 0o600
    assert prepare() == first
