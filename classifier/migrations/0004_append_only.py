"""The database itself refuses to change what was written once."""

from django.db import migrations

from ._append_only import install, remove


class Migration(migrations.Migration):
    dependencies = [("classifier", "0003_audit_words")]
    operations = [migrations.RunPython(install, remove)]
