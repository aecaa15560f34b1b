"""Every figure and rule of the five bundled profiles: read through the API and a page, and charged."""
