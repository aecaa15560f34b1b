"""What accounts tells the rest of the house without knowing it."""

from django.dispatch import Signal

# Sent with ``user`` when a signed-in person is a member of no open account; the receiver may open one.
account_needed = Signal()
