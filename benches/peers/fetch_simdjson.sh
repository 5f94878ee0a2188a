#!/bin/sh
# Fetches the amalgamation of simdjson (C++) that the source distribution of pysimdjson carries, for the `simdjson` feature of the
# benches. It goes to target/peers/simdjson, which is no part of the repository.
set -eu
cd "$(dirname "$0")/../.."
version=7.0.2
mkdir -p target/peers
python3 -m pip download --quiet --no-deps --no-binary pysimdjson --dest target/peers "pysimdjson==$version"
tar -xzf "target/peers/pysimdjson-$version.tar.gz" -C target/peers
rm -rf target/peers/simdjson
mkdir target/peers/simdjson
cp "target/peers/pysimdjson-$version/simdjson/simdjson.h" "target/peers/pysimdjson-$version/simdjson/simdjson.cpp" target/peers/simdjson/
rm -rf "target/peers/pysimdjson-$version" "target/peers/pysimdjson-$version.tar.gz"
echo "target/peers/simdjson is ready; build the benches with --features simdjson"
