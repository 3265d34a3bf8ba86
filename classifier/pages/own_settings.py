"""A user's own page: who they are here, and the tokens of their programs."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from classifier.errors import UserFacingError
from classifier.models import ApiToken, Role
from classifier.pages.forms import ThemeForm, TokenForm
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.services import tokens


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
        "theme_form": ThemeForm(initial={"theme": request.COOKIES.get("theme", "dark")}),
        "secret": secret,
        "tokens": request.user.api_tokens.order_by("-created_at"),
        "roles": [role.label for role in Role if role in request.user.group_names],
        "departments": [group.name for group in request.user.departments],
    }
    return render(request, "accounts/settings.html", facts, status=400 if form.is_bound else 200)


@require_POST
def choose_theme(request: SignedInRequest) -> HttpResponse:
    form = ThemeForm(request.POST)
    response = redirect("own_settings")
    if form.is_valid():
        response.set_cookie(
            "theme",
            form.cleaned_data["theme"],
            max_age=timedelta(days=365),
            samesite="Lax",
            httponly=True,
            secure=request.is_secure(),
        )
    return response


@require_POST
def revoke_token(request: SignedInRequest, token_id: int) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.filter(user=request.user), pk=token_id)
    tokens.revoke_token(actor=page_actor(request), token=token)
    messages.success(request, _("The token “%(name)s” no longer works.") % {"name": token.name})
    return redirect("own_settings")
