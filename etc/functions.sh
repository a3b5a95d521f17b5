# Shared by the shell scripts of the whois root: messages, and where var/ lives.

say()
{
    echo "$*"
}

die()
{
    echo "${0##*/}: $*" >&2
    exit 1
}

is_root()
{
    [ "$(id -u)" = 0 ]
}

# make_var ROOT USER: ROOT/var exists and USER can reach it. Where it cannot, as in a clone under
# root's home, var/ becomes a link to a directory of this clone's own in /var/lib, where an installed
# whoisd or another clone may have /var/lib/whoisd already.
make_var()
{
    local root=$1 user=$2 home=/var/lib/whoisd

    if [ ! -e "$root/var" ]; then
        rm -f "$root/var" # A link whose directory is gone.
        mkdir "$root/var"
        if is_root && ! runuser -u "$user" -- test -x "$root/var"; then
            rmdir "$root/var"
            if [ -e "$home" ] && ! grep -qsxF -e "$root" "$home/root"; then
                home=$home-$(printf %s "$root" | cksum | cut -d' ' -f1)
            fi
            mkdir -p "$home"
            echo "$root" >"$home/root"
            ln -s "$home" "$root/var"
            say "$root/var is a link to $home: the user $user cannot reach $root"
        fi
    fi
    mkdir -p "$root/var/log" "$root/var/status" "$root/var/checkpoint"
}
