"""Where a tumour lies, how far an analysis is, and a version that somebody asks for."""

import django.db.models.deletion
from django.db import migrations, models

from ._append_only import install, remove


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0006_audit_restored"),
    ]

    operations = [
        migrations.AddField(
            model_name="analysis",
            name="finding",
            field=models.JSONField(
                blank=True, help_text="where the tumour lies, and how large it is", null=True
            ),
        ),
        migrations.AddField(
            model_name="analysis",
            name="masks_name",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="analysis",
            name="masks_sha256",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="analysis",
            name="requested_version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="classifier.modelversion",
            ),
        ),
        migrations.AddField(
            model_name="analysis",
            name="slices_done",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="analysis",
            name="slices_total",
            field=models.PositiveIntegerField(default=0, help_text="0 until the model knows"),
        ),
        migrations.AddConstraint(
            model_name="analysis",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("masks_name", ""), ("masks_sha256", "")),
                    models.Q(
                        models.Q(("masks_name", ""), _negated=True),
                        models.Q(("masks_sha256", ""), _negated=True),
                        ("status", "succeeded"),
                    ),
                    _connector="OR",
                ),
                name="analysis_masks_have_digest",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
