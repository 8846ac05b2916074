#!/usr/bin/env bash
# Builds the fuzz targets with the stable toolchain and runs each for the given seconds (default 60). A finding ends it with the
# input's path; replay it with: run.sh 0 TARGET FILE.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
host=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-$PWD/target}

# What cargo-fuzz would set, less the sanitizer: the cores forbid unsafe code, and stable Rust has no -Zsanitizer.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1"
echo "== building the fuzz targets (about a minute the first time)"
# --target keeps the flags away from build scripts.
RUSTFLAGS="$flags" cargo build --release --locked --quiet --target "$host"

binaries=$target_dir/$host/release
if [ $# -eq 3 ]; then
  exec "$binaries/$2" "$3"
fi
findings=$PWD/artifacts
mkdir -p "$findings"
for target in message_bytes operations; do
  corpus=$(mktemp -d)
  seeds=()
  if [ "$target" = message_bytes ]; then
    seeds=("$PWD/seeds" ../../tests/vectors/torture/rfc4475/wire ../../tests/vectors/torture/rfc5118/wire)
  fi
  echo "== fuzzing $target for $seconds s"
  log=$(mktemp)
  if ! "$binaries/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
    -artifact_prefix="$findings/$target-" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "finding in $target: see above; inputs are in $findings"
    exit 1
  fi
  grep -E 'number_of_executed_units|new_units_added|peak_rss' "$log"
  rm -rf "$corpus" "$log"
done
