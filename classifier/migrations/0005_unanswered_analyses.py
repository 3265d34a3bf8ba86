from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0004_append_only"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="analysis",
            index=models.Index(
                condition=models.Q(("status", "failed"), ("outcome", "refused"), _connector="OR"),
                fields=["-created_at", "-id"],
                name="analysis_unanswered",
            ),
        ),
    ]
