#!/usr/bin/env bash
# Debian packages that the full run needs: installed as root, else printed.
set -euo pipefail
missing=()
have() { command -v "$1" >/dev/null 2>&1; }
have git || missing+=(git)
have make || missing+=(make)
python3 -c "import ensurepip" 2>/dev/null && /usr/bin/python3 -c "import ensurepip" 2>/dev/null || missing+=(python3-venv)
have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
if [ "${#missing[@]}" -eq 0 ]; then exit 0; fi
if [ "$(id -u)" -eq 0 ] && have apt-get; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "not installed here: ${missing[*]}; as root: apt-get install ${missing[*]}"
fi
