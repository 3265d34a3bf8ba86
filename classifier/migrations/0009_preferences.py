"""How a person wants the pages to look and speak."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0008_reading"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="guide_hidden",
            field=models.BooleanField(default=False, verbose_name="guide hidden"),
        ),
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True,
                choices=[("en", "English"), ("es", "Español")],
                max_length=8,
                verbose_name="language",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="single_keys",
            field=models.BooleanField(default=True, verbose_name="keys of one letter"),
        ),
        migrations.AddField(
            model_name="user",
            name="theme",
            field=models.CharField(
                blank=True,
                choices=[
                    ("dark", "Dark, for a reading room"),
                    ("light", "Light"),
                    ("device", "As this device prefers"),
                ],
                max_length=8,
                verbose_name="colours",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(blank=True, max_length=64, verbose_name="time zone"),
        ),
    ]
