from typing import Final

from django.urls import URLPattern, path

from apps.retention.web import erasure_views

_HERE: Final = "<slug:organization>/settings/privacy/"

urlpatterns: list[URLPattern] = [
    path(f"{_HERE}erasure/", erasure_views.ErasuresView.as_view(), name="erasure"),
    path(f"{_HERE}erasure/end-user/", erasure_views.EraseEndUserView.as_view(), name="erase-end-user"),
    path(f"{_HERE}erasure/member/", erasure_views.EraseMemberView.as_view(), name="erase-member"),
    path(f"{_HERE}erasure/<str:erasure>/", erasure_views.ErasureView.as_view(), name="erasure-detail"),
    path(
        f"{_HERE}erasure/<str:erasure>/progress/",
        erasure_views.ErasureProgressView.as_view(),
        name="erasure-progress",
    ),
    path(
        f"{_HERE}erasure/<str:erasure>/cancel/",
        erasure_views.CancelErasureView.as_view(),
        name="cancel-erasure",
    ),
    path(
        f"{_HERE}erasure/<str:erasure>/certificate.<str:ending>",
        erasure_views.CertificateView.as_view(),
        name="erasure-certificate",
    ),
    path(f"{_HERE}delete/", erasure_views.DeleteOrganizationView.as_view(), name="delete-organization"),
]
