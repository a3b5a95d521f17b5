#!/usr/bin/env python3
"""Write src/rpsl/fold_table.h: the weights of MariaDB's utf8mb4_general_ci.

usage: make_fold_table.py SOCKET [USER] > src/rpsl/fold_table.h

Asks a running MariaDB (made for this with mariadb-install-db and mariadbd --skip-networking) for
the weight of each character up to U+FFFF. Needed only when the collation changes: the table is
committed.
"""
import subprocess
import sys

BLOCK = 64
QUERY = """
SELECT HEX(WEIGHT_STRING(CONVERT(CHAR(seq USING utf32) USING utf8mb4) COLLATE utf8mb4_general_ci))
FROM seq_0_to_65535"""


def weights(socket, user):
    command = ["mariadb", "--socket=" + socket, "--user=" + user,
               "--default-character-set=utf8mb4", "--skip-column-names", "test", "-e", QUERY]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert len(lines) == 0x10000
    return [int(line, 16) for line in lines]


def rows(numbers, width, per_line):
    for start in range(0, len(numbers), per_line):
        part = numbers[start:start + per_line]
        yield "    " + ", ".join(f"{number:{width}}" for number in part) + ","


def main():
    table = weights(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "root")
    for code, weight in enumerate(table):
        # What fold.c relies on: folding twice changes nothing, and nothing grows in UTF-8.
        assert table[weight] == weight, hex(code)
        assert len(chr(weight).encode("utf-8", "surrogatepass")) <= \
            len(chr(code).encode("utf-8", "surrogatepass")), hex(code)
    blocks = []
    index = []
    for start in range(0, 0x10000, BLOCK):
        block = table[start:start + BLOCK]
        if block == list(range(start, start + BLOCK)):
            index.append(0)
        else:
            blocks += block
            index.append(len(blocks) // BLOCK)
    print("/*")
    print(" * Weights of MariaDB's utf8mb4_general_ci.")
    print(" * Made by tests/rpsl/make_fold_table.py: do not edit.")
    print(f" * Characters come in blocks of {BLOCK}; a block without a number stands for itself.")
    print(" */")
    print("#pragma once\n")
    print("#include <stdint.h>\n")
    print("/* clang-format off */")
    print(f"#define FOLD_BLOCK {BLOCK}\n")
    print("/** Number of the block in fold_weights, from 1; 0: its characters stand for"
          " themselves. */")
    print("static const uint8_t fold_blocks[0x10000 / FOLD_BLOCK] = {")
    print("\n".join(rows(index, 2, 16)))
    print("};\n")
    print("static const uint16_t fold_weights[] = {")
    print("\n".join(rows(blocks, 5, 12)))
    print("};")
    print("/* clang-format on */")


main()
