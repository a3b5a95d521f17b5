#!/bin/bash
# From a bare Debian 12 machine to a live mirror that answers.
#
#   ./quickstart.sh          packages, build, a private MariaDB, a sample registry, a local NRTM
#                            upstream that changes it for ever, whoisd; then what to try.
#                            What is there already stays as it is.
#   ./quickstart.sh stop     end all of it; the data stays in var/
#   ./quickstart.sh check    what is missing of the set-up, then every test
#
# As root, or as a user who may sudo (for the packages only). Ports are whoisd's 1043 and the
# upstream's 4444 unless WHOIS_PORT and UPSTREAM_PORT say otherwise when `properties` is written.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC
umask 022

root=$(dirname "$(readlink -f "$0")")
cd "$root"
. etc/functions.sh

source=RIPE-GRS
sample=tests/data/ripe-small
run_packages="autoconf automake make gcc libc6-dev pkgconf libev-dev libmariadb-dev libpcre2-dev
    zlib1g-dev libzstd-dev libcurl4-openssl-dev libssl-dev mariadb-server-core mariadb-client-core
    mariadb-client python3 iproute2 procps whois netcat-openbsd telnet"
check_packages="libcriterion-dev clang libclang-rt-14-dev clang-format cppcheck groff-base"

# --- the set-up, step by step ---

install_packages()
{
    local missing="" package as_root=(env)
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
            missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        say "packages: all installed"
        return
    fi
    if ! is_root; then
        command -v sudo >/dev/null || die "these packages are missing, and there is no sudo:$missing"
        sudo env true # Asks for the password, where `sudo -v` asks even who needs none.
        as_root=(sudo env)
    fi
    as_root+=(DEBIAN_FRONTEND=noninteractive)
    say "packages to install:$missing"
    step "package lists" "${as_root[@]}" apt-get -q update
    step "packages" "${as_root[@]}" apt-get -qy install --no-install-recommends $missing
}

# Started by root everything runs as this account, to which the server hands var/ over.
make_user()
{
    run_user=$(id -un)
    if is_root; then
        run_user=whoisd
        if ! id whoisd >/dev/null 2>&1; then
            useradd --system --user-group --no-create-home --home-dir /var/lib/whoisd \
                --shell /usr/sbin/nologin whoisd
            say "made the user whoisd"
        fi
    elif [ -e var ] && [ ! -O var ]; then
        die "$root/var belongs to $(stat -Lc %U var), since root has run this here: go on as root"
    fi
    make_var "$root" "$run_user"
}

# In build/, unless this clone is configured for a build in the tree.
build()
{
    build=$root/build
    if [ -e config.status ]; then
        build=$root
    fi
    if [ ! -e configure ]; then
        step "autogen" ./autogen.sh
    fi
    if [ ! -e "$build/config.status" ]; then
        step "configure" in_dir "$build" "$root/configure"
    fi
    step "make" make -C "$build" -j"$(nproc)"
}

write_properties()
{
    if [ -e properties ]; then
        say "properties: kept as it is"
        return
    fi
    eval "$(etc/private-mariadb.sh env)"
    (
        umask 027
        cat >properties.new <<END
# Written by quickstart.sh. All options: etc/whois.properties.example
whois.source=LOCAL
whois.additional.sources=$source
port.query=$(query_port)

whois.db.master.url=jdbc:mariadb://localhost/LOCAL?localSocket=$db_socket
whois.db.master.username=$db_user
whois.db.master.password=$db_password
whois.db.grs.master.baseurl=jdbc:mariadb://localhost/WHOIS_MIRROR?localSocket=$db_socket

nrtm.enabled=false
nrtm.import.enabled=true
nrtm.import.sources=$source
nrtm.import.$source.source=RIPE
nrtm.import.$source.host=localhost
nrtm.import.$source.port=$(upstream_port)
END
        if is_root; then
            chgrp whoisd properties.new
        fi
    )
    mv properties.new properties
    say "properties: written"
}

property()
{
    sed -n "s/^$1=//p" properties
}

query_port()
{
    if [ -e properties ]; then
        property port.query
    else
        echo "${WHOIS_PORT:-1043}"
    fi
}

upstream_port()
{
    if [ -e properties ]; then
        property "nrtm.import.$source.port"
    else
        echo "${UPSTREAM_PORT:-4444}"
    fi
}

# Before the build, since that takes minutes.
check_ports()
{
    server_runs || refuse_used_port "$(query_port)" whoisd
    upstream_pid >/dev/null || refuse_used_port "$(upstream_port)" "the NRTM upstream"
}

upstream_pid()
{
    local pid
    pid=$(cat var/upstream/pid 2>/dev/null) &&
        grep -qsF tests/upstream/upstream.py "/proc/$pid/cmdline" && echo "$pid"
}

start_upstream()
{
    local pid port dir
    if pid=$(upstream_pid); then
        say "upstream: runs already, pid $pid"
        return
    fi
    port=$(upstream_port)
    mkdir -p var/upstream
    rm -f var/upstream/pid
    if is_root; then
        chown -R whoisd var/upstream
    fi
    dir=$(readlink -f var/upstream) # Which its account reaches even where it cannot enter the clone.
    setsid python3 tests/upstream/upstream.py endless $sample.db.gz --port "$port" \
        --state "$dir/serial" --serial "$(cat $sample.CURRENTSERIAL)" --log "$dir/log" \
        --pid-file "$dir/pid" --user "$run_user" \
        </dev/null >var/upstream/errors 2>&1 &
    await "the upstream to listen" $! test -s var/upstream/pid ||
        die "the upstream has ended: $(cat var/upstream/errors)"
    say "upstream: one change a second on port $port, pid $(upstream_pid)"
}

