"""The pages a customer sees at Stripe: Checkout, 3-D Secure, receipts. Server-rendered, no script, nothing from elsewhere."""
