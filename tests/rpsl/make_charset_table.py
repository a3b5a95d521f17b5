#!/usr/bin/env python3
"""Write src/rpsl/charset_table.h: character sets of one byte that hold ASCII, for -Z.

usage: make_charset_table.py > src/rpsl/charset_table.h

Names and aliases are those by which the reference's language knows them. The table is committed.
"""
import codecs

CHARSETS = [  # Python's name, names for -Z
    ("iso8859-2", "ISO-8859-2 iso8859_2 8859_2 iso-ir-101 ISO_8859-2 ISO_8859-2:1987 ISO8859-2 latin2 "
                  "l2 ibm912 ibm-912 cp912 912 csISOLatin2"),
    ("iso8859-3", "ISO-8859-3 iso8859_3 8859_3 ISO_8859-3:1988 iso-ir-109 ISO_8859-3 ISO8859-3 latin3 "
                  "l3 ibm913 ibm-913 cp913 913 csISOLatin3"),
    ("iso8859-4", "ISO-8859-4 iso8859_4 iso8859-4 8859_4 iso-ir-110 ISO_8859-4 ISO_8859-4:1988 latin4 "
                  "l4 ibm914 ibm-914 cp914 914 csISOLatin4"),
    ("iso8859-5", "ISO-8859-5 iso8859_5 8859_5 iso-ir-144 ISO_8859-5 ISO_8859-5:1988 ISO8859-5 "
                  "cyrillic ibm915 ibm-915 cp915 915 csISOLatinCyrillic"),
    ("iso8859-6", "ISO-8859-6 iso8859_6 8859_6 iso-ir-127 ISO_8859-6 ISO_8859-6:1987 ISO8859-6 "
                  "ECMA-114 ASMO-708 arabic ibm1089 ibm-1089 cp1089 1089 csISOLatinArabic"),
    ("iso8859-7", "ISO-8859-7 iso8859_7 8859_7 iso-ir-126 ISO_8859-7 ISO_8859-7:1987 ELOT_928 ECMA-118 "
                  "greek greek8 csISOLatinGreek sun_eu_greek ibm813 ibm-813 813 cp813 iso8859-7"),
    ("iso8859-8", "ISO-8859-8 iso8859_8 8859_8 iso-ir-138 ISO_8859-8 ISO_8859-8:1988 ISO8859-8 cp916 "
                  "916 ibm916 ibm-916 hebrew csISOLatinHebrew"),
    ("iso8859-9", "ISO-8859-9 iso8859_9 8859_9 iso-ir-148 ISO_8859-9 ISO_8859-9:1989 ISO8859-9 latin5 "
                  "l5 ibm920 ibm-920 920 cp920 csISOLatin5"),
    ("iso8859-13", "ISO-8859-13 iso8859_13 8859_13 iso_8859-13 ISO8859-13"),
    ("iso8859-15", "ISO-8859-15 ISO_8859-15 Latin-9 csISO885915 8859_15 IBM923 IBM-923 cp923 923 "
                   "LATIN0 LATIN9 L9 csISOlatin0 csISOlatin9 ISO8859_15_FDIS ISO8859-15 ISO8859_15"),
    ("cp1250", "windows-1250 cp1250 cp5346"),
    ("cp1251", "windows-1251 cp1251 cp5347 ansi-1251"),
    ("cp1252", "windows-1252 cp1252 cp5348 ibm-1252 ibm1252"),
    ("cp1253", "windows-1253 cp1253 cp5349"),
    ("cp1254", "windows-1254 cp1254 cp5350"),
    ("cp1255", "windows-1255 cp1255"),
    ("cp1256", "windows-1256 cp1256"),
    ("cp1257", "windows-1257 cp1257 cp5353"),
    ("cp1258", "windows-1258 cp1258"),
    ("koi8-r", "KOI8-R koi8_r koi8 cskoi8r"),
    ("koi8-u", "KOI8-U koi8_u"),
    ("cp437", "IBM437 cp437 ibm-437 437 cspc8codepage437 windows-437"),
    ("cp850", "IBM850 cp850 ibm-850 850 cspc850multilingual"),
    ("cp852", "IBM852 cp852 ibm-852 852 csPCp852"),
    ("cp866", "IBM866 cp866 ibm-866 866 csIBM866"),
]


def character(python_name, byte):
    try:
        return ord(codecs.decode(bytes([byte]), python_name))
    except UnicodeDecodeError:
        return 0


def rows(python_name):
    for start in range(128, 256, 16):
        yield "        " + ", ".join(f"0x{character(python_name, byte):04x}"
                                     for byte in range(start, start + 16)) + ","


def main():
    print("""/*
 * Character sets of one byte that hold ASCII.
 * Made by tests/rpsl/make_charset_table.py: do not edit.
 */
#pragma once

#include <stdint.h>

/* clang-format off */
static const struct {
    const char *names;       /* With a blank behind each, any case. */
    uint16_t characters[128]; /* Of the bytes from 128 on; 0: none. */
} charset_table[] = {""")
    for python_name, names in CHARSETS:
        assert all(character(python_name, byte) == byte for byte in range(128))
        print(f'    {{"{names} ", {{\n' + "\n".join(rows(python_name)) + "\n    }},")
    print("""};
/* clang-format on */""")


if __name__ == "__main__":
    main()
