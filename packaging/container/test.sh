#!/usr/bin/env bash
# Tests the image without Docker. Puts the static program, $PROGRAM or one that it builds with the Dockerfile's flags, into
# an empty root, and runs it there as process 1, with the Dockerfile's user and environment. Needs root for chroot and the
# user.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${PROGRAM:-}" ]; then
    target=$(rustc --print host-tuple)
    eval "export $(sed -n 's/^ENV \(RUSTFLAGS=.*\)/\1/p' packaging/container/Dockerfile)"
    cargo build --release --locked --quiet --target "$target"
    export PROGRAM=target/$target/release/usher
fi
program=$PROGRAM
# A network namespace, as in a container, so that the port is free.
if [ -z "${OWN_NETWORK:-}" ]; then
    exec env OWN_NETWORK=yes unshare --net sh -c 'ip link set lo up && exec "$0"' "$PWD/packaging/container/test.sh"
fi
root=$(mktemp -d)
trap 'rm -rf "$root" "$root".*' EXIT
install -D "$program" "$root/usher"
install -d -o 65532 -g 65532 -m 0700 "$root/data"
chmod 755 "$root"
read -ra environment < <(sed -n '/^FROM scratch/,$ s/^ENV //p' packaging/container/Dockerfile)

is() { # WHAT COMMAND... : fails unless the command succeeds
    local what=$1
    shift
    if "$@" > "$root.output" 2>&1; then echo "ok: $what"; else
        echo "NOT OK: $what"
        cat "$root.output" >&2
        exit 1
    fi
}
inside() { # COMMAND... : runs it in the root, with the image's user and environment
    env -i "${environment[@]}" /usr/sbin/chroot --userspec=65532:65532 "$root" "$@"
}
outside() { curl -fs "http://127.0.0.1:7860$1" "${@:2}"; }
start() { # VARIABLE=VALUE... : starts usher as process 1 and waits until it is ready
    : > "$root.ready"
    env -i "${environment[@]}" "$@" unshare --pid --fork --kill-child --root="$root" --wd=/data --setgid=65532 --setuid=65532 /usher \
        > "$root.ready" 2> "$root.log" &
    shell=$!
    until [ -s "$root.ready" ]; do kill -0 $shell || { cat "$root.log" >&2; exit 1; }; sleep 0.05; done
    usher=$(pgrep -P $shell)
}
stop() { kill -TERM "$usher" && wait $shell; }

is "the program is static" sh -c "! readelf -l '$program' | grep -q INTERP"
start
is "it is process 1" grep -q '"pid":1,' "$root.ready"
is "it runs as user 65532" grep -qE '^Uid:\s+65532\s+65532' "/proc/$usher/status"
is "it has no capabilities" grep -qE '^CapEff:\s+0+$' "/proc/$usher/status"
is "it logs no error" sh -c "! grep -E ' ERROR |rror:' '$root.log'"
is "it answers" outside /health_check
is "the health check passes" inside /usher healthcheck
is "a command adds a superuser" sh -c "echo quiet-otter-7 | env -i ${environment[*]} /usr/sbin/chroot --userspec=65532:65532 '$root' /usher user add ann --superuser"
is "the superuser can sign in" outside /api/v1/login -d username=ann -d password=quiet-otter-7
is "a backup is written into the volume" inside /usher backup /data/copy.gz
is "SIGTERM stops process 1 in order" stop
is "the log says so" grep -q stopped "$root.log"
is "the health check fails after the stop" sh -c "! env -i ${environment[*]} /usr/sbin/chroot --userspec=65532:65532 '$root' /usher healthcheck"
is "a backup is restored" inside /usher restore /data/copy.gz --yes
start
is "a new container on the same volume has all users" outside /api/v1/login -d username=ann -d password=quiet-otter-7
kill -INT "$usher"
wait $shell
is "a name in \`bind\` that can't be resolved stops the start with a message" sh -c \
    "env -i ${environment[*]} USHER_BIND=localhost:7860 /usr/sbin/chroot --userspec=65532:65532 '$root' /usher 2>&1 | grep -q '^usher: cannot listen on localhost:7860: failed to lookup'"
is "the container writes only to the volume" sh -c "[ \"\$(ls '$root')\" = \"\$(printf 'data\nusher')\" ]"
ls -l "$program" | awk '{ print $5 " bytes" }'
echo "all is well"
