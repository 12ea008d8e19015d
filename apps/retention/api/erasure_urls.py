from django.urls import URLPattern, path

from apps.retention.api import erasures

urlpatterns: list[URLPattern] = [
    path("erasures", erasures.ErasuresAPIView.as_view(), name="erasures"),
    path("erasures/<str:erasure>", erasures.ErasureAPIView.as_view(), name="erasure"),
    path("erasures/<str:erasure>/cancel", erasures.CancelErasureAPIView.as_view(), name="cancel-erasure"),
    path(
        "erasures/<str:erasure>/certificate",
        erasures.ErasureCertificateAPIView.as_view(),
        name="erasure-certificate",
    ),
]
