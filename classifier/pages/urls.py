from django.urls import path

from classifier.pages import accounts, cases, model_cards, own_settings, reviews, scans, worklist

urlpatterns = [
    path("", worklist.worklist, name="worklist"),
    path("worklist/rows/", worklist.worklist_rows, name="worklist_rows"),
    path("sign-in/", accounts.SignIn.as_view(), name="login"),
    path("sign-out/", accounts.sign_out, name="sign_out"),
    path("settings/", own_settings.own_settings, name="own_settings"),
    path("settings/password/", accounts.change_password, name="change_password"),
    path("settings/theme/", own_settings.choose_theme, name="choose_theme"),
    path("settings/tokens/<int:token_id>/revoke/", own_settings.revoke_token, name="revoke_token"),
    path("cases/new/", cases.new_case, name="new_case"),
    path("cases/<uuid:case_id>/", cases.case_page, name="case"),
    path("cases/<uuid:case_id>/progress/", cases.progress, name="progress"),
    path("cases/<uuid:case_id>/history/", cases.case_history, name="case_history"),
    path("cases/<uuid:case_id>/upload/", scans.upload, name="upload"),
    path("scans/<uuid:scan_id>/", scans.scan_page, name="scan"),
    path("scans/<uuid:scan_id>/picture/<int:index>.png", scans.picture, name="picture"),
    path("scans/<uuid:scan_id>/files/<int:position>/", scans.file, name="file"),
    path("scans/<uuid:scan_id>/analyse/", scans.analyse, name="analyse"),
    path("analyses/<uuid:analysis_id>/review/", reviews.review, name="review"),
    path("models/<str:version>/", model_cards.model_card, name="model_card"),
]
