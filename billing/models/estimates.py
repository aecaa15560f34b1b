"""How far estimates were off, by profile, model and operation."""

from django.db import models


class EstimateAccuracy(models.Model):
    """What the settled requests of the last 30 days say of the estimates; measured anew by a task.

    Sums in micros. ``median`` and ``p95`` are of |effective − estimate| ÷ estimate, ``excess`` is the 95th percentile
    of (effective − estimate) ÷ estimate, all in millionths; ``over_hold`` counts what cost more than was held.
    """

    profile = models.CharField(max_length=40)
    model = models.CharField(max_length=80)
    operation = models.CharField(max_length=80)
    count = models.BigIntegerField()
    estimated = models.BigIntegerField()
    effective = models.BigIntegerField()
    median = models.BigIntegerField()
    p95 = models.BigIntegerField()
    excess = models.BigIntegerField()
    over_hold = models.BigIntegerField()
    measured_at = models.DateTimeField()

    class Meta:
        verbose_name = "estimate accuracy"
        verbose_name_plural = "estimate accuracy"
        ordering = ["profile", "model", "operation"]
        constraints = [
            models.UniqueConstraint(fields=["profile", "model", "operation"], name="accuracy_unique")
        ]

    def __str__(self) -> str:
        return f"{self.profile} {self.model} {self.operation}"
