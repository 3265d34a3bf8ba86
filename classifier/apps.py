from django.apps import AppConfig


class ClassifierConfig(AppConfig):
    name = "classifier"
    verbose_name = "Cases"

    def ready(self) -> None:
        from . import checks  # noqa: F401
