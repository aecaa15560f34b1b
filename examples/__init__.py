"""Programs that show how the portal is used from outside. Nothing in the product imports them."""
