#!/usr/bin/env bash
# Plants faults in the product, one at a time, and demands that the test named for each finds it.
#
#   tests/planted.sh          every fault of tests/planted
#   tests/planted.sh NAME…    those faults
#
# A test that cannot fail proves nothing, and only a fault shows that it can. A fault is a file tests/planted/NAME.patch that begins with
# three lines: what is broken, what `cargo test` is run with, and the test that has to fail:
#
#   broken: …
#   run: -p chalk-tests --test suite -- windows/answers_are_right
#   fails: windows/answers_are_right_whatever_batches_order_and_crashes
#
# It is applied to a copy of the tree under target/, never to the tree itself; the copy shares the dependencies' builds, and a fault costs the
# build of what it touches. Without faults each of the tests has to be there and to pass. A fault that no test finds, that does not apply or
# does not build fails the script. Needs git, and about a minute for each fault: so it is not a part of tests/run.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
place=$root/target/planted
tree=$place/tree
# The build folder is shared for the sake of the dependencies. Cargo tells the crates of two trees apart by their places in the tree only: the
# wrapper, which does nothing, is what keeps those of the copy out of the builds of the tree. What is built at last goes into the copy.
export CARGO_BUILD_BUILD_DIR=${CARGO_BUILD_BUILD_DIR:-${CARGO_TARGET_DIR:-$root/target}}
export RUSTC_WORKSPACE_WRAPPER
RUSTC_WORKSPACE_WRAPPER=$(command -v env)
unset CARGO_TARGET_DIR
export CARGO_TERM_COLOR=never
# Longer than any of the tests takes.
limit=900

stop() { echo "tests/planted.sh: $1" >&2; exit 1; }
field() { sed -n "s/^$1: //p;/^--- /q" "$2"; }

# Runs tests in the copy, into a log: 0 where all pass, 1 where one fails, 2 where the build fails.
run() {
  local log=$1 arguments
  shift
  # The arguments of a run have no blanks in them.
  read -ra arguments <<<"$*"
  local build=() argument
  for argument in "${arguments[@]}"; do
    [ "$argument" = -- ] && break
    build+=("$argument")
  done
  (cd "$tree" && cargo test --locked --no-run "${build[@]}") >"$log" 2>&1 || return 2
  (cd "$tree" && timeout "$limit" cargo test --locked "${arguments[@]}") >>"$log" 2>&1 || return 1
}

# A log without colours, which brokers leave on.
plain() { sed 's/\x1b\[[0-9;]*m//g' "$1"; }

# Whether a log says at its end that the test failed.
has_failed() { plain "$1" | sed -n '/^failures:$/,$p' | grep -xF "    $2" >/dev/null; }

# Whether a log says that the test passed: in its line, or in one of its own behind what the test printed.
has_passed() {
  plain "$1" | awk -v name="$2" '
    $1 == "test" { is_it = $2 == name }
    is_it && $NF == "ok" && ($1 == "test" || NF == 1) { found = 1 }
    END { exit !found }'
}

faults=("$@")
if [ $# = 0 ]; then
  for patch in tests/planted/*.patch; do faults+=("$(basename "$patch" .patch)"); done
fi
for fault in "${faults[@]}"; do
  patch=tests/planted/$fault.patch
  [ -f "$patch" ] || stop "there is no $patch"
  for name in broken run fails; do
    [ -n "$(field $name "$patch")" ] || stop "$patch does not say \`$name: …\` before its first file"
  done
done

rm -rf "$tree"
mkdir -p "$tree" "$place/logs"
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
  tar --null --files-from=- -cf - | tar -xf - -C "$tree"
# What an earlier run built of a file with a fault is newer than the file: it must not be taken for what is built of the file.
changed() { sed -n 's/^+++ b\///p' "$@"; }
for file in $(changed tests/planted/*.patch); do touch -c "$tree/$file"; done

# Not a part of the repository that it is in: paths are those of the copy.
apply() { (cd "$tree" && GIT_CEILING_DIRECTORIES=$place git apply "$@"); }

echo "without faults:"
for fault in "${faults[@]}"; do field run "tests/planted/$fault.patch"; done | sort -u >"$place/runs"
number=0
while read -r arguments <&3; do
  number=$((number + 1))
  log=$place/logs/without.$number.log
  run "$log" "$arguments" || stop "cargo test $arguments fails without a fault: see $log"
  echo "  ok: cargo test $arguments"
  for fault in "${faults[@]}"; do
    [ "$(field run "tests/planted/$fault.patch")" = "$arguments" ] || continue
    test=$(field fails "tests/planted/$fault.patch")
    has_passed "$log" "$test" || stop "cargo test $arguments has no test $test, which $fault names: see $log"
  done
done 3<"$place/runs"

echo "with faults:"
bad=0
for fault in "${faults[@]}"; do
  patch=$root/tests/planted/$fault.patch
  log=$place/logs/$fault.log
  test=$(field fails "$patch")
  if ! apply "$patch" 2>"$log"; then
    outcome="DOES NOT APPLY: the code has changed, see $log"
  else
    status=0
    run "$log" "$(field run "$patch")" || status=$?
    if [ $status = 2 ]; then
      outcome="DOES NOT BUILD: see $log"
    elif [ $status = 0 ]; then
      outcome="SURVIVES: $test passes"
    elif has_failed "$log" "$test"; then
      outcome=
    else
      outcome="NOT SEEN TO FAIL: $test, see $log"
    fi
    apply -R "$patch"
    for file in $(changed "$patch"); do touch "$tree/$file"; done
  fi
  if [ -z "$outcome" ]; then
    echo "  found: $fault"
  else
    bad=$((bad + 1))
    echo "  $fault: $outcome"
    echo "    ($(field broken "$patch"))"
  fi
done
echo "$((${#faults[@]} - bad)) of ${#faults[@]} faults found"
[ $bad = 0 ]
