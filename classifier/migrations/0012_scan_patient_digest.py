from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0011_worklist_places")]

    operations = [
        migrations.AddField(
            model_name="scan",
            name="patient_digest",
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
    ]
