"""The sub-commands of ``sipproxy``: each asks the running service and prints; none decides anything."""
