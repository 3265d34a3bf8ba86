from django.db import migrations, models

from classifier.migrations._append_only import install, remove


class Migration(migrations.Migration):
    dependencies = [("classifier", "0012_scan_patient_digest")]

    operations = [
        migrations.RemoveConstraint(model_name="review", name="review_region_is_wrong"),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("wrong_region", True),
                    ("region__isnull", True),
                    ("label__in", ["glioma", "meningioma", "pituitary"]),
                    _connector="OR",
                ),
                name="review_region_is_of_tumour",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
