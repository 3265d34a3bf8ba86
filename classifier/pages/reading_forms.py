"""Forms of reading: review, adjudication, sign-off, amendment. The services decide what is right."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from classifier.models import Analysis, Answer, Review
from classifier.models.analysis import Label
from classifier.services.reports import LONGEST_IMPRESSION, LONGEST_REASON, SignOff


class RegionField(forms.CharField):
    """A box in words: slice (from 1), left, top, right and bottom in that slice's pixels."""

    def to_python(self, value: str | None) -> dict[str, Any] | None:  # type: ignore[override]
        text = (value or "").strip()
        if not text:
            return None
        numbers = re.findall(r"\d{1,6}", text)
        if len(numbers) != 5 or re.sub(r"[\d\s,;:]", "", text):
            raise ValidationError(_("Five whole numbers are needed: slice, left, top, right, bottom."))
        index, *box = map(int, numbers)
        return {"slice": index - 1, "box": box}


class ReviewForm(forms.Form):
    """Where the machine names no class, or none yet to who reads blind, the reader says what they see."""

    verdict = forms.ChoiceField(
        label=_("Your verdict"), choices=Review.Verdict.choices, widget=forms.RadioSelect
    )
    label = forms.ChoiceField(
        label=_("The right answer"), required=False, choices=[("", _("Choose…")), *Label.choices]
    )
    comment = forms.CharField(
        label=_("Comment"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    wrong_region = forms.BooleanField(label=_("The marked region is wrong"), required=False)
    region = RegionField(
        label=_("Where it is instead"),
        required=False,
        max_length=60,
        help_text=_("Draw a box on the picture, or write slice, left, top, right and bottom in pixels."),
        widget=forms.TextInput(attrs={"data-region": "", "autocomplete": "off", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, analysis: Analysis, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = f"review-{analysis.pk}-%s"
        verdict = self.fields["verdict"]
        assert isinstance(verdict, forms.ChoiceField)  # noqa: S101 - declared above
        if not analysis.names_a_class:
            verdict.choices = [
                (Review.Verdict.CORRECT, _("I see")),
                (Review.Verdict.CANNOT_TELL, Review.Verdict.CANNOT_TELL.label),
            ]
            self.fields["label"].label = _("Your answer")
        if not (analysis.suspects_tumour or analysis.finding):
            del self.fields["wrong_region"]
            self.fields["region"].label = _("Where you see a tumour")

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("verdict") == Review.Verdict.CORRECT and given.get("label") == "":
            self.add_error("label", _("Choose the right answer."))
        return given


class AdjudicationForm(forms.Form):
    answer = forms.ChoiceField(label=_("Your decision"), choices=Answer.choices, widget=forms.RadioSelect)
    comment = forms.CharField(
        label=_("Comment"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class SignForm(forms.Form):
    """``state`` is what the signer has seen; the service refuses when something came meanwhile."""

    answer = forms.ChoiceField(label=_("Final answer"), widget=forms.RadioSelect)
    impression = forms.CharField(
        label=_("Impression"),
        max_length=LONGEST_IMPRESSION,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("What the report says in your words."),
    )
    state = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, sign_off: SignOff, **kwargs: Any) -> None:
        initial = {"state": sign_off.state}
        if len(sign_off.answers) == 1:
            initial["answer"] = sign_off.answers[0]
        if sign_off.report:
            initial |= {"answer": sign_off.report.answer, "impression": sign_off.report.impression}
        super().__init__(*args, **(kwargs | {"initial": initial}))
        answer = self.fields["answer"]
        assert isinstance(answer, forms.ChoiceField)  # noqa: S101 - declared above
        answer.choices = [(one.value, one.label) for one in sign_off.answers]


class AmendForm(SignForm):
    reason = forms.CharField(
        label=_("Reason for the amendment"),
        max_length=LONGEST_REASON,
        help_text=_("It stands in the report."),
    )
    amends = forms.IntegerField(widget=forms.HiddenInput)
    field_order = ("reason",)

    def __init__(self, *args: Any, sign_off: SignOff, **kwargs: Any) -> None:
        super().__init__(*args, sign_off=sign_off, **kwargs)
        self.initial["amends"] = sign_off.report.version if sign_off.report else None
