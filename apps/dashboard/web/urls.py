"""Addresses of the pages that compose rooms."""

from django.urls import path, re_path

from apps.dashboard.web import gallery, home, welcome
from apps.dashboard.web.styleguide import StyleguideView
from apps.dashboard.web.usage_split import UsageSplitView

app_name = "dashboard"

_PROJECT = "<slug:organization>/<slug:project>/"

urlpatterns = [
    path("styleguide/", StyleguideView.as_view(), name="styleguide"),
    # Neither a page of the user nor one of the whole organization: those come later in the list of addresses.
    re_path(
        r"^(?P<organization>(?!profile/|invitations/)[-\w]+)/(?P<project>(?!new/|settings/)[-\w]+)/$",
        home.HomeView.as_view(),
        name="home",
    ),
    path("<slug:organization>/settings/usage/split/", UsageSplitView.as_view(), name="usage-split"),
    path(f"{_PROJECT}search/", home.SearchView.as_view(), name="search"),
    path(f"{_PROJECT}welcome/", welcome.WelcomeView.as_view(), name="welcome"),
    path(f"{_PROJECT}welcome/try/", welcome.TrySampleView.as_view(), name="try"),
    path(f"{_PROJECT}welcome/key/", welcome.FirstKeyView.as_view(), name="first-key"),
    path(f"{_PROJECT}welcome/call/", welcome.FirstCallView.as_view(), name="first-call"),
    path(f"{_PROJECT}welcome/skip/", welcome.SkipView.as_view(), name="skip"),
    path(f"{_PROJECT}gallery/", gallery.GalleryView.as_view(), name="gallery"),
    path(f"{_PROJECT}gallery/<slug:example>/", gallery.ExampleView.as_view(), name="example"),
    path(f"{_PROJECT}home/activity/", home.ActivityPanel.as_view(), name="activity"),
    path(f"{_PROJECT}home/batches/", home.BatchesPanel.as_view(), name="batches"),
    path(f"{_PROJECT}home/alerts/", home.AlertsPanel.as_view(), name="alerts"),
    path(f"{_PROJECT}home/failing/", home.FailingPanel.as_view(), name="failing"),
    path(f"{_PROJECT}home/drafts/", home.DraftsPanel.as_view(), name="drafts"),
    path(f"{_PROJECT}home/labels/", home.LabelsPanel.as_view(), name="labels"),
    path(f"{_PROJECT}home/quota/", home.QuotaPanel.as_view(), name="quota"),
]
