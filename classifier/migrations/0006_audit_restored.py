from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0005_unanswered_analyses"),
    ]

    operations = [
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
                ],
                max_length=24,
            ),
        ),
    ]
