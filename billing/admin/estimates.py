"""How far estimates were off in the last 30 days, in the admin."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from accounts.admin import ViewOnly
from billing.models import EstimateAccuracy
from billing.money_text import share_text
from catalog.pricing.units import micros_to_text


@admin.register(EstimateAccuracy)
class EstimateAccuracyAdmin(ViewOnly, ModelAdmin):
    """Estimate against effective cost by profile, model and operation; measured anew every half hour."""

    list_display = (
        "model",
        "operation",
        "profile",
        "count",
        "estimated_text",
        "effective_text",
        "median_text",
        "p95_text",
        "excess_text",
        "over_hold_text",
        "measured_at",
    )
    fields = readonly_fields = list_display
    list_filter = ("profile", "operation")
    search_fields = ("model", "operation")

    @admin.display(description="estimated", ordering="estimated")
    def estimated_text(self, row: EstimateAccuracy) -> str:
        return micros_to_text(row.estimated)

    @admin.display(description="effective", ordering="effective")
    def effective_text(self, row: EstimateAccuracy) -> str:
        return micros_to_text(row.effective)

    @admin.display(description="median error", ordering="median")
    def median_text(self, row: EstimateAccuracy) -> str:
        return share_text(row.median)

    @admin.display(description="95th percentile", ordering="p95")
    def p95_text(self, row: EstimateAccuracy) -> str:
        return share_text(row.p95)

    @admin.display(description="above the estimate (95th)", ordering="excess")
    def excess_text(self, row: EstimateAccuracy) -> str:
        return share_text(row.excess)

    @admin.display(description="above the hold", ordering="over_hold")
    def over_hold_text(self, row: EstimateAccuracy) -> str:
        return share_text(row.over_hold * 1_000_000 // row.count) if row.count else ""
