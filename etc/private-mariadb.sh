#!/bin/bash
# A private MariaDB server: its own data directory, a unix socket, no network.
#
#   private-mariadb.sh start|stop|status|env [--dir DIR] [--buffer-pool SIZE]
#
#   start   make the data directory and the users when missing, start, wait until it answers
#   stop    end it cleanly
#   status  say whether it runs (exit 0) or not (exit 3)
#   env     print what a client needs, for eval: db_dir db_socket db_user db_password db_cnf
#
# DIR is $WHOISD_MARIADB_DIR or var/mariadb of the whois root, the directory above this script's.
# SIZE is the InnoDB buffer pool in megabytes, like 512M; $WHOISD_MARIADB_BUFFER_POOL or 128M. The
# redo log is a quarter of it, 96M at least: what it holds need not be written to the tables yet, so
# that a backlog of updates writes each page once. Durability stays at the server's defaults.
#
# Users: dbint (everything) and rdonly (SELECT), with generated passwords in DIR/dbint.cnf and
# DIR/rdonly.cnf, ready for `mysql --defaults-file=DIR/dbint.cnf`. Started by root the server runs as
# the user whoisd or mysql. A unix socket's path may have 107 bytes: where DIR is too long for that
# the socket gets a short directory of its own in /run or /tmp.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
umask 022

root=$(dirname "$(dirname "$(readlink -f "$0")")")
. "$root/etc/functions.sh"

dir=${WHOISD_MARIADB_DIR:-}
buffer_pool=${WHOISD_MARIADB_BUFFER_POOL:-128M}
redo_log_min_mb=96
ready_seconds=120
stop_seconds=120

usage()
{
    sed -n '4,9s/^# \{0,3\}//p' "$0" >&2
    exit 2
}

# Root's server runs as an unprivileged user: whose the data is, otherwise whoisd or mysql.
choose_user()
{
    run_as=$(id -un)
    if is_root; then
        run_as=$(stat -Lc %U "${dir:-$root/var/mariadb}/data" 2>/dev/null) ||
            run_as=$(id -un whoisd 2>/dev/null) || run_as=$(id -un mysql 2>/dev/null) ||
            die "no unprivileged user: useradd --system whoisd"
    fi
}

