from django.urls import path, re_path

from classifier.api.problems import unknown_address
from classifier.api.views.analyses import AdjudicationView, AnalysisView, ReviewsView
from classifier.api.views.cases import CasesView, CaseView, PatientsView, PatientView
from classifier.api.views.docs import DocsView, SchemaView
from classifier.api.views.models import ModelsView
from classifier.api.views.pictures import MaskView, MaskVolumeView, OverlayView, SliceView, VolumeView
from classifier.api.views.predict import PredictView
from classifier.api.views.reports import ReportPdfView, ReportsView, ReportView
from classifier.api.views.scans import ScanAnalysesView, ScanFileView, ScansView, ScanView

app_name = "api"
urlpatterns = [
    path("patients/", PatientsView.as_view(), name="patients"),
    path("patients/<uuid:pk>/", PatientView.as_view(), name="patient"),
    path("cases/", CasesView.as_view(), name="cases"),
    path("cases/<uuid:pk>/", CaseView.as_view(), name="case"),
    path("scans/", ScansView.as_view(), name="scans"),
    path("scans/<uuid:pk>/", ScanView.as_view(), name="scan"),
    path("scans/<uuid:pk>/file/", ScanFileView.as_view(), name="scan-file"),
    path("scans/<uuid:pk>/slices/<int:index>/", SliceView.as_view(), name="scan-slice"),
    path("scans/<uuid:pk>/volume/", VolumeView.as_view(), name="scan-volume"),
    path("scans/<uuid:pk>/analyses/", ScanAnalysesView.as_view(), name="scan-analyses"),
    path("analyses/<uuid:pk>/", AnalysisView.as_view(), name="analysis"),
    path("analyses/<uuid:pk>/overlay/<int:index>/", OverlayView.as_view(), name="analysis-overlay"),
    path("analyses/<uuid:pk>/mask/", MaskVolumeView.as_view(), name="analysis-mask-volume"),
    path("analyses/<uuid:pk>/mask/<int:index>/", MaskView.as_view(), name="analysis-mask"),
    path("analyses/<uuid:pk>/reviews/", ReviewsView.as_view(), name="reviews"),
    path("analyses/<uuid:pk>/adjudication/", AdjudicationView.as_view(), name="adjudication"),
    path("cases/<uuid:pk>/reports/", ReportsView.as_view(), name="reports"),
    path("reports/<uuid:pk>/", ReportView.as_view(), name="report"),
    path("reports/<uuid:pk>/pdf/", ReportPdfView.as_view(), name="report-pdf"),
    path("models/", ModelsView.as_view(), name="models"),
    path("predict/", PredictView.as_view(), name="predict"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    re_path("", unknown_address),
]
