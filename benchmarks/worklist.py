"""The worklist with its filters, for clinicians of one and of all five departments and an administrator."""

import time

from benchmarks.looks import Page, clinician_of, every_department


def pages() -> dict[str, Page]:
    from classifier.models import User

    clinician = User.objects.get(username="clinician")
    everywhere = clinician_of(every_department(), "everywhere")
    administrator = User.objects.get(username="admin")
    year = time.localtime().tm_year - 1
    addresses = {
        "one department, first page": (clinician, "/"),
        "five departments, first page": (everywhere, "/"),
        "everything, first page": (administrator, "/"),
        "one department, deep page": (clinician, f"/?after={_middle()}"),
        "one department, filtered by status": (clinician, "/?status=10"),
        "one department, a year's cases": (clinician, f"/?since={year}-01-01&until={year}-12-31"),
        "five departments, reference SEED-0001": (everywhere, "/?q=SEED-0001"),
        "five departments, unknown reference": (everywhere, "/?q=nobody"),
        "five departments, refused": (everywhere, "/?outcome=refused"),
        "five departments, assigned to one": (everywhere, f"/?assigned={clinician.pk}"),
        "five departments, read by one": (everywhere, f"/?reviewer={clinician.pk}"),
        "five departments, studies of a year": (
            everywhere,
            f"/?studied_since={year}-01-01&studied_until={year}-12-31",
        ),
        "one department, everything combined": (
            clinician,
            f"/?q=seed&status=5&outcome=notumor&reviewer={clinician.pk}&assigned=me&since={year}-01-01",
        ),
        "refresh of the first page": (clinician, "/worklist/rows/"),
        "refresh of the counts": (everywhere, "/worklist/counts/"),
    }
    return {name: Page(user, [path]) for name, (user, path) in addresses.items()}


def _middle() -> str:
    """Where half of the cases lie behind, as a position in an address."""
    from classifier.models import Case
    from classifier.services.worklist_selection import Position

    ordered = Case.objects.order_by(*Case.ORDER)
    return Position.of(ordered[Case.objects.count() // 2]).encode()
