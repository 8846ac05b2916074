"""How the commands talk to the running service: JSON lines over a private unix socket."""
