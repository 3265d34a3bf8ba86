"""Run in the portal's environment: rings the bell once for each analysis named, as often as it is named."""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "mri_portal.settings"
django.setup()

from classifier.tasks import run_analysis  # noqa: E402

for analysis_id in sys.argv[1:]:
    run_analysis.delay(analysis_id)
