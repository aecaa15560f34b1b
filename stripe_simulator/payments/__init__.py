"""How money moves: charging a card, 3-D Secure, captures, balance transactions."""
