"""Configurations of the servers that ours is compared with."""
