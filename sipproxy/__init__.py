"""Part of sipproxy."""
