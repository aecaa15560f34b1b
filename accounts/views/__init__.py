"""Pages about people: team, settings, invitations, the account in view."""
