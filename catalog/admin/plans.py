"""The plans of a profile on one page."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from unfold.decorators import action

from catalog import plan_grid
from catalog.admin.pages import page
from catalog.models import Profile


class PlanPages:
    """The plans page of a profile; mixed into its admin."""

    @action(description="Plans", url_path="plans", permissions=["plans"])  # type: ignore[untyped-decorator]
    def plans(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every plan in a column; saved whole or not at all."""
        profile = get_object_or_404(Profile, pk=object_id)
        data: dict[str, str] | None = None
        errors: dict[str, str] = {}
        if request.method == "POST":
            data = request.POST.dict()
            edited = plan_grid.read(profile, data or {})
            if not edited.errors:
                changed = plan_grid.store(profile, edited)
                messages.success(request, f"Saved: {changed} plan{'s' * (changed != 1)} changed.")
                return redirect(reverse("admin:catalog_profile_plans", args=[profile.pk]))
            errors = edited.errors
        return page(
            request,
            "plans",
            profile,
            f"Plans of {profile.name}",
            plans=list(profile.plans.order_by("-active", "rank")),
            lines=plan_grid.lines(profile, data, errors),
            new_slug=(data or {}).get("new-slug", ""),
            slug_error=errors.get("new-slug", ""),
            opened=plan_grid.opened_by(profile),
            problems=(
                f"{len(errors)} field{'s are' if len(errors) > 1 else ' is'} not right; nothing was saved.",
            )
            if errors
            else (),
        )

    def has_plans_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("catalog.change_plan")
