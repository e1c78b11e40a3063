#!/bin/bash
# From a bare Debian 12 to a working .venv: `tools/bootstrap.sh [VENV]`. Repeating it changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

named_packages() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' debian-packages.txt; }

missing_packages() {
  local package
  named_packages | while read -r package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

install_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null; then
    say "this is not Debian: see to the packages of debian-packages.txt by your own means"
    return
  fi
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "not installed, and only root can: apt-get install ${missing[*]}"
    say "going on without; \`govpool doctor\` tells what does not work then"
    return
  fi
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get update
  quietly apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}"
}

# Shows what a command printed only when it failed.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" </dev/null >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    rm -f "$log"
    die "failed: $*"
  fi
  rm -f "$log"
}

# The system's Python comes first: python3-venv completes that one and no other.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
    if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "no Python 3.11 or newer with venv and ensurepip found; on Debian: apt-get install python3-venv," \
    "or name one with PYTHON=/path/to/python3"
}

usable() { "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

make_venv() {
  local python
  usable && return
  python=$(find_python)
  say "making $venv with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv"
}

# Remembers by content, not by date, what was installed: a new checkout of the same lock installs nothing.
once() { # once NAME FILE COMMAND...
  local stamp="$venv/.$1.sha256" file=$2 sum
  shift 2
  sum=$(sha256sum <"$file")
  [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
  "$@"
  echo "$sum" >"$stamp"
}

pip() { "$venv/bin/python" -m pip -qq --disable-pip-version-check "$@"; }

# Wheels only, each by its hash: nothing is built, so nothing unpinned is fetched to build it. Bytecode is
# left to the first import: compiling all of it here takes as long as the rest.
install_lock() {
  say "installing $(grep -c == requirements.lock) locked packages"
  pip install --no-compile --no-deps --only-binary :all: --require-hashes -r requirements.lock
}

install_project() { pip install --no-deps --no-build-isolation --no-index -e .; }

install_packages
make_venv
once lock requirements.lock install_lock
once project pyproject.toml install_project
touch "$venv/.ready"
say "ready ($("$venv/bin/python" --version), $venv)"
