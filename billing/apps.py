from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        # Registers who sends what from the outbox, and what the signals of allauth and dj-stripe lead to.
        from billing import emails
        from billing import receivers as sign_up
        from billing.webhooks import receivers

        _ = (emails, receivers, sign_up)
