#!/usr/bin/env bash
# Starts a real Apache Kafka on the loopback interface, for tests: one broker, KRaft, a fresh log folder, a free port.
#
#   tests/kafka/start.sh DIR      starts a broker whose data is in DIR; prints its address, `127.0.0.1:PORT`
#   tests/kafka/start.sh --stop DIR
#   tests/kafka/start.sh --fetch  only fetches the jars
#
# The jars (44 MB) are fetched once, with Maven, into CHALK_KAFKA_HOME (default: target/kafka). Where java or mvn is missing the
# script says so and exits with 3: callers fall back on librdkafka's mock cluster.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
home=${CHALK_KAFKA_HOME:-$here/../../target/kafka}
version=4.3.1

fail() { echo "start.sh: $1" >&2; exit "${2:-1}"; }

if [ "${1:-}" = --stop ]; then
    dir=${2:?the folder that the broker was started with}
    [ -f "$dir/pid" ] || exit 0
    pid=$(cat "$dir/pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$dir/pid"
    exit 0
fi

command -v java >/dev/null || fail "java is missing: no real Kafka" 3
if [ ! -f "$home/$version.complete" ]; then
    command -v mvn >/dev/null || fail "mvn is missing: cannot fetch Kafka $version" 3
    mkdir -p "$home"
    # Several tests may come here at once; one of them fetches.
    exec 9>"$home/lock"
    flock 9
    if [ ! -f "$home/$version.complete" ]; then
        mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/libs" >&2 \
            || fail "Maven could not fetch Kafka $version" 3
        touch "$home/$version.complete"
    fi
    flock -u 9
fi
[ "${1:-}" = --fetch ] && exit 0

dir=${1:?the folder for the data of the broker}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# A free port is only known to be free until somebody takes it, so a start that fails is tried again with others.
free_port() { awk -v seed="$$$1$(date +%N)" 'BEGIN { srand(seed % 2147483647); print 20000 + int(rand() * 12000) }'; }

for attempt in 1 2 3 4 5; do
    port=$(free_port "$attempt")
    controller=$((port + 12000))
    rm -rf "$dir/logs"
    cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/logs
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
END
    java -cp "$home/libs/*" kafka.tools.StorageTool format -t chalkchalkchalkchalkch -c "$dir/server.properties" \
        >"$dir/format.log" 2>&1 || fail "Kafka's storage could not be formatted: see $dir/format.log"
    java -Xms128m -Xmx512m -cp "$home/libs/*" kafka.Kafka "$dir/server.properties" >"$dir/server.log" 2>&1 9>&- &
    pid=$!
    echo "$pid" >"$dir/pid"
    for _ in $(seq 600); do
        # The listener for clients opens last.
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "127.0.0.1:$port"
            exit 0
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
done
fail "Kafka did not start: see $dir/server.log"
