"""The admin site: case history to read, and the few acts of an administrator.

Django's own add, change and delete are switched off for every model, for superusers too.
"""

from . import history, model_versions, people, tokens, trail

__all__ = ["history", "model_versions", "people", "tokens", "trail"]
