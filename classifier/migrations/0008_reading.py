"""How departments read: policies, adjudications, signed reports; and the place of a wrong region."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from ._append_only import install, remove

REVIEWED_BEFORE, REVIEWED, SIGNED = 0, 5, 0


def make_room_for_signed(apps, schema_editor):
    """Reviewed was the last place of the worklist; signed comes after it."""
    apps.get_model("classifier", "Case").objects.filter(triage=REVIEWED_BEFORE).update(triage=REVIEWED)


def give_the_room_back(apps, schema_editor):
    cases = apps.get_model("classifier", "Case").objects
    cases.filter(triage__in=[REVIEWED, SIGNED]).update(triage=REVIEWED_BEFORE)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("classifier", "0007_findings"),
    ]

    operations = [
        migrations.CreateModel(
            name="Adjudication",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "answer",
                    models.CharField(
                        choices=[
                            ("glioma", "Glioma"),
                            ("meningioma", "Meningioma"),
                            ("notumor", "No tumour"),
                            ("pituitary", "Pituitary tumour"),
                            ("cannot_tell", "Cannot tell"),
                        ],
                        max_length=12,
                    ),
                ),
                ("comment", models.TextField(blank=True, max_length=4000)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="DepartmentPolicy",
            fields=[
                (
                    "department",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="reading_policy",
                        serialize=False,
                        to="auth.group",
                    ),
                ),
                (
                    "second_reader",
                    models.BooleanField(
                        default=False,
                        help_text="Every scan is read by two persons; who reads second does not see the first read.",
                        verbose_name="two independent reads",
                    ),
                ),
                (
                    "blind",
                    models.BooleanField(
                        default=False,
                        help_text="The machine's answer stays hidden from each reader until their own read is recorded.",
                        verbose_name="blind reading",
                    ),
                ),
            ],
            options={
                "verbose_name": "reading policy",
                "verbose_name_plural": "reading policies",
            },
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("version", models.PositiveSmallIntegerField(default=1)),
                (
                    "answer",
                    models.CharField(
                        choices=[
                            ("glioma", "Glioma"),
                            ("meningioma", "Meningioma"),
                            ("notumor", "No tumour"),
                            ("pituitary", "Pituitary tumour"),
                            ("cannot_tell", "Cannot tell"),
                        ],
                        max_length=12,
                        verbose_name="final answer",
                    ),
                ),
                ("impression", models.TextField(blank=True, max_length=8000)),
                ("reason", models.CharField(blank=True, help_text="why it was amended", max_length=500)),
                ("content", models.JSONField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="ReportedAnalysis",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "reported analyses",
            },
        ),
        migrations.AddField(
            model_name="review",
            name="blind",
            field=models.BooleanField(default=False, help_text="given before the machine's answer was seen"),
        ),
        migrations.AddField(
            model_name="review",
            name="region",
            field=models.JSONField(
                blank=True, help_text="slice, and box as left, top, right, bottom in its pixels", null=True
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="wrong_region",
            field=models.BooleanField(default=False),
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
        migrations.AlterField(
            model_name="case",
            name="triage",
            field=models.PositiveSmallIntegerField(
                choices=[
                    (0, "Signed"),
                    (5, "Reviewed"),
                    (10, "No tumour seen"),
                    (20, "No images yet"),
                    (30, "Analysis under way"),
                    (40, "Refused or failed"),
                    (45, "Second read needed"),
                    (50, "Uncertain"),
                    (55, "Adjudication needed"),
                    (58, "To be read"),
                    (60, "Tumour suspected"),
                ],
                default=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(("wrong_region", True), ("region__isnull", True), _connector="OR"),
                name="review_region_is_wrong",
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(("blind", False), ("wrong_region", False), _connector="OR"),
                name="review_blind_saw_no_region",
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="adjudicator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="adjudications",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="analysis",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="adjudication",
                to="classifier.analysis",
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="first_read",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="classifier.review"
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="first_reader",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="second_read",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="classifier.review"
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="second_reader",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="report",
            name="author",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reports",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="report",
            name="case",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reports", to="classifier.case"
            ),
        ),
        migrations.AddField(
            model_name="reportedanalysis",
            name="analysis",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reported", to="classifier.analysis"
            ),
        ),
        migrations.AddField(
            model_name="reportedanalysis",
            name="report",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reported", to="classifier.report"
            ),
        ),
        migrations.AddField(
            model_name="report",
            name="analyses",
            field=models.ManyToManyField(
                related_name="reports", through="classifier.ReportedAnalysis", to="classifier.analysis"
            ),
        ),
        migrations.AddIndex(
            model_name="adjudication",
            index=models.Index(fields=["-created_at", "-id"], name="adjudication_newest"),
        ),
        migrations.AddConstraint(
            model_name="adjudication",
            constraint=models.CheckConstraint(
                condition=models.Q(("first_read", models.F("second_read")), _negated=True),
                name="adjudication_between_two_reads",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjudication",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("first_reader", models.F("second_reader")), _negated=True),
                    models.Q(("adjudicator", models.F("first_reader")), _negated=True),
                    models.Q(("adjudicator", models.F("second_reader")), _negated=True),
                ),
                name="adjudication_by_a_third_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjudication",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("answer__in", ["glioma", "meningioma", "notumor", "pituitary", "cannot_tell"])
                ),
                name="adjudication_has_an_answer",
            ),
        ),
        migrations.AddConstraint(
            model_name="reportedanalysis",
            constraint=models.UniqueConstraint(fields=("report", "analysis"), name="reported_analysis_once"),
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(fields=["-created_at", "-id"], name="report_newest"),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.UniqueConstraint(fields=("case", "version"), name="report_version_of_case"),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__gte", 1)), name="report_version_from_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("version", 1), ("reason", "")),
                    models.Q(("version__gt", 1), models.Q(("reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="report_amendment_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("answer__in", ["glioma", "meningioma", "notumor", "pituitary", "cannot_tell"])
                ),
                name="report_has_an_answer",
            ),
        ),
        migrations.RunPython(make_room_for_signed, give_the_room_back),
        migrations.RunPython(install, remove),
    ]
