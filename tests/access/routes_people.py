"""Rows of members, invitations, roles, settings and sharing."""

from apps.tenants.roles import ANY_MEMBER, Permission
from tests.access.matrix import PUBLIC, Route, public_id

_SETTINGS = "<slug:organization>/settings"
_PROJECT = "<slug:organization>/<slug:project>"
_VIEW, _MANAGE = Permission.MEMBERS_VIEW, Permission.MEMBERS_MANAGE

FILLS = {
    "member": lambda project: public_id("tenants.Membership", project),
    "invitation": lambda project: public_id("tenants.Invitation", project),
    "role": lambda project: public_id("tenants.CustomRole", project),
    "prompt": lambda project: public_id("prompts.Prompt", project),
    "grant": lambda project: public_id("tenants.ProjectUserObjectPermission", project),
}

ROUTES = (
    Route("GET", "invitations/<str:token>/", PUBLIC, example="invitations/none/"),
    Route("POST", "invitations/<str:token>/", PUBLIC, example="invitations/none/"),
    Route("GET", f"{_SETTINGS}/", ANY_MEMBER),
    Route("POST", f"{_SETTINGS}/", Permission.ORGANIZATION_MANAGE),
    Route("GET", f"{_SETTINGS}/leave/", ANY_MEMBER),
    Route("POST", f"{_SETTINGS}/leave/", ANY_MEMBER),
    # The page looks for the owner itself: ownership is no permission that can be given.
    Route("GET", f"{_SETTINGS}/transfer/", ANY_MEMBER),
    Route("POST", f"{_SETTINGS}/transfer/", ANY_MEMBER),
    Route("GET", f"{_SETTINGS}/members/", _VIEW),
    Route("GET", f"{_SETTINGS}/members/invite/", _MANAGE),
    Route("POST", f"{_SETTINGS}/members/invite/", _MANAGE),
    Route("GET", f"{_SETTINGS}/members/<str:member>/role/", _MANAGE),
    Route("POST", f"{_SETTINGS}/members/<str:member>/role/", _MANAGE),
    Route("GET", f"{_SETTINGS}/members/<str:member>/remove/", _MANAGE),
    Route("POST", f"{_SETTINGS}/members/<str:member>/remove/", _MANAGE),
    Route("GET", f"{_SETTINGS}/invitations/<str:invitation>/resend/", _MANAGE),
    Route("POST", f"{_SETTINGS}/invitations/<str:invitation>/resend/", _MANAGE),
    Route("GET", f"{_SETTINGS}/invitations/<str:invitation>/revoke/", _MANAGE),
    Route("POST", f"{_SETTINGS}/invitations/<str:invitation>/revoke/", _MANAGE),
    Route("GET", f"{_SETTINGS}/roles/", _VIEW),
    Route("GET", f"{_SETTINGS}/roles/new/", _MANAGE),
    Route("POST", f"{_SETTINGS}/roles/new/", _MANAGE),
    Route("GET", f"{_SETTINGS}/roles/<str:role>/", _MANAGE),
    Route("POST", f"{_SETTINGS}/roles/<str:role>/", _MANAGE),
    Route("GET", f"{_SETTINGS}/roles/<str:role>/delete/", _MANAGE),
    Route("POST", f"{_SETTINGS}/roles/<str:role>/delete/", _MANAGE),
    Route("GET", f"{_PROJECT}/settings/", ANY_MEMBER),
    Route("POST", f"{_PROJECT}/settings/", Permission.ORGANIZATION_MANAGE),
    Route("POST", f"{_PROJECT}/settings/access/", _MANAGE),
    Route("GET", f"{_PROJECT}/prompts/<str:prompt>/share/", Permission.PROMPTS_VIEW),
    Route("POST", f"{_PROJECT}/prompts/<str:prompt>/share/", _MANAGE),
    Route("GET", "api/v1/members", _VIEW),
    Route("GET", "api/v1/members/<str:member>", _VIEW),
    Route("PATCH", "api/v1/members/<str:member>", _MANAGE),
    Route("DELETE", "api/v1/members/<str:member>", _MANAGE),
    Route("GET", "api/v1/invitations", _VIEW),
    Route("POST", "api/v1/invitations", _MANAGE),
    Route("GET", "api/v1/invitations/<str:invitation>", _VIEW),
    Route("DELETE", "api/v1/invitations/<str:invitation>", _MANAGE),
    Route("POST", "api/v1/invitations/<str:invitation>/resend", _MANAGE),
    Route("GET", "api/v1/roles", _VIEW),
    Route("POST", "api/v1/roles", _MANAGE),
    Route("GET", "api/v1/roles/<str:role>", _VIEW),
    Route("PATCH", "api/v1/roles/<str:role>", _MANAGE),
    Route("DELETE", "api/v1/roles/<str:role>", _MANAGE),
    Route("GET", "api/v1/grants", _VIEW),
    Route("POST", "api/v1/grants", _MANAGE),
    Route("DELETE", "api/v1/grants/<str:grant>", _MANAGE),
)
