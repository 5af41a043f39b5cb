#!/usr/bin/env bash
# Makes what machines without a toolchain install: an archive, a wheel for pip and a package for npm, each with the same stripped
# binary and its checksum, in target/dist. Called by `make dist`, with the version.
set -euo pipefail

version=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
dist=$root/target/dist
machine=$(uname -m)
name=till-$version-linux-$machine
cd "$root"

[ "$(uname -s)" = Linux ] || { echo "the packages are Linux's; this is $(uname -s)" >&2; exit 1; }
cargo build --release --locked --package till
rm -rf "$dist"
mkdir -p "$dist/$name" "$dist/npm"
strip -o "$dist/$name/till" target/release/till
(cd "$dist/$name" && sha256sum till > till.sha256)

cp -r LICENSE host/NOTICE README.md CHANGELOG.md docs "$dist/$name"
tar --create --gzip --file "$dist/$name.tar.gz" --directory "$dist" --owner 0 --group 0 "$name"

# maturin packs what cargo has just built; it finds which glibc the binary wants and names the wheel after it.
maturin=$(sed -n 's/^requires = \["\(.*\)"\]/\1/p' host/dist/wheel/pyproject.toml)
tools=host/tests/.tools/$maturin
if [ ! -x "$tools/bin/maturin" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check "$maturin"
fi
(cd host/dist/wheel && "$root/$tools/bin/maturin" build --release --quiet --out "$dist")

case $machine in x86_64) cpu=x64 ;; aarch64) cpu=arm64 ;; *) cpu=$machine ;; esac
cp "$dist/$name/till" "$dist/$name/till.sha256" LICENSE host/NOTICE "$dist/npm"
node -e '
  const [from, to, version, cpu] = process.argv.slice(1);
  const described = JSON.parse(require("fs").readFileSync(from));
  require("fs").writeFileSync(to, JSON.stringify({ ...described, version, cpu: [cpu] }, null, 2));
' host/dist/npm/package.json "$dist/npm/package.json" "$version" "$cpu"
npm pack --silent --pack-destination "$dist" "$dist/npm" >/dev/null
rm -r "$dist/npm"

cd "$dist"
for file in *.tar.gz *.whl *.tgz; do
  sha256sum "$file" | tee "$file.sha256"
done
