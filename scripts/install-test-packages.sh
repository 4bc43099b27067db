#!/usr/bin/env bash
# Installs the Debian packages that the tests use besides Node.js and npm. There are none today.
set -euo pipefail

packages=()

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
apt-get update
apt-get install --yes --no-install-recommends "${missing[@]}"
