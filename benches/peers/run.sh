#!/usr/bin/env bash
# Times DuckDB, chdb, DataFusion and Polars (from PyPI) against `chalkc run` on the same files, or `chalkc run` against the resolver bench.
#
#   benches/peers/run.sh compare                     one core (the last one)
#   benches/peers/run.sh compare --cpus 0,1          two
#   benches/peers/run.sh compare --case wide --rounds 5 --megabytes 3000
#   benches/peers/run.sh whole-path                  one core and two; needs no peer
#
# chalkc is built as the benches are (fat LTO), for this machine, without SQL bodies. Files and peers are kept in target/peers; files have the messages
# of the decode bench and are the same in every run. A peer that cannot be installed is left out, and said so.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:-}
if [ "$what" != compare ] && [ "$what" != whole-path ]; then
  echo "usage: benches/peers/run.sh compare|whole-path [--cpus 0,1] [--rounds N] [--megabytes N] [--case NAME]" >&2
  exit 2
fi
kept=target/peers
mkdir -p "$kept/data"

export RUSTFLAGS="${RUSTFLAGS:--C target-cpu=native}"
# The path of the executable with that name, as cargo tells it: a bench comes with the programs of its package, in any order.
executable() {
  local name=$1
  shift
  cargo "$@" --message-format json-render-diagnostics | grep "\"name\":\"$name\"" |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
chalkc=$(executable chalkc build --profile bench -p chalkc --bin chalkc --no-default-features)
write_messages=$(executable write_messages build --profile bench -p chalk-benches --bin write_messages)
also=()
if [ "$what" = whole-path ]; then
  also=(--resolver-bench "$(executable resolver bench -p chalk-benches --bench resolver --no-run)")
fi

python=$kept/venv/bin/python
[ -x "$python" ] || python3 -m venv "$kept/venv"
peers=()
while read -r requirement; do
  if "$python" -m pip install --quiet --disable-pip-version-check "$requirement" 2>"$kept/pip.log"; then
    name=${requirement%%==*}
    case $name in numpy | pyarrow) ;; *) peers+=("$name") ;; esac
  else
    echo "$requirement cannot be installed: $(tail -n 1 "$kept/pip.log")" >&2
  fi
done < <(grep -v '^#' benches/peers/requirements.txt)
if [ "$what" = compare ] && ! "$python" -c 'import numpy, pyarrow' 2>/dev/null; then
  echo "without numpy and pyarrow nothing can be checked; nothing is compared" >&2
  exit 1
fi

exec "$python" -B benches/peers/peers.py "$@" --data "$kept/data" --chalkc "$chalkc" --write-messages "$write_messages" --peers "${peers[*]}" "${also[@]}"
