"""One table: when which background process last gave a sign of life."""

from django.db import models
from django.db.models.functions import Now


class Heartbeat(models.Model):
    """``beat_at`` is the database's clock at the last sign of life of ``name``."""

    name = models.CharField(max_length=32, primary_key=True)
    beat_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"
