"""Triggers that refuse to change a medical fact, whoever sends the SQL.

A migration that alters one of these tables ends with ``RunPython(install, remove)`` again: SQLite makes an
altered table anew, without its triggers.
"""

from dataclasses import dataclass

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

WRITTEN_ONCE = (
    "classifier_auditevent",
    "classifier_review",
    "classifier_scan",
    "classifier_scanfile",
)


@dataclass(frozen=True)
class Refusal:
    table: str
    event: str
    condition: str = ""

    @property
    def name(self) -> str:
        return f"{self.table}_refuses_{self.event.split()[0].lower()}"


REFUSALS = (
    *(Refusal(table, event) for table in WRITTEN_ONCE for event in ("UPDATE", "DELETE")),
    Refusal("classifier_analysis", "UPDATE", "OLD.status IN ('succeeded', 'failed')"),
    Refusal("classifier_analysis", "DELETE"),
    Refusal("classifier_modelversion", "UPDATE OF id, version, sha256, card, registered_at"),
    Refusal("classifier_modelversion", "DELETE"),
)

POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION classifier_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A row of % refuses %.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    remove(apps, schema_editor)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL_FUNCTION, params=None)
    for refusal in REFUSALS:
        schema_editor.execute(CREATE[schema_editor.connection.vendor](refusal))


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    on_table = schema_editor.connection.vendor == "postgresql"
    for refusal in REFUSALS:
        table = f" ON {refusal.table}" if on_table else ""
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {refusal.name}{table}")


def _postgresql(refusal: Refusal) -> str:
    when = f"WHEN ({refusal.condition}) " if refusal.condition else ""
    return (
        f"CREATE TRIGGER {refusal.name} BEFORE {refusal.event} ON {refusal.table} "
        f"FOR EACH ROW {when}EXECUTE FUNCTION classifier_refuse_change()"
    )


def _sqlite(refusal: Refusal) -> str:
    when = f"WHEN {refusal.condition} " if refusal.condition else ""
    operation = refusal.event.split()[0]
    return (
        f"CREATE TRIGGER {refusal.name} BEFORE {refusal.event} ON {refusal.table} FOR EACH ROW {when}"
        f"BEGIN SELECT RAISE(ABORT, 'A row of {refusal.table} refuses {operation}.'); END"
    )


CREATE = {"postgresql": _postgresql, "sqlite": _sqlite}
