"""Triggers that refuse to change a medical fact, whoever sends the SQL.

A migration that alters one of these tables ends with ``RunPython(install, remove)`` again: SQLite makes an
altered table anew, without its triggers.
"""

from dataclasses import dataclass

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

WRITTEN_ONCE = (
    "classifier_adjudication",
    "classifier_auditevent",
    "classifier_report",
    "classifier_reportedanalysis",
    "classifier_review",
    "classifier_scan",
    "classifier_scanfile",
)


@dataclass(frozen=True)
class Refusal:
    """``condition`` compares columns; ``found`` is a query of another table that must find nothing."""

    table: str
    event: str
    condition: str = ""
    found: str = ""

    @property
    def name(self) -> str:
        return f"{self.table}_refuses_{self.event.split()[0].lower()}"


# A signed report has said what it says of an analysis: the reads it speaks of are complete.
SIGNED = Refusal(
    "classifier_review",
    "INSERT",
    found="SELECT 1 FROM classifier_reportedanalysis WHERE analysis_id = NEW.analysis_id",
)
REFUSALS = (
    SIGNED,
    *(Refusal(table, event) for table in WRITTEN_ONCE for event in ("UPDATE", "DELETE")),
    Refusal("classifier_analysis", "UPDATE", "OLD.status IN ('succeeded', 'failed')"),
    Refusal("classifier_analysis", "DELETE"),
    Refusal("classifier_modelversion", "UPDATE OF id, version, sha256, card, registered_at"),
    Refusal("classifier_modelversion", "DELETE"),
)

POSTGRESQL_FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION classifier_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A row of % refuses %.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE FUNCTION classifier_refuse_signed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS ({SIGNED.found}) THEN
        RAISE EXCEPTION 'A row of % refuses %.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """On the tables that exist by now: earlier migrations know nothing of later ones."""
    remove(apps, schema_editor)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL_FUNCTIONS, params=None)
    present = set(schema_editor.connection.introspection.table_names())
    for refusal in REFUSALS:
        if {refusal.table, "classifier_reportedanalysis" if refusal.found else refusal.table} <= present:
            schema_editor.execute(CREATE[schema_editor.connection.vendor](refusal))


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    on_table = schema_editor.connection.vendor == "postgresql"
    for refusal in REFUSALS:
        table = f" ON {refusal.table}" if on_table else ""
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {refusal.name}{table}")


def _postgresql(refusal: Refusal) -> str:
    when = f"WHEN ({refusal.condition}) " if refusal.condition else ""
    function = "classifier_refuse_signed" if refusal.found else "classifier_refuse_change"
    return (
        f"CREATE TRIGGER {refusal.name} BEFORE {refusal.event} ON {refusal.table} "
        f"FOR EACH ROW {when}EXECUTE FUNCTION {function}()"
    )


def _sqlite(refusal: Refusal) -> str:
    condition = refusal.condition or (f"EXISTS ({refusal.found})" if refusal.found else "")
    when = f"WHEN {condition} " if condition else ""
    operation = refusal.event.split()[0]
    return (
        f"CREATE TRIGGER {refusal.name} BEFORE {refusal.event} ON {refusal.table} FOR EACH ROW {when}"
        f"BEGIN SELECT RAISE(ABORT, 'A row of {refusal.table} refuses {operation}.'); END"
    )


CREATE = {"postgresql": _postgresql, "sqlite": _sqlite}
