"""The pages a customer sees at Stripe: Checkout, 3-D Secure, receipts. No script, nothing from elsewhere."""
