"""How money moves: charging a card, 3-D Secure, captures, balance transactions. Used by the resources and hosted pages."""
