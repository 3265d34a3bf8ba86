"""What goes on with a look that is in the audit trail already, and so leaves no event of its own.

What was recorded hands out a word of that person, day and thing: a list for its thumbnails, a page that
refreshes itself for its news. Only who has left the event has the word; asked for without it, the same is
a look like every other.
"""

from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from classifier.models import User


def word_of(user: User, *thing: object) -> str:
    """To be handed out with what has been recorded."""
    told = " ".join(map(str, (user.pk, timezone.localdate(), *thing)))
    return salted_hmac("recorded look", told).hexdigest()[:32]


def is_recorded(word: str, user: User, *thing: object) -> bool:
    """Whether ``word`` came with a recorded look of ``user`` at the thing today."""
    return constant_time_compare(word, word_of(user, *thing))
