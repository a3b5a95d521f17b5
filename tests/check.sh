#!/bin/bash
# The tests, in builds of their own below build/check: run by `quickstart.sh check`.
#
#   check.sh [NAME...]    the named ones of lint gcc clang long sanitizers threads fuzz, or all
#
# Each test's output is kept in build/check/NAME.log. Ends with a line "N passed, N failed".
set -uo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC

tree=$(dirname "$(dirname "$(readlink -f "$0")")")
out=$tree/build/check
jobs=$(nproc)
sanitizer_patience=300
passed=0
failed=0
failures=

# run NAME COMMAND...: one test; counts what the command counts in its output, or itself.
run()
{
    local name=$1 log=$out/$1.log begin=$SECONDS code pass fail
    shift
    mkdir -p "$out"
    "$@" >"$log" 2>&1 </dev/null &
    wait_with_progress "$name" $! "$log"
    code=$?
    read -r pass fail < <(count "$log")
    if [ $code = 0 ] && [ "$pass$fail" = 00 ]; then
        pass=1
    elif [ $code != 0 ] && [ "$fail" = 0 ]; then
        fail=1
    fi
    passed=$((passed + pass))
    failed=$((failed + fail))
    if [ $code = 0 ] && [ "$fail" = 0 ]; then
        echo "ok    $name: $pass passed ($((SECONDS - begin)) s)"
        return 0
    fi
    failures="$failures $name"
    echo "FAIL  $name: $pass passed, $fail failed ($((SECONDS - begin)) s)"
    grep -E '^(FAIL|ERROR)|AssertionError|Sanitizer|warning:|error:' "$log" | head -n 40
    tail -n 20 "$log"
    echo "      all of it: $log"
    return 1
}

# Adds up what make check and the scenarios say about themselves.
count()
{
    awk '/^# PASS:/ { pass += $3 }
         /^# (FAIL|ERROR):/ { fail += $3 }
         /^[0-9]+ passed, [0-9]+ failed$/ { pass += $1; fail += $3 }
         END { print pass + 0, fail + 0 }' "$1"
}

# A line every half minute says that something goes on.
wait_with_progress()
{
    local name=$1 child=$2 log=$3 begin=$SECONDS next=30
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2
        if [ $((SECONDS - begin)) -ge $next ]; then
            echo "      $name: $((SECONDS - begin)) s  $(tail -n 1 "$log" | tr -dc '[:print:]' | cut -c 1-80)"
            next=$((next + 30))
        fi
    done
    wait "$child"
}

# build NAME CONFIGURE-ARGUMENT...: in a directory of its own.
build()
{
    mkdir -p "$out/$1" && cd "$out/$1" &&
        { [ -e config.status ] || "$tree/configure" --quiet "${@:2}"; } && make -j"$jobs" -s
}

# build_with_tests: the test programs as well.
build_with_tests()
{
    build "$@" && make -j"$jobs" -s check TESTS=
}

# check_in BUILD TARGET...: scenarios wait much, so more tests at a time than processors.
check_in()
{
    cd "$out/$1" && ${run_with:-} make -j$((jobs + 2)) VERBOSE=1 "${@:2}"
}

# scenarios NAME...: as make check knows them.
scenarios()
{
    printf 'tests/e2e/%s.py ' "$@"
}

# --- the tests ---

part_lint()
{
    run format clang_format
    # The suppressed ones are wrong about arrays, struct assignments and macros; the compilers'
    # warnings and the sanitizers cover them.
    run cppcheck cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -I"$tree/src" \
        --enable=warning,portability --suppress=uninitvar --suppress=uninitStructMember \
        --suppress=shiftTooManyBitsSigned "$tree/src"
    run arrows arrows
    run scripts scripts
    run manuals manuals
}

clang_format()
{
    cd "$tree" && find src tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run --Werror
}

