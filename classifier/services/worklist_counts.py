"""How many cases wait where: counted up to a limit, in one question, however many there are."""

from dataclasses import dataclass

from django.db.models import IntegerField, QuerySet, Subquery

from classifier.models import Case, User

AT_MOST = 1000


class _Counted(Subquery):
    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


@dataclass(frozen=True)
class Counts:
    """By triage, and the open cases assigned to the person; ``AT_MOST`` stands for as many or more."""

    by_triage: dict[int, int]
    mine: int


def count_worklist(*, user: User) -> Counts:
    """Of every case that ``user`` may see, whatever the filters."""
    cases = Case.objects.visible_to(user)
    triages = sorted(Case.Triage.values, reverse=True)
    mine = cases.filter(assignee=user.pk, triage__gt=Case.Triage.REVIEWED)
    asked = [_counted(cases.filter(triage=triage)) for triage in triages]
    *found, own = User.objects.filter(pk=user.pk).values_list(*asked, _counted(mine)).get()
    return Counts(dict(zip(triages, found, strict=True)), own)


def _counted(cases: QuerySet[Case]) -> _Counted:
    return _Counted(cases.order_by().values("pk")[:AT_MOST])
