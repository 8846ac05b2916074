#!/usr/bin/env bash
# Runs each fuzz target for the given number of seconds (default 60) and stops at the first finding.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -d engine/fuzz ]; then
  echo 'engine/fuzz has no targets yet'
  exit 0
fi
exec engine/fuzz/run.sh "${1:-60}"
