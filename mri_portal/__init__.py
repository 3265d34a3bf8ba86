import sys

from .celery import app as celery_app
from .environment import refuse_in_a_sentence

__all__ = ["celery_app"]

# Here, because every process of the portal (manage.py, gunicorn, Celery) imports this package first.
sys.excepthook = refuse_in_a_sentence
