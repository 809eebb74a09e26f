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
is "the service reports that it is ready" systemctl is-active --quiet usher
is "the service is enabled" systemctl is-enabled --quiet usher
is "its state is shown" contains "listening on 127.0.0.1:7860" systemctl show -P StatusText usher
is "it is healthy" healthy
is "it reads the settings in /etc" contains "settings are read from /etc/usher/config.toml" journalctl -u usher
is "it uses the state directory" contains "data directory: /var/lib/usher" journalctl -u usher
is "the only warning is about the setup link" \
    [ "$(journalctl -u usher -o cat | grep -E ' (WARN|ERROR) ' | grep -cv 'there is no superuser yet')" = 0 ]
is "it runs as its own user" [ "$(stat -c %u "/proc/$(pid)")" -ge 61184 ] # where systemd's dynamic users begin
is "it has no capabilities" status CapEff 0000000000000000
is "it can't get capabilities" status CapBnd 0000000000000000
is "it can't get privileges through other programs" status NoNewPrivs 1
is "a filter limits its system calls" status Seccomp 2
is "other users can't read its data" [ "$(stat -c %a /var/lib/private/usher)" = 700 ]
is "its exposure level is low: $(systemd-analyze security usher | tail -n 1)" systemd-analyze security --threshold=20 usher
is "the setup link is there" grep -q '/setup#token=' /var/lib/usher/setup-link

echo "== the command line, as root"
is "a command adds a superuser" sh -c 'echo quiet-otter-7 | usher --data-dir /var/lib/usher user add ann --superuser'
is "the superuser can sign in" log_in ann quiet-otter-7
is "a backup works" usher --data-dir /var/lib/usher backup /root/copy.gz
systemctl stop usher
is "a restore works while the service is stopped" usher --data-dir /var/lib/usher restore /root/copy.gz --yes
systemctl start usher
is "the service can open the restored database" healthy
is "all users are there" log_in ann quiet-otter-7

echo "== stop and failure"
systemctl restart usher
is "a restart keeps all users" log_in ann quiet-otter-7
systemctl stop usher
is "it stops in order" [ "$(systemctl show -P Result usher)" = success ]
is "the write-ahead log is checkpointed and deleted" [ ! -e /var/lib/private/usher/usher.db-wal ]
systemctl start usher
before=$(pid)
kill -KILL "$before"
eventually "it restarts after a kill" other_process "$before"
is "all users are there" log_in ann quiet-otter-7

echo "== the watchdog"
drop_in watchdog "WatchdogSec=8"
systemctl restart usher
before=$(pid)
sleep 20
is "the watchdog leaves an idle server alone" same_process "$before"
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
    eventually "it restarts when a thread hangs ($thread)" other_process "$before"
    is "the watchdog restarted it" contains "Watchdog timeout" journalctl -u usher --since="$since"
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
is "it reads a secret from a credential" healthy
is "the secret isn't logged" lacks "$(cat /root/key)" journalctl -u usher
rm -r /etc/systemd/system/usher.service.d
systemctl daemon-reload
echo 'signup = "nobody"' >> /etc/usher/config.toml
systemctl restart usher 2>/dev/null
is "a wrong setting stops the start and is named" contains '`signup` in /etc/usher/config.toml' journalctl -u usher
sed -i '$d' /etc/usher/config.toml
systemctl reset-failed usher
systemctl restart usher
is "a correct setting starts it" healthy

echo "== socket activation"
systemctl disable --now usher
cp /usr/share/doc/usher/packaging/systemd/socket/usher.socket /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now usher.socket
is "it doesn't run before the first connection" [ "$(systemctl is-active usher)" = inactive ]
is "the first connection starts it" healthy
is "it answers on its other address" curl -fs 'http://[::1]:7860/health'
is "it uses the passed sockets" contains "listening on what the service manager listens on" journalctl -u usher
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
is "the package reinstalls" dpkg -i --force-confold /root/usher.deb
is "the reinstallation restarts it" other_process "$before"
is "the settings are kept" grep -qx '# mine' /etc/usher/config.toml
is "the package is removed" dpkg -r usher
is "the service is gone" [ "$(systemctl is-active usher)" = inactive ]
is "the settings are kept after removal" [ -e /etc/usher/config.toml ]
is "the package is purged" dpkg -P usher
is "settings are gone" [ ! -e /etc/usher ]
is "the data is kept" [ -e /var/lib/private/usher/usher.db ]
is "the package is installed again" dpkg -i /root/usher.deb
eventually "all users are there" log_in ann quiet-otter-7

[ "$failures" = 0 ] && echo "all is well"
