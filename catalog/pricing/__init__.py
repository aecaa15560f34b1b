"""Pricing as pure functions: values in, values out. No Django, no clock, no database, no float."""
