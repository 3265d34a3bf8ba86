"""Run in the portal's environment: makes it ready for its first scan and prints an API token."""

import os

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "mri_portal.settings"
django.setup()

from classifier.audit import Actor  # noqa: E402
from classifier.models import User  # noqa: E402
from classifier.models.tokens import Scope  # noqa: E402
from classifier.services.tokens import issue_token  # noqa: E402

call_command("bootstrap", verbosity=0)
clinician = User.objects.get(username="clinician")
_, secret = issue_token(actor=Actor.command(), user=clinician, name="tests", scopes=list(Scope.values))
print(secret)
