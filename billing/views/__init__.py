"""What customers see. Views translate: they ask selectors and services, and render."""