# Includes point one way; SQL, sockets and the event loop have one place each.
arrows()
{
    local code=0
    cd "$tree/src" || return 1
    forbid '#include "(query|mirror)/' storage net rpsl conf base
    forbid '#include "(storage|net)/' rpsl conf base
    forbid '#include "net/' storage
    forbid '#include "(rpsl|conf)/' base
    forbid '#include "rpsl/' net conf
    forbid '#include "mirror/' query
    forbid '#include "query/' mirror
    forbid '\bmysql_[a-z_]+\(' $(find . -name '*.[ch]' ! -path ./storage/sql.c)
    forbid '#include <ev\.h>' query mirror storage rpsl conf base
    return $code
}

forbid()
{
    if grep -rnE "$@"; then
        echo "not allowed: $1"
        code=1
    fi
}

scripts()
{
    local file code=0
    cd "$tree" || return 1
    for file in quickstart.sh etc/*.sh etc/whois.init tests/*.sh tests/e2e/*.sh; do
        bash -n "$file" || code=1
    done
    find tests -name '*.py' -print0 |
        xargs -0 python3 -c 'import ast, sys; [ast.parse(open(f, "rb").read()) for f in sys.argv[1:]]' ||
        code=1
    return $code
}

# groff tells what it does not understand, and goes on.
manuals()
{
    local page warnings code=0
    cd "$tree" || return 1
    for page in man/*.[1-9]; do
        warnings=$(groff -Tutf8 -mdoc -ww -z "$page" 2>&1) && [ -z "$warnings" ] && continue
        printf '%s:\n%s\n' "$page" "$warnings"
        code=1
    done
    return $code
}

part_gcc()
{
    run gcc-build build_with_tests gcc CC=gcc --enable-werror && run gcc-check check_in gcc check
}

part_clang()
{
    run clang-build build_with_tests clang CC=clang --enable-werror
}

part_long()
{
    [ -x "$out/gcc/whoisd" ] || run gcc-build build gcc CC=gcc --enable-werror || return
    E2E_LONG=1 run long-scenarios check_in gcc check-TESTS \
        TESTS="$(scenarios faults end_state snapshots bad_input service mirrors healing \
            golden access)"
}

part_sanitizers()
{
    # Sanitizers make compilers warn of what is no mistake: no -Werror here.
    run sanitizers-build build_with_tests asan CFLAGS='-O1 -g' \
        --enable-sanitizers=address,undefined &&
        LSAN_OPTIONS=suppressions=$tree/tests/lsan.supp E2E_BUILD=SAN \
            E2E_PATIENCE=$sanitizer_patience run sanitizers-check check_in asan check
}

# What readers and the writer do at once, on indexes alone and in whole servers. This sanitizer may not
# find its place among random addresses; not everywhere may one do without.
part_threads()
{
    run threads-build build tsan CFLAGS='-O1 -g' --enable-sanitizers=thread &&
        run_with=$(setarch -R true 2>/dev/null && echo setarch -R) TSAN_OPTIONS=halt_on_error=1 \
            E2E_BUILD=SAN E2E_PATIENCE=$sanitizer_patience \
            run threads-check check_in tsan check-TESTS TESTS="$(scenarios service end_state \
                snapshots access) tests/storage/tree_readers_test tests/storage/index_readers_test"
}

part_fuzz()
{
    run fuzz-build build fuzz CC=clang --enable-fuzzers \
        --enable-sanitizers=address,undefined CFLAGS='-O1 -g' &&
        run fuzz-run make -C "$out/fuzz" fuzz FUZZ_SECONDS=10 &&
        run fuzz-planted make -C "$out/fuzz" fuzz-planted FUZZ_SECONDS=60
}

if [ -e "$tree/config.status" ]; then
    echo "the tree is configured for a build in place: make distclean first" >&2
    exit 1
fi
[ -e "$tree/configure" ] || (cd "$tree" && ./autogen.sh >/dev/null 2>&1)
begin=$SECONDS
for part in ${*:-lint gcc clang long sanitizers threads fuzz}; do
    part_$part
done
echo "in $(((SECONDS - begin) / 60)) min $(((SECONDS - begin) % 60)) s${failures:+; failed:$failures}"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
