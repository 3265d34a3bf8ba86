from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("classifier.api.urls")),
    path("", include("classifier.pages.urls")),
]

handler400 = "classifier.pages.errors.bad_request"
handler403 = "classifier.pages.errors.forbidden"
handler404 = "classifier.pages.errors.not_found"
handler500 = "classifier.pages.errors.server_error"
