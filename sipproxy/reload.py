"""Which parts of a new configuration take effect at once, and which wait for a restart."""

from sipproxy.config.model import Configuration

_AT_ONCE = ("core_peers", "interconnects", "profiles", "registrar", "guard", "sites", "targets", "brake")


def merged(running: Configuration, fresh: Configuration) -> Configuration:
    """Return the running configuration with everything of ``fresh`` that can take effect now."""
    changes: dict[str, object] = {name: getattr(fresh, name) for name in _AT_ONCE}
    changes["sip"] = running.sip.model_copy(update={"server_header": fresh.sip.server_header})
    changes["limits"] = running.limits.model_copy(update={"drain_s": fresh.limits.drain_s})
    changes["log"] = running.log.model_copy(update={"level": fresh.log.level})
    return running.model_copy(update=changes)


def restart_notes(running: Configuration, fresh: Configuration) -> list[str]:
    """Say which changed keys need a restart, and what a changed realm means."""
    effective = merged(running, fresh)
    notes = []
    for name in Configuration.model_fields:
        if name in _AT_ONCE:
            continue
        before, after = getattr(effective, name), getattr(fresh, name)
        keys = getattr(type(before), "model_fields", None)
        changed = (
            [f"{name}.{key}" for key in keys if getattr(before, key) != getattr(after, key)]
            if keys is not None
            else [name] * (before != after)
        )
        notes += [f"{key} has changed and takes effect at the next start" for key in changed]
    if running.registrar.realm != fresh.registrar.realm:
        notes.append("registrar.realm has changed: secrets stored for the old realm no longer fit; load them again")
    return notes
