"""The compose files and the image agree with the code: commands, variables, paths, limits, hardening."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from mri_portal import settings, supervisor
from tests.ops import names

ROOT = names.ROOT
FILES = ["docker-compose.yml", "deploy/docker-compose.managed.yml"]
OURS = ["migrate", "web", "worker", "sweeper"]
# Read by the images of Caddy and PostgreSQL.
OF_OTHERS = re.compile(r"PORTAL_DOMAIN|PORTAL_TLS|POSTGRES_(USER|DB|PASSWORD_FILE|INITDB_ARGS)")


def read(file: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())
    return document


def services(file: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read(file)["services"]
    return found


EVERY = [(file, name) for file in FILES for name in services(file)]
EVERY_OF_OURS = [(file, name) for file in FILES for name in OURS]


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def seconds(text: str) -> int:
    match = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)s\}?", text)
    assert match, text
    return int(match[1])


@pytest.mark.parametrize("file", FILES)
def test_web_worker_and_sweeper_run_what_the_embedded_portal_runs(file: str) -> None:
    found = services(file)
    assert tuple(found["web"]["command"]) == supervisor.WEB
    assert tuple(found["worker"]["command"]) == (*supervisor.WORKER, "--hostname=worker@%h")
    assert tuple(found["sweeper"]["command"]) == supervisor.SWEEPER


@pytest.mark.parametrize(("file", "name"), EVERY_OF_OURS)
def test_every_command_and_health_check_exists(file: str, name: str) -> None:
    service = services(file)[name]
    checks = [service["healthcheck"]["test"][1:]] if "test" in service["healthcheck"] else []
    for command in [service["command"], *checks]:
        assert (Path(sys.executable).parent / command[0]).exists(), command
        if command[1] == "manage.py":
            assert command[2] in get_commands(), command
    assert bool(checks) != (name == "migrate")


@pytest.mark.parametrize("name", OURS)
def test_both_files_run_the_same_image_commands_and_health_checks(name: str) -> None:
    one, other = (services(file)[name] for file in FILES)
    for key in ("image", "command", "healthcheck", "stop_grace_period", "read_only", "cap_drop", "secrets"):
        assert one.get(key) == other.get(key), key
    assert one["environment"].keys() == other["environment"].keys()


@pytest.mark.parametrize(("file", "name"), EVERY)
def test_every_variable_a_container_gets_is_one_its_process_reads(file: str, name: str) -> None:
    given = services(file)[name].get("environment", {})
    read_names = {variable.removesuffix("_FILE") for variable in given if not OF_OTHERS.fullmatch(variable)}
    assert read_names <= names.read_by_the_portal()


def test_every_setting_of_the_portal_reaches_its_containers() -> None:
    """All but those that the image fixes or that only the embedded portal has."""
    fixed = {"PORTAL_DATA_DIR", "PORTAL_STATIC_ROOT", "PORTAL_BUNDLES_DIR", "PORTAL_WORKERS"}
    one_portal_on_its_redis = {"PORTAL_QUEUE", "PORTAL_REDIS_PREFIX"}
    found = services("docker-compose.yml")
    given = {variable.removesuffix("_FILE") for name in OURS for variable in found[name]["environment"]}
    assert names.read_by_the_portal() - given == fixed | one_portal_on_its_redis


@pytest.mark.parametrize("file", FILES)
def test_no_secret_has_a_default_and_secrets_come_from_files(file: str) -> None:
    text = (ROOT / file).read_text()
    for name in names.interpolated(text):
        if re.search(r"PASSWORD|SECRET(?!S_DIR)|KEY", name):
            assert re.search(rf"\$\{{{name}:-}}|\$\{{{name}:\?[^}}]+}}", text), name
    environment = services(file)["web"]["environment"]
    secrets = read(file)["secrets"]
    for variable in ("PORTAL_SECRET_KEY_FILE", "DATABASE_PASSWORD_FILE"):
        assert Path(environment[variable]).name in secrets


def test_the_folders_of_secrets_and_backups_are_those_that_prepare_makes() -> None:
    script = (ROOT / "deploy" / "prepare.sh").read_text()
    compose = (ROOT / "docker-compose.yml").read_text()
    assert "${PORTAL_SECRETS_DIR:-secrets}" in script
    assert "${PORTAL_BACKUPS_DIR:-backups}" in script
    assert "${PORTAL_SECRETS_DIR:-./secrets}/" in compose
    assert "${PORTAL_BACKUPS_DIR:-./backups}:/backups" in compose
    for name in read("docker-compose.yml")["secrets"]:
        assert name in script


@pytest.mark.parametrize("file", FILES)
def test_a_stopping_worker_has_longer_than_the_hard_time_limit(file: str, load: Any) -> None:
    worker = services(file)["worker"]
    limit = str(worker["environment"]["PORTAL_TIME_LIMIT_S"]).partition(":-")[2].removesuffix("}")
    assert seconds(worker["stop_grace_period"]) > load(PORTAL_TIME_LIMIT_S=limit)["HARD_TIME_LIMIT_S"]


def test_a_stopping_server_has_longer_than_its_own_grace() -> None:
    configuration = (ROOT / "mri_portal" / "gunicorn_conf.py").read_text()
    graceful = int(re.findall(r"^graceful_timeout = (\d+)$", configuration, flags=re.MULTILINE)[0])
    assert seconds(services("docker-compose.yml")["web"]["stop_grace_period"]) > graceful


@pytest.mark.parametrize(("file", "name"), EVERY)
def test_every_container_is_hardened(file: str, name: str) -> None:
    service = services(file)[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])


@pytest.mark.parametrize(("file", "name"), EVERY)
def test_every_image_is_pinned(file: str, name: str) -> None:
    image = services(file)[name]["image"]
    assert re.fullmatch(r"[a-z/-]+:(\d+\.\d+(\.\d+)?[\w.-]*|\$\{PORTAL_VERSION:-\d+\.\d+\.\d+})", image), (
        image
    )


@pytest.mark.parametrize("file", FILES)
def test_any_service_can_be_scaled(file: str) -> None:
    for service in services(file).values():
        assert not {"container_name", "hostname"} & service.keys()
    assert "ports" not in services(file)["worker"]
    assert any("%h" in argument for argument in services(file)["worker"]["command"])


def test_only_the_proxy_listens_beyond_this_machine() -> None:
    found = services("docker-compose.yml")
    listening = {name: service["ports"] for name, service in found.items() if "ports" in service}
    assert listening.keys() == {"web", "proxy"}
    assert all(port.startswith("127.0.0.1:") for port in listening["web"])
    assert listening["proxy"] == ["443:443"]
    assert found["proxy"]["profiles"] == ["tls"]


def test_database_broker_and_workers_have_no_way_out() -> None:
    document = read("docker-compose.yml")
    assert document["networks"]["inside"] == {"internal": True}
    for name in ("database", "broker", "worker", "sweeper", "migrate"):
        assert document["services"][name]["networks"] == ["inside"]


def test_nothing_starts_before_what_it_needs() -> None:
    found = services("docker-compose.yml")
    for name in ("web", "worker", "sweeper"):
        assert found[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert found[name]["depends_on"]["broker"] == {"condition": "service_healthy"}
    assert found["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert found["proxy"]["depends_on"] == {"web": {"condition": "service_healthy"}}


def test_the_database_is_healthy_once_it_answers_where_the_portal_asks() -> None:
    """Its socket answers before that: while a new database is being made."""
    check = services("docker-compose.yml")["database"]["healthcheck"]["test"]
    assert check[check.index("--host") + 1] == "127.0.0.1"


def test_the_database_of_the_address_is_the_one_compose_makes() -> None:
    found = services("docker-compose.yml")
    made = found["database"]["environment"]
    assert f"postgresql://{made['POSTGRES_USER']}@database:5432/{made['POSTGRES_DB']}" in str(
        found["web"]["environment"]["DATABASE_URL"]
    )
    assert made["POSTGRES_PASSWORD_FILE"] == found["web"]["environment"]["DATABASE_PASSWORD_FILE"]


@pytest.mark.parametrize("file", FILES)
def test_every_file_mounted_from_the_project_is_in_the_project(file: str) -> None:
    sources = [
        str(volume).partition(":")[0] for s in services(file).values() for volume in s.get("volumes", [])
    ]
    for source in sources:
        if source.startswith("./"):
            assert (ROOT / source).exists(), source


def test_volumes_and_networks_that_services_use_are_declared() -> None:
    for file in FILES:
        document = read(file)
        for service in document["services"].values():
            for volume in service.get("volumes", []):
                source = str(volume).partition(":")[0]
                assert source.startswith(("./", "$")) or source in document["volumes"]
            assert set(service.get("networks", [])) <= document.get("networks", {}).keys()


def test_the_image_runs_as_nobody_in_particular_and_starts_the_web_server() -> None:
    text = dockerfile()
    assert re.findall(r"^USER (.*)$", text, flags=re.MULTILINE)[-1] == "10001:10001"
    command = re.findall(r"^CMD (.*)$", text, flags=re.MULTILINE)[-1]
    assert tuple(yaml.safe_load(command)) == supervisor.WEB
    check = re.findall(r"^\s+CMD (\[.*\])$", text, flags=re.MULTILINE)[0]
    assert yaml.safe_load(check) == services("docker-compose.yml")["web"]["healthcheck"]["test"][1:]


def test_the_image_fixes_only_variables_the_portal_reads() -> None:
    fixed = set(re.findall(r"\b(PORTAL_[A-Z_]+)=", dockerfile()))
    assert fixed <= names.read_by_the_portal()


def test_the_image_installs_by_hash_and_keeps_no_build_tool() -> None:
    build, _, final = dockerfile().partition("\nFROM ${PYTHON_IMAGE}\n")
    assert "--require-hashes" in build
    assert "--only-binary :all:" in build
    assert not re.search(r"\b(pip|gcc|build-essential|-dev)\b", final)


def test_the_image_has_the_database_tools_of_the_server_it_talks_to() -> None:
    server = services("docker-compose.yml")["database"]["image"]
    [major] = re.findall(r"^postgres:(\d+)\.", server)
    assert f"postgresql-client-{major}" in dockerfile()


def test_what_the_image_copies_exists_and_secrets_stay_out_of_it() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".git", ".env", "secrets", "var", ".venv", "backups"} <= set(ignored)
    for name in ("manage.py", "pyproject.toml", "mri_portal", "classifier", "ml", "static", "templates"):
        assert (ROOT / name).exists()
        assert name not in ignored


def test_the_proxy_hands_requests_to_the_web_service() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    web = services("docker-compose.yml")["web"]
    assert f"reverse_proxy web:{web['environment']['PORTAL_PORT']}" in text
    assert (
        set(re.findall(r"\{\$(\w+)}", text)) <= services("docker-compose.yml")["proxy"]["environment"].keys()
    )


def test_the_proxy_waits_for_an_upload_as_long_as_it_arrives() -> None:
    """Caddy counts its read timeout from before the upload, and would cut off a slow one."""
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    assert "read_timeout" not in text
    [patience] = re.findall(r"response_header_timeout (\d+)s", text)
    assert int(patience) > settings.PREDICT_WAIT_S


def test_a_form_reaches_the_web_server_whole_and_not_at_the_pace_of_its_sender() -> None:
    [megabytes] = re.findall(r"request_buffers (\d+)MiB", (ROOT / "deploy" / "Caddyfile").read_text())
    assert int(megabytes) * 2**20 > settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_shell_words_of_every_command_are_one_argument_each() -> None:
    for file, name in EVERY:
        for argument in services(file)[name].get("command", []):
            assert isinstance(argument, str)
            assert len(shlex.split(argument or "''")) == 1
