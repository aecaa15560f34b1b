from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        # Registers who sends what from the outbox, and what dj-stripe's signals lead to.
        from billing import emails
        from billing.webhooks import receivers

        _ = (emails, receivers)
