"""The engine under fire: races, kills, floods of deliveries and nonsense, each against what must hold.

A development tool beside the product; nothing imports it but the tests, which run the same at a smaller size.
``manage.py soak`` is its command. Everything happens on a private PostgreSQL of its own that is thrown away after.
"""
