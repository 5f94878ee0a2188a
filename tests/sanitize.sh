#!/usr/bin/env bash
# Runs the decoder's tests under AddressSanitizer: reads and writes outside of any allocation, and uses after free.
# Needs a nightly toolchain (`rustup toolchain install nightly`). It is not a part of tests/run.sh, which needs the stable one
# alone. CHALK_DIFFERENTIAL_CASES sets how many random messages there are (100000 here, because everything is slower).
set -euo pipefail
cd "$(dirname "$0")/.."
cargo +nightly --version >/dev/null 2>&1 ||
  { echo "tests/sanitize.sh: no nightly toolchain; rustup toolchain install nightly" >&2; exit 1; }
target=$(rustc +nightly -vV | sed -n 's/^host: //p')
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
# The guard-page test has a handler of its own for faults.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0:allow_user_segv_handler=1}"
export CHALK_DIFFERENTIAL_CASES="${CHALK_DIFFERENTIAL_CASES:-100000}"
exec cargo +nightly test -p chalk-decode --target "$target" --lib --tests "$@"
