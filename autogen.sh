#!/bin/sh
# Make ./configure from configure.ac. Needs autoconf and automake only.
set -eu
cd "$(dirname "$0")"
mkdir -p build-aux
exec autoreconf --install --force "$@"
