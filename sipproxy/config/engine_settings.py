"""From the checked configuration to what the engine takes."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sipproxy.config.model import Configuration
from sipproxy.config.resolve import ResolvedPeer
from sipproxy.config.types import split_endpoint

if TYPE_CHECKING:
    from sipproxy._engine import EngineSettings, InterconnectSettings, ProfileSettings


def interconnect_settings(configuration: Configuration) -> "list[InterconnectSettings]":
    """Return the interconnects in the engine's shape."""
    return [
        {
            "name": entry.name,
            "country_code": entry.country_code,
            "national_prefix": entry.national_prefix,
            "international_prefix": entry.international_prefix,
            "porting_prefixes": list(entry.porting_prefixes),
            "domain": entry.domain,
            "number_format": entry.number_format,
            "uri_scheme": entry.uri_scheme,
            "diversion": entry.diversion,
            "history_info": entry.history_info,
            "max_diversions": entry.max_diversions,
            "reason_sip": entry.reason_sip,
            "unknown_number_status": entry.unknown_number_status,
            "redirect_only": entry.redirect_only,
        }
        for entry in configuration.interconnects
    ]


def engine_settings(
    configuration: Configuration,
    peers: Sequence[ResolvedPeer],
    profiles: "Sequence[ProfileSettings]",
    secret: bytes,
) -> "EngineSettings":
    """Return settings for a start or a `reconfigure`; ``profiles`` have the file's changes applied."""
    registrar, guard = configuration.registrar, configuration.guard
    return {
        "listen": list(configuration.sip.listen),
        "workers": configuration.sip.workers or os.cpu_count() or 1,
        "domains": list(configuration.sip.domains),
        "server_header": configuration.sip.server_header,
        "core_peers": [
            {"name": peer.name, "network": peer.network, "port": peer.port, "interconnect": peer.interconnect} for peer in peers
        ],
        "interconnects": interconnect_settings(configuration),
        "profiles": list(profiles),
        "registrar": {
            "realm": registrar.realm,
            "open": registrar.open,
            "min_expires_s": registrar.min_expires_s,
            "default_expires_s": registrar.default_expires_s,
            "max_expires_s": registrar.max_expires_s,
            "max_contacts": registrar.max_contacts,
            "nonce_life_s": registrar.nonce_life_s,
            "store_wait_s": registrar.store_wait_s,
            "restart_grace_s": registrar.restart_grace_s,
        },
        "guard": {
            "enabled": guard.enabled,
            "window_s": guard.window_s,
            "min_lines": guard.min_lines,
            "share": guard.share,
            "freeze_limit_s": guard.freeze_limit_s,
        },
        "foreign_registrars": [
            {
                "name": entry.name,
                "domain": entry.domain,
                "mode": entry.mode,
                "sources": sorted({split_endpoint(address)[0] for address in entry.addresses} | set(entry.sources)),
            }
            for entry in configuration.registrars
        ],
        "event_queue": configuration.limits.event_queue,
        "call_records": configuration.limits.call_records,
        "secret": secret,
    }
