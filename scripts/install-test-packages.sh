#!/usr/bin/env bash
# Installs the Debian packages that the tests use besides Node.js and npm: clients of test/e2e/clients.test.ts, which
# leaves out those that are missing (Go, too, which is not installed here). With the argument `bench`, those that the
# bench `proxy` uses.
set -euo pipefail

purpose="${1:-tests}"
case "$purpose" in
  tests) packages=(curl python3 wrk) ;;
  bench) packages=(haproxy nginx wrk python3-venv) ;;
  *)
    echo "usage: $0 [tests|bench]" >&2
    exit 2
    ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
if apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; then exit 0; fi
# The tests do without.
[ "$purpose" = tests ] && echo "not installed: ${missing[*]}; tests with them are left out" >&2
