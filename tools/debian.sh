#!/usr/bin/env bash
# Debian packages, by what they are for. Installs what is missing, as root or through sudo; nothing when all is there.
#
#   tools/debian.sh base test           install
#   tools/debian.sh --check base test   only say what is missing, exit 1 if anything is
set -euo pipefail

# command, or file by its pattern, that proves it -> package
declare -A base=([cc]=build-essential [make]=make)
declare -A test=(
  [sipp]=sip-tester            # black-box scenarios in tests/sip
  [sipsak]=sipsak              # a second opinion on OPTIONS and the torture messages
  [kamailio]=kamailio          # the benchmark's peer; htable, sl, tm, registrar are in this package
  ['/usr/lib/*/kamailio/modules/presence_reginfo.so']=kamailio-presence-modules # the registrar elsewhere in tests/sip
  ['/usr/lib/*/kamailio/modules/db_redis.so']=kamailio-redis-modules # bindings of the fault laboratory's Kamailio
  [redis-server]=redis-server  # the store's tests against Redis 7.0, beside the embedded server
  [ip]=iproute2                # network namespaces of make test-root
  [nft]=nftables               # NAT and cuts of the fault laboratory
  [dnsmasq]=dnsmasq-base       # its name server
  [baresip]=baresip-core       # its foreign phone
)

check_only=
if [ "${1:-}" = --check ]; then check_only=1; shift; fi

# sbin is missing from an ordinary user's PATH, and Kamailio lives there.
PATH="$PATH:/usr/sbin:/sbin"

missing=()
for group in "$@"; do
  declare -n wanted="$group"
  for command in "${!wanted[@]}"; do
    if [[ $command == */* ]]; then compgen -G "$command" >/dev/null; else command -v "$command" >/dev/null; fi \
      || missing+=("${wanted[$command]}")
  done
  if [ "$group" = base ] && ! "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=(python3-venv)
  fi
done

[ ${#missing[@]} -gt 0 ] || exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if [ -n "$check_only" ]; then
  echo "Missing Debian packages: ${missing[*]}. Run: make setup" >&2
  exit 1
fi

remedy="Install them by hand, then run the same make target again:
    apt-get install --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  printf 'This is no Debian system; missing programs come with these Debian packages: %s\n' "${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    printf 'Missing Debian packages, and neither root nor sudo is here.\n%s\n' "$remedy" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "== Debian packages: ${missing[*]} (a minute or two)"
# Servers among them are for tests that start their own; packages must not start daemons now.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
  "${as_root[@]}" chmod 755 $policy
  trap '"${as_root[@]}" rm -f $policy' EXIT
fi
log=$(mktemp)
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}
if ! { "${as_root[@]}" apt-get update && install; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  printf 'apt-get failed, see above; whole log in %s\n%s\n' "$log" "$remedy" >&2
  exit 1
fi
rm -f "$log"
