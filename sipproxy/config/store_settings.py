"""From the checked configuration to the store's settings."""

from rules_store.settings import StoreSettings
from sipproxy.config.model import Configuration


def store_settings(configuration: Configuration) -> StoreSettings:
    """Return the store's settings; an embedded store lives in ``data_dir/store``."""
    store, versions = configuration.store, configuration.versions
    return StoreSettings(
        url=store.url,
        data_dir=configuration.data_dir / "store",
        server_binary=store.server_binary,
        **({"username": store.username} if store.username is not None else {}),
        password_file=store.password_file,
        ca_file=store.ca_file,
        durability=store.durability,
        min_replicas=store.min_replicas,
        connect_timeout_s=store.connect_timeout_s,
        timeout_s=store.timeout_s,
        start_timeout_s=store.start_timeout_s,
        disk_reserve_mb=store.disk_reserve_mb,
        log_days=versions.keep_days,
        log_kept=versions.keep,
        imports_kept=versions.keep_imports,
    )
