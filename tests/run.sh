#!/usr/bin/env bash
# Everything that can run on this computer, in order; a failing step does not hide the later ones.
# Ends with one line: N passed, N failed, N skipped (summed over the JUnit files).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rm -rf junit; mkdir -p junit
export APPCTL_TEST_PROFILE=${APPCTL_TEST_PROFILE:-ci}      # all examples of property tests; `make quick` takes a part
declare -a table; failed=0

step() {   # step NAME COMMAND...
  local name=$1 start=$SECONDS code=0; shift
  echo "=== $name"
  "$@" || code=$?
  [ $code -eq 5 ] && [[ "$*" == *pytest* ]] && code=0      # pytest: nothing was selected
  [ $code -eq 0 ] || failed=1
  table+=("$(printf '%-22s %5ds  %s' "$name" $((SECONDS - start)) "$([ $code -eq 0 ] && echo ok || echo "FAILED ($code)")")")
}
tests() { .venv/bin/python -m pytest -q -p no:cacheprovider --junit-xml "junit/$1.xml" "${@:2}"; }

step system bash tests/tools/system.sh
step setup make --no-print-directory setup
[ $failed -eq 0 ] || { printf '%s\n' "${table[@]}"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# The control plane takes minutes to build on a new computer: in the background, at low priority, while the rest runs.
nice -n 10 bash tests/controlplane/build.sh > junit/control-plane.log 2>&1 & building=$!
trap 'kill $building 2>/dev/null' EXIT

step check make --no-print-directory check
step unit tests unit -n 2 -m "not cluster and not postgres and not binaries and not chaos"
step "store and tools" tests backends -n 2 -m "(postgres or binaries) and not cluster and not chaos"
built() { wait $building || { echo "the control plane could not be built here:"; tail -n 5 junit/control-plane.log; \
  [ "${APPCTL_REQUIRE_CLUSTER:-}" != 1 ] || return 1; }; }
step "control plane" built
step "real control plane" tests cluster -n 2 -m "cluster and not chaos"
step chaos tests chaos -n 0 -m chaos

printf '%s\n' "" "${table[@]}"
.venv/bin/python tests/tools/sum_junit.py junit $failed || failed=1
exit $failed
