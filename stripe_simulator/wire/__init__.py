"""What Stripe's API does for every resource alike: forms, errors, pages of a list, expansion, idempotency."""
