#!/usr/bin/env bash
# jco 1.35.0 with preview2-shim 0.26.1, which npm takes for it, reads no folder of WIT: the shim's file system, in which jco's own
# tools run as components, doesn't find it. With preview2-shim 0.25.0 the same command writes the types.
#
# Seen: `failed to read path for WIT […] No such file or directory (os error 44)` for a folder that is there, and an exit code
# other than 0; with 0.25.0 in `overrides` the types are written.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir wit
cat > wit/shop.wit <<'WIT'
package shop:numbers;
world shop {
  export answer: func() -> u32;
}
WIT

# Prints whether jco writes types of the WIT over that version of the shim.
try() {
  mkdir "$1"
  cat > "$1/package.json" <<JSON
{
  "private": true,
  "dependencies": { "@bytecodealliance/jco": "1.35.0" },
  "overrides": { "@bytecodealliance/preview2-shim": "$1" }
}
JSON
  npm install --silent --no-audit --no-fund --prefix "$1"
  if "$1/node_modules/.bin/jco" guest-types wit --world-name shop --out-dir "$1/types" >said 2>&1; then
    grep -rqF 'answer(): number' "$1/types" && echo written
  else
    grep -qF 'failed to read path for WIT' said && echo "not read"
  fi
}

newer=$(try 0.26.1)
older=$(try 0.25.0)
echo "jco 1.35.0: with preview2-shim 0.26.1 $newer, with 0.25.0 $older"
[ "$newer" = 'not read' ] && [ "$older" = written ]