# Fills run_as, dir and socket.
settle_places()
{
    choose_user
    if [ -z "$dir" ]; then
        make_var "$root" "$run_as"
        dir=$root/var/mariadb
    fi
    mkdir -p "$dir"
    dir=$(readlink -f "$dir")
    socket=$dir/mysqld.sock
    if [ ${#socket} -gt 100 ]; then
        local base=/tmp
        if is_root; then
            base=/run
        fi
        socket=$base/whoisd-$(id -u)-$(printf %s "$dir" | cksum | cut -d' ' -f1)/mysqld.sock
    fi
}

# /run belongs to root; in /tmp anybody may have been there before us.
make_socket_dir()
{
    local parent
    parent=$(dirname "$socket")
    if [ "$parent" = "$dir" ]; then
        return
    fi
    if ! mkdir "$parent" 2>/dev/null && { [ -L "$parent" ] || [ ! -O "$parent" ]; }; then
        is_root || die "$parent belongs to somebody else: remove it, or choose a shorter --dir"
    fi
    chown "$run_as" "$parent"
}

# Prints the process id when our server runs.
server_pid()
{
    local pid
    pid=$(cat "$dir/mysqld.pid" 2>/dev/null) || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -e "--defaults-file=$dir/my.cnf" &&
        echo "$pid"
}

write_config()
{
    local redo_log_mb=$((${buffer_pool%M} / 4))
    if [ $redo_log_mb -lt $redo_log_min_mb ]; then
        redo_log_mb=$redo_log_min_mb
    fi
    cat >"$dir/my.cnf" <<END
# Written by private-mariadb.sh at every start.
[mariadbd]
datadir=$dir/data
socket=$socket
pid-file=$dir/mysqld.pid
tmpdir=$dir/tmp
log-error=$dir/error.log
skip-networking
skip-name-resolve
character-set-server=utf8mb4
default-time-zone=+00:00
max_allowed_packet=64M
max_connections=200
innodb_buffer_pool_size=$buffer_pool
innodb_log_file_size=${redo_log_mb}M
init-file=$dir/users.sql
END
}

password_of()
{
    sed -n 's/^password=//p' "$dir/$1.cnf" 2>/dev/null || true
}

# Client option files, whose passwords are generated once, and the SQL that the server runs at its
# start to make the users so.
write_users()
{
    local user password
    rm -f "$dir/users.sql"
    for user in dbint rdonly; do
        password=$(password_of $user)
        if [ -z "$password" ]; then
            password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
        fi
        rm -f "$dir/$user.cnf"
        printf '[client]\nuser=%s\npassword=%s\nsocket=%s\n' $user "$password" "$socket" \
            >"$dir/$user.cnf"
        cat >>"$dir/users.sql" <<END
CREATE USER IF NOT EXISTS $user@localhost;
SET PASSWORD FOR $user@localhost = PASSWORD('$password');
END
    done
    cat >>"$dir/users.sql" <<END
GRANT ALL PRIVILEGES ON *.* TO dbint@localhost;
GRANT SELECT ON *.* TO rdonly@localhost;
END
    chmod 600 "$dir"/{dbint.cnf,rdonly.cnf,users.sql}
    chown "$run_as" "$dir/users.sql"
}

# Its own: a server that starts removes the temporary tables it finds, those of other servers too.
make_tmp()
{
    mkdir -p "$dir/tmp"
    chown "$run_as" "$dir/tmp"
}

create_data()
{
    if [ -e "$dir/data/.complete" ]; then
        return
    fi
    say "creating a MariaDB data directory in $dir/data"
    rm -rf "$dir/data"
    if ! mariadb-install-db --defaults-file="$dir/my.cnf" --user="$run_as" --skip-test-db >"$dir/install.log" 2>&1; then
        tail -n 15 "$dir/install.log" >&2
        die "could not create $dir/data; the lines above are from $dir/install.log"
    fi
    : >"$dir/data/.complete"
}

answers()
{
    mariadb --defaults-file="$dir/dbint.cnf" -e 'DO 1'
}

wait_until_ready()
{
    local child=$1 deadline=$((SECONDS + ready_seconds))
    until answers 2>"$dir/client.log"; do
        if ! kill -0 "$child" 2>/dev/null; then
            tail -n 15 "$dir/error.log" >&2
            die "MariaDB ended at its start; the lines above are from $dir/error.log"
        fi
        if [ $SECONDS -ge $deadline ]; then
            kill "$child"
            cat "$dir/client.log" >&2
            die "MariaDB does not answer after $ready_seconds s: see $dir/error.log"
        fi
        sleep 0.1
    done
}

start()
{
    local pid
    command -v mariadbd >/dev/null || die "mariadbd is missing: apt-get install mariadb-server-core"
    settle_places
    exec 9>"$dir/lock"
    flock 9
    if pid=$(server_pid); then
        say "MariaDB runs already: pid $pid, socket $socket"
        return
    fi
    chown "$run_as" "$dir"
    if is_root && ! runuser -u "$run_as" -- test -w "$dir"; then
        die "the user $run_as cannot reach $dir: choose another --dir"
    fi
    make_socket_dir
    write_config
    write_users
    make_tmp
    create_data
    setsid mariadbd --defaults-file="$dir/my.cnf" --user="$run_as" \
        </dev/null >>"$dir/error.log" 2>&1 9>&- &
    wait_until_ready $!
    say "MariaDB is ready: pid $(server_pid), socket $socket"
}

stop()
{
    local pid deadline=$((SECONDS + stop_seconds))
    settle_places
    if ! pid=$(server_pid); then
        say "MariaDB does not run in $dir"
        return
    fi
    kill "$pid"
    while server_pid >/dev/null; do
        [ $SECONDS -lt $deadline ] || die "MariaDB (pid $pid) has not ended after $stop_seconds s"
        sleep 0.1
    done
    say "MariaDB has stopped"
}

status()
{
    local pid
    settle_places
    if ! pid=$(server_pid); then
        say "MariaDB does not run in $dir"
        exit 3
    fi
    answers || die "MariaDB (pid $pid) does not answer on $socket"
    say "MariaDB runs: pid $pid, socket $socket"
}

env_of_clients()
{
    settle_places
    [ -r "$dir/dbint.cnf" ] || die "no database in $dir yet: private-mariadb.sh start"
    printf 'db_%s=%q\n' dir "$dir" socket "$socket" user dbint password "$(password_of dbint)" \
        cnf "$dir/dbint.cnf"
}

command=${1:-}
shift || usage
while [ $# -gt 0 ]; do
    case $1 in
    --dir) dir=${2:?--dir needs a directory} ;;
    --buffer-pool) buffer_pool=${2:?--buffer-pool needs a size} ;;
    *) usage ;;
    esac
    shift 2
done
[[ $buffer_pool =~ ^[0-9]+M$ ]] || die "the buffer pool's size is $buffer_pool, not like 512M"
case $command in
start | stop | status) $command ;;
env) env_of_clients ;;
*) usage ;;
esac
