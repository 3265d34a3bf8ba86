"""A person's own views of the worklist: keep, rename, begin with, delete."""

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from classifier.errors import NotFound, UserFacingError
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.pages.worklist_forms import WorklistForm, address_of
from classifier.services import saved_views as service


@require_http_methods(["GET", "HEAD", "POST"])
def saved_views(request: SignedInRequest) -> HttpResponse:
    """The list of them; a POST keeps the filters in ``query`` under ``name``."""
    if request.method != "POST":
        return render(request, "worklist/views.html", {"views": service.views_of(request.user)})
    query = WorklistForm(QueryDict(request.POST.get("query", "")), user=request.user).query()
    try:
        view = service.save_view(actor=page_actor(request), name=request.POST.get("name", ""), query=query)
    except UserFacingError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The view “%(name)s” is kept.") % {"name": view.name})
    return redirect(address_of(query))


@require_POST
def saved_view(request: SignedInRequest, view_id: int) -> HttpResponse:
    actor, act = page_actor(request), request.POST.get("act", "")
    try:
        if act == "delete":
            service.delete_view(actor=actor, view_id=view_id)
        elif act == "rename":
            service.rename_view(actor=actor, view_id=view_id, name=request.POST.get("name", ""))
        else:
            service.choose_default_view(actor=actor, view_id=view_id, chosen=act == "begin")
    except NotFound:
        raise
    except UserFacingError as error:
        messages.error(request, error.detail)
    return redirect("saved_views")
