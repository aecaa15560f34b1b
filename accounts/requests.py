"""Reading a request."""

from django.http import HttpRequest

from accounts.models import User


def signed_in(request: HttpRequest) -> User:
    """The person, in a view that only signed-in people reach."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("this view is for signed-in people")
    return user
