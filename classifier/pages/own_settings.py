"""A user's own page: who they are here, and the tokens of their programs."""

from django.contrib import messages
from django.forms import model_to_dict
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from classifier.errors import UserFacingError
from classifier.models import ApiToken, Role
from classifier.pages.forms import PreferencesForm, TokenForm
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.services import tokens

PREFERENCES = ("language", "theme", "time_zone", "single_keys")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("secret")
def own_settings(request: SignedInRequest) -> HttpResponse:
    """A POST makes a token; its secret stands in this one answer and nowhere else."""
    form = TokenForm(form_data(request))
    secret = ""
    if form.is_valid():
        try:
            _token, secret = tokens.issue_token(
                actor=page_actor(request), user=request.user, **form.cleaned_data
            )
            form = TokenForm()
        except UserFacingError as error:
            form.add_error(None, error.detail)
    facts = {
        "form": form,
        "preferences_form": PreferencesForm(initial=model_to_dict(request.user, PREFERENCES)),
        "secret": secret,
        "tokens": request.user.api_tokens.order_by("-created_at"),
        "roles": [role.label for role in Role if role in request.user.group_names],
        "departments": [group.name for group in request.user.departments],
    }
    return render(request, "accounts/settings.html", facts, status=400 if form.is_bound else 200)


@require_POST
def revoke_token(request: SignedInRequest, token_id: int) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.filter(user=request.user), pk=token_id)
    tokens.revoke_token(actor=page_actor(request), token=token)
    messages.success(request, _("The token “%(name)s” no longer works.") % {"name": token.name})
    return redirect("own_settings")
