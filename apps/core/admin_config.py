"""Django's admin with our site in place of the stock one; named in INSTALLED_APPS."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Makes `django.contrib.admin.site` a StaffSite."""

    default_site = "apps.core.admin_site.StaffSite"