load_sample()
{
    if mysql_dbint -e "SELECT 1 FROM last LIMIT 1" "WHOIS_MIRROR_${source//-/_}" 2>/dev/null |
        grep -q 1; then
        say "sample registry: loaded already"
        return
    fi
    say "sample registry: loading $sample.db.gz into $source"
    # A copy, since the server's account may not be able to read the clone.
    mkdir -p var/sample
    install -m 644 $sample.db.gz var/sample/
    ./whois.init load $source var/sample/ripe-small.db.gz "$(cat $sample.CURRENTSERIAL)"
}

mysql_dbint()
{
    mysql --defaults-file=var/mariadb/dbint.cnf -N "$@"
}

server_runs()
{
    [ -s var/whois.pid ] && ! flock -ns var/whois.pid true
}

start_server()
{
    if server_runs; then
        say "whoisd: runs already, pid $(cat var/whois.pid)"
        return
    fi
    ./whois.init start
}

say_what_to_try()
{
    local port key=AS-TEST-NEST-L1
    port=$(query_port)
    cat <<END

A mirror of a sample registry is live; its upstream changes one object a second.

  ask             whois -h localhost -p $port -- '-s $source $key'
  ask by hand     telnet localhost $port
                  -s $source 193.0.0.1 - 193.0.7.255
  see it change   whois -h localhost -p $port -- '-s $source -r $key' | grep change
                  (every five seconds there is a newer one)
  the database    mysql --defaults-file=$root/var/mariadb/dbint.cnf WHOIS_MIRROR_${source//-/_}
                  select max(serial_id) from WHOIS_MIRROR_${source//-/_}.serials;
  the log         tail -f $root/var/console.log
  the service     ./whois.init status        (start, stop, restart, setserial, load, reload)
  the end         ./quickstart.sh stop
END
}

# --- tools of the steps ---

# in_dir DIR COMMAND...: in a directory, made when missing.
in_dir()
{
    mkdir -p "$1"
    cd "$1"
    "${@:2}"
}

# step NAME COMMAND...: its output goes to a log; a line tells how it goes.
step()
{
    local name=$1 log=$root/build/quickstart.log start=$SECONDS child
    shift
    mkdir -p "$root/build"
    [ -t 1 ] || say "$name ..."
    ("$@") </dev/null >"$log" 2>&1 &
    child=$!
    while kill -0 $child 2>/dev/null; do
        sleep 0.2
        progress "$name" $((SECONDS - start)) "$log"
    done
    if [ -t 1 ]; then
        printf '\r\e[K'
    fi
    if ! wait $child; then
        tail -n 30 "$log" >&2
        die "$name failed; the lines above are the last of $log"
    fi
    say "$name: done ($((SECONDS - start)) s)"
}

# On a terminal one line that changes; elsewhere a line every 15 seconds.
progress()
{
    local name=$1 seconds=$2 last
    last=$(tail -n 1 "$3" | tr -dc '[:print:]' | cut -c 1-60)
    if [ -t 1 ]; then
        printf '\r\e[K%.40s ... %d s  %s' "$name" "$seconds" "$last"
    elif [ "$seconds" -ge "${next_line:-15}" ]; then
        next_line=$((seconds + 15))
        say "    $seconds s  $last"
    fi
    if [ "$seconds" -lt 15 ]; then
        next_line=15
    fi
}

# await WHAT PID COMMAND...: until it succeeds; false when the process has ended.
await()
{
    local what=$1 pid=$2 tenths=0
    shift 2
    until "$@"; do
        kill -0 "$pid" 2>/dev/null || return 1
        [ $tenths -lt 600 ] || die "waited 60 s for $what"
        sleep 0.1
        tenths=$((tenths + 1))
    done
}

# Names who holds a port, when somebody does. Only root sees other users' processes.
refuse_used_port()
{
    local holder
    holder=$(ss -Hltnp "sport = :$1" | head -n 1)
    if [ -n "$holder" ]; then
        holder=$(sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1, pid \2/p' <<<"$holder")
        holder=${holder:-a process of another user}
        if [ -e properties ]; then
            die "port $1, for $2, is in use by $holder; end it, or choose another port in" \
                "$root/properties"
        fi
        die "port $1, for $2, is in use by $holder; end it, or choose other ports:" \
            "WHOIS_PORT=2043 UPSTREAM_PORT=2444 ./quickstart.sh"
    fi
}

# --- commands ---

start()
{
    install_packages $run_packages
    check_ports
    make_user
    build
    etc/private-mariadb.sh start
    write_properties
    load_sample
    start_upstream
    start_server
    say_what_to_try
}

stop()
{
    local pid
    if [ -e properties ]; then
        ./whois.init stop
    fi
    if pid=$(upstream_pid); then
        kill "$pid"
        while upstream_pid >/dev/null; do
            sleep 0.1
        done
        say "the upstream has stopped"
    else
        say "the upstream does not run"
    fi
    if [ -e var/mariadb ]; then
        etc/private-mariadb.sh stop
    fi
}

check()
{
    install_packages $run_packages $check_packages
    make_user
    build
    exec tests/check.sh
}

case ${1:-start} in
start | stop | check) "${1:-start}" ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
