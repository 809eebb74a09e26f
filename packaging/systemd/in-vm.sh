#!/bin/bash
# Tests the package on a real Debian with systemd. test-in-vm.sh runs this as root in its virtual machine. Prints "ok" or
# "NOT OK" for each check, and "all is well" at the end if all passed.
cd /root || exit 1
failures=0
is() { # WHAT COMMAND... : fails unless the command succeeds
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then echo "ok: $what"; else
        failures=$((failures + 1))
        echo "NOT OK: $what: $output"
    fi
}
eventually() { # WHAT COMMAND... : fails unless the command succeeds within a minute
    local what=$1
    shift
    for _ in $(seq 120); do
        "$@" >/dev/null 2>&1 && break
        sleep 0.5
    done
    is "$what" "$@"
}
contains() { # TEXT COMMAND...
    local text=$1
    shift
    "$@" 2>&1 | grep -qF -- "$text" || { "$@" 2>&1 | tail -n 5; return 1; }
}
lacks() { ! contains "$@" >/dev/null; }
status() { grep -q "^$1:[[:space:]]*$2\$" "/proc/$(pid)/status"; }
pid() { systemctl show -P MainPID usher; }
healthy() { curl -fs http://127.0.0.1:7860/health_check >/dev/null; }
log_in() { curl -fs http://127.0.0.1:7860/api/v1/login -d username="$1" -d password="$2" >/dev/null; }
drop_in() { # NAME LINES : adds settings to the unit
    mkdir -p /etc/systemd/system/usher.service.d
    printf '[Service]\n%s\n' "$2" > "/etc/systemd/system/usher.service.d/$1.conf"
    systemctl daemon-reload
}
same_process() { [ "$(pid)" = "$1" ]; }
other_process() { [ "$(pid)" != "$1" ] && [ "$(pid)" != 0 ] && healthy; }

echo "== $(. /etc/os-release && echo "$PRETTY_NAME"), $(systemctl --version | head -n 1), Linux $(uname -r)"
is "the package installs" dpkg -i /root/usher.deb
is "the service is enabled and has told that it is ready" systemctl is-active --quiet usher
is "it is enabled" systemctl is-enabled --quiet usher
is "its state is shown" contains "listening on 127.0.0.1:7860" systemctl show -P StatusText usher
is "it is healthy" healthy
is "its settings are the conffile" contains "settings are read from /etc/usher/config.toml" journalctl -u usher
is "its data are the state directory" contains "data directory: /var/lib/usher" journalctl -u usher
is "nothing is worth a warning but the setup link" \
    [ "$(journalctl -u usher -o cat | grep -E ' (WARN|ERROR) ' | grep -cv 'nobody administers this server yet')" = 0 ]
is "it runs as a user of its own" [ "$(stat -c %u "/proc/$(pid)")" -ge 61184 ] # where systemd's dynamic users begin
is "without capabilities" status CapEff 0000000000000000
is "which it cannot get" status CapBnd 0000000000000000
is "nor by other programs" status NoNewPrivs 1
is "behind a filter of system calls" status Seccomp 2
is "nobody else enters its data" [ "$(stat -c %a /var/lib/private/usher)" = 700 ]
is "systemd finds it well confined: $(systemd-analyze security usher | tail -n 1)" systemd-analyze security --threshold=20 usher
is "the setup link is there" grep -q '/setup#token=' /var/lib/usher/setup-link

echo "== the command line, as root"
is "a superuser is added" sh -c 'echo quiet-otter-7 | usher --data-dir /var/lib/usher user add ann --superuser'
is "and can log in" log_in ann quiet-otter-7
is "a backup" usher --data-dir /var/lib/usher backup /root/copy.gz
systemctl stop usher
is "a restore, with the service stopped" usher --data-dir /var/lib/usher restore /root/copy.gz --yes
systemctl start usher
is "the service can open what root restored" healthy
is "and knows everybody" log_in ann quiet-otter-7

echo "== stop and failure"
systemctl restart usher
is "a restart keeps everybody" log_in ann quiet-otter-7
systemctl stop usher
is "a stop is in order" [ "$(systemctl show -P Result usher)" = success ]
is "the log is folded into the database" [ ! -e /var/lib/private/usher/usher.db-wal ]
systemctl start usher
before=$(pid)
kill -KILL "$before"
eventually "after a kill it is back" other_process "$before"
is "and knows everybody" log_in ann quiet-otter-7

echo "== the watchdog"
drop_in watchdog "WatchdogSec=8"
systemctl restart usher
before=$(pid)
sleep 20
is "a server at rest is left alone" same_process "$before"
hang() { # THREAD SYSTEM-CALLS : delays the thread's next such call; other threads continue
    local id
    id=$(grep -lx "$1.*" /proc/"$before"/task/*/comm | head -n 1 | cut -d/ -f5)
    strace -qq -o /dev/null -p "$id" -e "inject=$2:delay_enter=60s:when=1+" 2>/dev/null &
    sleep 1
}
for thread in usher-writer usher-reader actix-rt; do
    before=$(pid)
    since=$(date '+%F %T')
    case $thread in
        actix-rt) hang "$thread" all ;;
        *) hang "$thread" fcntl,pread64,pwrite64 ;;
    esac
    tracer=$!
    for _ in 1 2 3 4 5 6 7 8; do curl -s -m 30 -o /dev/null http://127.0.0.1:7860/health_check & done
    eventually "a server whose thread hangs ($thread) is started anew" other_process "$before"
    is "by the watchdog" contains "Watchdog timeout" journalctl -u usher --since="$since"
    kill "$tracer" 2>/dev/null
    wait
done
rm -r /etc/systemd/system/usher.service.d
systemctl daemon-reload
systemctl restart usher

echo "== settings and secrets"
head -c 32 /dev/urandom | base64 > /root/key
drop_in secret 'LoadCredential=secret_key:/root/key
Environment=USHER_SECRET_KEY_FILE=%d/secret_key'
systemctl restart usher
is "a secret comes as a credential" healthy
is "and is in no log" lacks "$(cat /root/key)" journalctl -u usher
rm -r /etc/systemd/system/usher.service.d
systemctl daemon-reload
echo 'signup = "nobody"' >> /etc/usher/config.toml
systemctl restart usher 2>/dev/null
is "a wrong setting stops the start and is named" contains '`signup` in /etc/usher/config.toml' journalctl -u usher
sed -i '$d' /etc/usher/config.toml
systemctl reset-failed usher
systemctl restart usher
is "a right one starts it" healthy

echo "== socket activation"
systemctl disable --now usher
cp /usr/share/doc/usher/packaging/systemd/socket/usher.socket /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now usher.socket
is "nothing runs before somebody comes" [ "$(systemctl is-active usher)" = inactive ]
is "the first connection starts it" healthy
is "by its other address, too" curl -fs 'http://[::1]:7860/health'
is "on the sockets that were passed" contains "listening on what the service manager listens on" journalctl -u usher
(for _ in $(seq 200); do curl -s -m 20 -o /dev/null -w '%{http_code}\n' http://127.0.0.1:7860/health; done) > codes &
for _ in 1 2 3; do systemctl restart usher; done
wait
is "three restarts refuse none of 200 connections" [ "$(sort codes | uniq -c | xargs)" = "200 200" ]
systemctl disable --now usher.socket usher 2>/dev/null
rm /etc/systemd/system/usher.socket
systemctl daemon-reload

echo "== upgrade and removal"
echo '# mine' >> /etc/usher/config.toml
systemctl enable --now usher
before=$(pid)
is "the package is installed over itself" dpkg -i --force-confold /root/usher.deb
is "which starts it anew" other_process "$before"
is "and leaves settings as they are" grep -qx '# mine' /etc/usher/config.toml
is "it is removed" dpkg -r usher
is "the service is gone" [ "$(systemctl is-active usher)" = inactive ]
is "settings stay" [ -e /etc/usher/config.toml ]
is "it is purged" dpkg -P usher
is "settings are gone" [ ! -e /etc/usher ]
is "data stay" [ -e /var/lib/private/usher/usher.db ]
is "it is installed again" dpkg -i /root/usher.deb
eventually "and knows everybody" log_in ann quiet-otter-7

[ "$failures" = 0 ] && echo "all is well"
