"""Signing in and out, the lock-out, and changing one's own password."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from classifier.models import User
from classifier.pages import errors
from classifier.pages.forms import OwnPasswordForm, SignInForm
from classifier.pages.preferences import remember_user
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.services import sign_ins


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"ended": "ended" in self.request.GET}

    @transaction.atomic
    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        sign_ins.note_sign_in(actor=page_actor(self.request))
        return remember_user(self.request, response, form.get_user())

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        _note_failure(self.request)
        return super().form_invalid(form)


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: Any) -> HttpResponse:
    """Called by django-axes in place of the answer to a sign-in that it has blocked."""
    sign_ins.note_lock_out(actor=page_actor(request), name_tried=_name_tried(request))
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    answer = errors.respond(
        request,
        status=settings.AXES_HTTP_RESPONSE_CODE,
        code="locked_out",
        heading=_("Too many failed sign-ins"),
        signed_out=True,
        detail=_(
            "This name cannot sign in from here for %(minutes)d minutes. An administrator can help sooner."
        )
        % {"minutes": minutes},
    )
    answer["Retry-After"] = str(minutes * 60)
    return answer


@require_safe
def session(request: SignedInRequest) -> HttpResponse:
    """Asked before a page sends what somebody has typed: who is signed in, and a form's key of now.

    Whoever has signed in anew, in another window, has other keys; what they have typed here is not lost.
    """
    return JsonResponse({"user": str(request.user.pk), "token": get_token(request)})


@require_POST
def sign_out(request: SignedInRequest) -> HttpResponse:
    sign_ins.note_sign_out(actor=page_actor(request))
    logout(request)
    messages.success(request, _("You have signed out."))
    return redirect("login")


@sensitive_post_parameters()
def change_password(request: SignedInRequest) -> HttpResponse:
    form = OwnPasswordForm(request.user, form_data(request), request=request)
    if request.method == "POST" and form.is_valid():
        sign_ins.change_password(actor=page_actor(request), password=form.cleaned_data["new_password1"])
        update_session_auth_hash(request, request.user)
        messages.success(request, _("Your password is changed. Other sessions of yours have ended."))
        return redirect("own_settings")
    if form.has_error("old_password", "password_incorrect"):
        _note_failure(request)
    return render(request, "accounts/password.html", {"form": form}, status=400 if form.is_bound else 200)


def _note_failure(request: HttpRequest) -> None:
    """Unless it is noted as a lock-out."""
    if not getattr(request, "axes_locked_out", False):
        sign_ins.note_failed_sign_in(actor=page_actor(request), name_tried=_name_tried(request))


def _name_tried(request: HttpRequest) -> str:
    if isinstance(request.user, User):  # at their own password
        return request.user.get_username()
    return request.POST.get("username", "")
