"""What accounts refuses, by name. Views turn each into a sentence; billing's table gives API statuses."""


class AccountsRefusal(Exception):
    """A request that was understood and is not carried out; ``str()`` is fit for the person who asked."""


class NoFreeSlot(AccountsRefusal):
    """The plan's API keys are all in use. ``names`` lists the keys that could be revoked, oldest first."""

    def __init__(self, slots: int, names: list[str]) -> None:
        self.slots = slots
        self.names = names
        super().__init__(_no_free_slot(slots, names))


class KeyNotUsable(AccountsRefusal):
    """The key is revoked, expired or already being replaced, so it cannot be rotated."""


class LastOwner(AccountsRefusal):
    """An account always keeps one owner."""


class AlreadyMember(AccountsRefusal):
    """The invited address belongs to somebody who is in the account already."""


class InvitationNotValid(AccountsRefusal):
    """The invitation was used, revoked, replaced or is too old."""


class TooManyInvitations(AccountsRefusal):
    """Too many invitations are open, or this one was sent a moment ago."""


class InvitationForSomeoneElse(AccountsRefusal):
    """The invitation went to another e-mail address than the one signed in with."""


def _no_free_slot(slots: int, names: list[str]) -> str:
    if not slots:
        return "Your plan has no API keys."
    keys = "key" if slots == 1 else "keys"
    listed = ", ".join(f"“{name}”" for name in names)
    return f"All {slots} API {keys} of your plan are in use. Revoke one first: {listed}."
