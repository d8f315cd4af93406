#!/usr/bin/env bash
# The main job, once: render and plan the example, and deliver it where a control plane is at hand.
# A control plane is at hand when APPCTL_DEMO_KUBECONFIG names a kubeconfig, or when `make control-plane` has built one.
# Nothing of yours is touched: the store, the cache and the namespace are the demo's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=$(mktemp -d)
started=
trap '[ -z "$started" ] || python tests/planes.py --folder "$home/plane" down >/dev/null; rm -rf "$home"' EXIT
export XDG_DATA_HOME=$home/data XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache} XDG_CONFIG_HOME=$home/config
unset KUBECONFIG

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
note() { printf '\n# %s\n' "$*"; }

note "85 lines of YAML give 20 Kubernetes objects:"
say appctl render examples/inference.yaml -o name
note "A mistake is an error with its place, not an empty field:"
sed 's/image: example\/inference-web:1.4.2/imagee: example\/inference-web:1.4.2/' examples/inference.yaml > "$home/wrong.yaml"
say appctl render "$home/wrong.yaml" || true
note "What a first delivery would do:"
say appctl plan examples/inference.yaml --local

kubeconfig=${APPCTL_DEMO_KUBECONFIG:-}
if [ -z "$kubeconfig" ]; then
  if ! python tests/planes.py --folder "$home/plane" available >/dev/null 2>&1; then
    note "No control plane is at hand: 'make control-plane' builds one (needs Go, about ten minutes once),"
    note "or APPCTL_DEMO_KUBECONFIG=FILE names a cluster; then run 'make demo' again to see the delivery."
    exit 0
  fi
  note "A real control plane (etcd, API server, controllers, scheduler, fake nodes) starts on this computer:"
  started=1
  kubeconfig=$(python tests/planes.py --folder "$home/plane" up demo | tail -n 1)
fi
export KUBECONFIG=$kubeconfig

note "Deliver it, and wait until it is healthy:"
say appctl up examples/inference.yaml --create-namespace --yes
note "Again: nothing is sent, because nothing of ours has changed:"
say appctl up examples/inference.yaml
note "A new image; what would change, and then deliver it:"
say appctl diff examples/inference.yaml --set api.image=example/inference-api:2.1.0 || true
say appctl up examples/inference.yaml --set api.image=example/inference-api:2.1.0
say appctl history ai/inference
note "Back to the first revision:"
say appctl rollback ai/inference --to 1 --yes
say appctl status ai/inference --tree
note "And away with it; what is not ours stays:"
say appctl delete ai/inference --yes
note "That was appctl. Next: appctl help, appctl explain webservice, docs/tutorial.md"
