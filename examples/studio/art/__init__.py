"""Pictures made with Pillow: values in, images out. No network, no database, no clock."""
