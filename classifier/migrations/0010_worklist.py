"""Cases take a place by urgency, an outcome, a last reader, an assignee and words to search; saved views."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from classifier.migrations._append_only import install, remove


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("classifier", "0009_preferences"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                (
                    "query",
                    models.CharField(blank=True, help_text="the filters as in the address", max_length=1000),
                ),
                ("is_default", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["name", "pk"],
            },
        ),
        migrations.RemoveIndex(
            model_name="case",
            name="case_worklist",
        ),
        migrations.RemoveIndex(
            model_name="case",
            name="case_worklist_everywhere",
        ),
        migrations.AddField(
            model_name="case",
            name="assignee",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assigned_cases",
                to=settings.AUTH_USER_MODEL,
                verbose_name="assigned to",
            ),
        ),
        migrations.AddField(
            model_name="case",
            name="outcome",
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name="case",
            name="reviewer",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="case",
            name="search_text",
            field=models.CharField(blank=True, editable=False, max_length=600),
        ),
        migrations.AddField(
            model_name="case",
            name="urgency",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="action",
            field=models.CharField(
                choices=[
                    ("signed_in", "Signed in"),
                    ("sign_in_failed", "Sign-in failed"),
                    ("locked_out", "Locked out"),
                    ("signed_out", "Signed out"),
                    ("password_changed", "Password changed"),
                    ("patient_viewed", "Patient viewed"),
                    ("case_opened", "Case opened"),
                    ("case_viewed", "Case viewed"),
                    ("case_assigned", "Case assigned"),
                    ("worklist_viewed", "Worklist viewed"),
                    ("scan_uploaded", "Scan uploaded"),
                    ("scan_viewed", "Scan viewed"),
                    ("image_viewed", "Image viewed"),
                    ("file_downloaded", "File downloaded"),
                    ("analysis_requested", "Analysis requested"),
                    ("analysis_finished", "Analysis finished"),
                    ("analysis_failed", "Analysis failed"),
                    ("analysis_recovered", "Analysis recovered"),
                    ("analysis_viewed", "Analysis viewed"),
                    ("review_submitted", "Review submitted"),
                    ("adjudicated", "Adjudicated"),
                    ("report_signed", "Report signed"),
                    ("report_amended", "Report amended"),
                    ("report_viewed", "Report viewed"),
                    ("report_downloaded", "Report downloaded"),
                    ("exported", "Exported"),
                    ("restored", "Restored from a backup"),
                    ("token_issued", "Token issued"),
                    ("token_revoked", "Token revoked"),
                    ("model_registered", "Model registered"),
                    ("model_activated", "Model activated"),
                    ("user_created", "User created"),
                    ("user_changed", "User changed"),
                    ("permissions_changed", "Permissions changed"),
                    ("department_created", "Department created"),
                    ("department_renamed", "Department renamed"),
                    ("policy_changed", "Reading policy changed"),
                ],
                max_length=24,
            ),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                fields=["department", "-triage", "-urgency", "-created_at", "-id"], name="case_worklist"
            ),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                fields=["-triage", "-urgency", "-created_at", "-id"], name="case_worklist_everywhere"
            ),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                fields=["outcome", "-triage", "-urgency", "-created_at", "-id"], name="case_of_outcome"
            ),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                condition=models.Q(("reviewer__isnull", False)),
                fields=["reviewer", "-triage", "-urgency", "-created_at", "-id"],
                name="case_of_reviewer",
            ),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                condition=models.Q(("assignee__isnull", False)),
                fields=["assignee", "-triage", "-urgency", "-created_at", "-id"],
                name="case_of_assignee",
            ),
        ),
        migrations.AddField(
            model_name="savedview",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="saved_views",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(fields=("user", "name"), name="saved_view_name_of_user"),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("user",), name="saved_view_one_default"
            ),
        ),
        migrations.RunPython(install, remove),
    ]
