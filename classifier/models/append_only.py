"""Rows that are written once. Triggers in the database hold the same line against plain SQL."""

from typing import Any, NoReturn

from django.db import models


class AppendOnlyRows:
    """Mixed into a QuerySet that adds and reads; ``bulk_update`` ends in ``update`` and is refused too."""

    def update(self, **_: Any) -> NoReturn:
        raise TypeError("These rows never change.")

    def delete(self) -> NoReturn:
        raise TypeError("These rows are never deleted.")


class AppendOnlyModel(models.Model):
    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError(f"A row of {type(self).__name__} never changes.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"A row of {type(self).__name__} is never deleted.")
