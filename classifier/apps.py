from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClassifierConfig(AppConfig):
    name = "classifier"
    verbose_name = _("Cases")

    def ready(self) -> None:
        from . import checks  # noqa: F401
        from .models.names import translate_names

        translate_names(self)
