#!/usr/bin/env bash
# Says whether the Rust here can build the engine, and how to get one that can.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' engine/Cargo.toml)
how="Install it for your user, without root, as https://rustup.rs says, then open a new shell:
    rustup toolchain install stable --component rustfmt --component clippy
Debian's own rustc is older than the engine needs."
if ! command -v cargo >/dev/null; then
  printf 'Rust is missing; the engine needs %s or newer.\n%s\n' "$wanted" "$how" >&2
  exit 1
fi
found=$(rustc --version | awk '{print $2}')
if [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
  printf 'Rust %s is too old; the engine needs %s or newer.\n%s\n' "$found" "$wanted" "$how" >&2
  exit 1
fi
