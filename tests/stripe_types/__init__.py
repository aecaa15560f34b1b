"""All that goes to and comes from Stripe, checked against the types that the `stripe` package ships."""
