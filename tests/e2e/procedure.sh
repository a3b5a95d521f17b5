#!/bin/bash
# The operators' procedure for setting up a mirror, step by step, on a registry whose dump was loaded
# without a serial, as a bootstrap leaves it. The steps are those of the manual:
#   1 stop   2 properties   3 UPDATE serials   4 start   5 ask   6 see the serial grow
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC

tree=$(cd "$(dirname "$0")/../.." && pwd)
export WHOISD=${WHOISD:-$tree/build/whoisd}
root=$(mktemp -d /tmp/whoisd-procedure-XXXXXX)
chmod 755 "$root"
current_serial=70000000
patience=${E2E_PATIENCE:-120}

finish()
{
    local code=$?
    set +e
    if [ $code != 0 ]; then
        echo "FAIL  the procedure; console.log:"
        tail -n 30 "$root/whois/var/console.log"
        cat "$root/upstream.log"
    fi
    [ -x "$root/whois/whois.init" ] && "$root/whois/whois.init" stop
    [ -n "${upstream:-}" ] && kill "$upstream"
    "$tree/etc/private-mariadb.sh" stop --dir "$root/mariadb"
    rm -rf "$root"
    exit $code
}

expect()
{
    if [ "$2" != "$3" ]; then
        echo "$1: got '$2', expected '$3'"
        exit 1
    fi
    echo "ok    $1: $2"
}

# Below those that the kernel hands out to connections: free it stays while the server restarts.
free_port()
{
    local port
    while port=$((10240 + RANDOM % 22528)) && [ -n "$(ss -Hltn "sport = :$port")" ]; do
        :
    done
    echo $port
}

# wait_until WHAT COMMAND...: as long as there is patience.
wait_until()
{
    local tenths=0
    until "${@:2}"; do
        if [ $tenths -ge $((patience * 10)) ]; then
            echo "waited $patience s for $1"
            exit 1
        fi
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

trap finish EXIT

# --- A whois root, its database, and a registry to mirror ---

"$tree/etc/private-mariadb.sh" start --dir "$root/mariadb" >/dev/null
eval "$("$tree/etc/private-mariadb.sh" env --dir "$root/mariadb")"

mkfifo "$root/commands"
exec 3<>"$root/commands"
python3 "$tree/tests/upstream/upstream.py" journal "$tree/tests/data/ripe-small.nrtm.gz" \
    --last $((current_serial + 3000)) --stdin --log "$root/upstream.log" <&3 >"$root/upstream.out" 2>&1 &
upstream=$!
wait_until "the upstream" grep -qs ^listening "$root/upstream.log"
upstream_port=$(sed -n 's/^listening .*://p' "$root/upstream.log")

server_port=$(free_port)
mkdir "$root/whois"
cd "$root/whois"
ln -s "$tree/etc/whois.init" whois.init
export WHOIS_ROOT=$root/whois
cat >properties <<END
whois.source=LOCAL
port.query=$server_port
port.nrtm=1081
nrtm.enabled=true
nrtm.update.interval=60
nrtm.import.enabled=false
whois.db.master.url=jdbc:mariadb://localhost/LOCAL?localSocket=$db_socket
whois.db.master.username=$db_user
whois.db.master.password=$db_password
whois.db.grs.master.baseurl=jdbc:mariadb://localhost/WHOIS_MIRROR?localSocket=$db_socket
grs.sources=RIPE-GRS
run.user=$(id -un whoisd 2>/dev/null || echo nobody)
END
chmod 644 properties

cp "$tree/tests/data/ripe-small.db.gz" .  # The server's account may not be able to read the clone.
./whois.init load RIPE-GRS ripe-small.db.gz
./whois.init start

# --- 1: stop ---

./whois.init stop

# --- 2: edit properties: NRTM server off, client on ---

sed -i -e 's/^nrtm.enabled=.*/nrtm.enabled=false/' -e 's/^nrtm.update.interval=.*/nrtm.update.interval=15/' \
    -e 's/^nrtm.import.enabled=.*/nrtm.import.enabled=true/' properties
cat >>properties <<END
nrtm.import.sources=RIPE-GRS
nrtm.import.RIPE-GRS.source=RIPE
nrtm.import.RIPE-GRS.host=127.0.0.1
nrtm.import.RIPE-GRS.port=$upstream_port
END

# --- 3: the mirror shall go on from the dump's serial ---

dbint()
{
    mysql -S "$db_socket" -udbint -p"$db_password" -N "$@"
}

max_serial=$(dbint WHOIS_MIRROR_RIPE_GRS -e "SELECT max(serial_id) AS max_serial_id FROM serials")
dbint WHOIS_MIRROR_RIPE_GRS -e "
    UPDATE serials SET serial_id = $current_serial WHERE serial_id = $max_serial;
    ALTER TABLE serials AUTO_INCREMENT = $current_serial;"

# --- 4: start, and look at the log ---

log_size=$(stat -c %s var/console.log)
./whois.init start
new_log()
{
    tail -c +$((log_size + 1)) var/console.log
}
serial_is()
{
    [ "$(dbint -e "select max(serial_id) from WHOIS_MIRROR_RIPE_GRS.serials")" = "$1" ]
}
wait_until "the mirror to catch up" serial_is $((current_serial + 3000))
connected="^20[-0-9]* [:0-9]*,[0-9]* INFO  \[NrtmClientFactory\] Connected to 127.0.0.1:$upstream_port\$"
expect "lines 'Connected to' in console.log" "$(new_log | grep -c "$connected")" 1
expect "lines with 'Connected to' at all" "$(new_log | grep -c 'Connected to')" 1
expect "connections at the upstream" "$(grep -c ^accept "$root/upstream.log")" 1
expect "first serial asked for" "$(sed -n 's/^start 1 \([0-9]*\)-.*/\1/p' "$root/upstream.log")" \
    $((current_serial + 1))

# --- 5: ask, by telnet and by whois ---

# The last object that the stream has touched so far.
fresh=$(zcat "$tree/tests/data/ripe-small.nrtm.gz" | grep -a -A 2 "^ADD $((current_serial + 3000))\$" |
    sed -n '3s/^[^ ]* *//p')
changed=$(zcat "$tree/tests/data/ripe-small.nrtm.gz" | sed -n "/^ADD $((current_serial + 3000))\$/,/^ADD/p" |
    sed -n 's/^last-modified: *//p' | head -n 1)
coproc TELNET { telnet localhost "$server_port" 2>&1 || true; }
exec 4<&"${TELNET[0]}"
echo "-s RIPE-GRS -r $fresh" >&"${TELNET[1]}"
by_telnet=$(cat <&4)
by_whois=$(whois -h localhost -p "$server_port" -- "-s RIPE-GRS -r $fresh")
expect "telnet shows the fresh $fresh" "$(grep -ac "^last-modified: *$changed" <<<"$by_telnet")" 1
expect "whois shows the fresh $fresh" "$(grep -ac "^last-modified: *$changed" <<<"$by_whois")" 1

# --- 6: the serial grows ---

echo "publish all" >&3
wait_until "the serial to grow" serial_is $((current_serial + 4000))
expect "max(serial_id) after more changes" \
    "$(dbint -e "select max(serial_id) from WHOIS_MIRROR_RIPE_GRS.serials")" $((current_serial + 4000))
expect "connections at the upstream, still" "$(grep -c ^accept "$root/upstream.log")" 1
echo "the procedure works"
