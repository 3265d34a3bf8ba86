"""The four roles, with what each may open in the admin site."""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

HISTORY = (
    "patient",
    "case",
    "scan",
    "scanfile",
    "analysis",
    "review",
    "modelversion",
    "auditevent",
    "workerheartbeat",
)
ADMIN_SITE = {
    "clinician": (),
    "reviewer": (),
    "auditor": tuple(f"view_{model}" for model in HISTORY),
    "administrator": (
        *(f"view_{model}" for model in HISTORY),
        "view_apitoken",
        "change_apitoken",
        "view_user",
        "add_user",
        "change_user",
        "view_group",
        "add_group",
        "change_group",
    ),
}


def create_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    for label in ("auth", "classifier"):
        config = apps.get_app_config(label)
        config.models_module = True  # type: ignore[assignment]  # historical apps have none; without it nothing is created
        create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        config.models_module = None
    for role, codenames in ADMIN_SITE.items():
        group, _ = group_model.objects.get_or_create(name=role)
        group.permissions.set(permission_model.objects.filter(codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [("classifier", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
