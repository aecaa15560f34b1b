"""Pages about people, at the top level of the site; sign-in and the like are allauth's, under /accounts/."""

from django.urls import path

from accounts.views import invitation, settings, switch, team

urlpatterns = [
    path("team", team.team, name="team"),
    path("team/invitations", team.invite, name="team_invite"),
    path(
        "team/invitations/<int:invitation_id>/resend", team.resend_invitation, name="team_invitation_resend"
    ),
    path(
        "team/invitations/<int:invitation_id>/revoke", team.revoke_invitation, name="team_invitation_revoke"
    ),
    path("team/members/<int:membership_id>/role", team.change_role, name="team_member_role"),
    path("team/members/<int:membership_id>/remove", team.remove_member, name="team_member_remove"),
    path("team/leave", team.leave, name="team_leave"),
    path("settings", settings.settings_page, name="settings"),
    path("settings/profile", settings.profile, name="settings_profile"),
    path("settings/notices", settings.notices, name="settings_notices"),
    path("settings/account", settings.account, name="settings_account"),
    path("switch-account", switch.switch_account, name="switch_account"),
    path("invitations/<str:token>", invitation.invitation, name="invitation"),
]
