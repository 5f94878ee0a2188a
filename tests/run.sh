#!/usr/bin/env bash
# Runs every test of the project: what the README names. Needs a Rust toolchain and a C compiler; where Java and Maven
# are there as well, the end-to-end tests run against a real Apache Kafka, which is fetched once into target/.
# tests/planted.sh, which shows that tests find faults of the product, is a run of its own: it builds the product for each fault.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in cargo cc make; do
  command -v "$tool" >/dev/null || { echo "tests/run.sh: $tool is missing; install a Rust toolchain and a C compiler with make" >&2; exit 1; }
done
command -v java >/dev/null && command -v mvn >/dev/null ||
  echo "tests/run.sh: no Java or Maven; the Kafka tests use the mock cluster of the client library" >&2
# Documentation first, so that the last lines are those of the tests proper.
cargo test --workspace --locked --doc "$@"
exec cargo test --workspace --locked --lib --bins --tests "$@"
