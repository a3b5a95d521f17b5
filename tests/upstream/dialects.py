"""How NRTM servers speak: what they send on connect, around a range, and when they refuse it.

    ripe          RIPE's Java server, on a port of its own: a banner first, -k pushes
    ripe-c        RIPE's old server in C, and those like ARIN's: no banner before the request, blank lines
                  in front of everything, FILTERED, -k pushes
    irrd          IRRd 4, on the whois port: no banner, %% ERROR, -k keeps the connection for more requests
    irrd-legacy   IRRd 2 and 3: START with the name as configured, END all in capitals, -k as above

A refusal has a kind: up-to-date, too-old, too-new (the first serial), beyond (the last one), expired,
denied, unknown-source, version, syntax, no-journal, too-many. Its text is formatted with source, first,
last, min, max, limit, and with the serials before and behind what there is.
"""

RIPE_BANNER = (b"% The RIPE Database is subject to Terms and Conditions.\n"
               b"% See https://docs.db.ripe.net/terms-conditions.html\n\n")
OUT_OF_RANGE = "%ERROR:401: invalid range: Not within {min}-{max}\n"


class Dialect:
    banner = b""
    banner_first = False   # On connect, before the request.
    pushes = True          # -k is a stream.
    lead = ""              # In front of START.
    suffix = ""            # Behind START's range.
    tail = "\n"            # Behind a refusal.
    head = ""              # In front of one.
    upper_end = False
    end = "%END {source}\n\n"
    strict_case = False    # Another spelling of the source gives no operations.
    refusals = {}
    expired_after_start = ""

    def refusal(self, kind, **values):
        return (self.head + self.refusals[kind].format(**values) + self.tail).encode("latin-1")

    def sources(self, journals):
        return b"".join(b"%s:3:X:%d-%d\n" % (journal.source.encode(), journal.first, journal.last)
                        for journal in journals) + b"\n"

    def journal_status(self, journal):
        """To !jSOURCE; None: not understood."""
        return None


class Ripe(Dialect):
    banner, banner_first, strict_case = RIPE_BANNER, True, True
    refusals = {
        "up-to-date": OUT_OF_RANGE, "too-old": OUT_OF_RANGE, "too-new": OUT_OF_RANGE,
        "beyond": OUT_OF_RANGE,
        "expired": "%ERROR:401: (Requesting serials older than 14 days will be rejected)\n",
        "denied": "%ERROR:402: not authorised to mirror the database from IP address 127.0.0.1\n",
        "unknown-source": "%ERROR:403: unknown source {source}\n",
        "version": "%ERROR:406: NRTM version mismatch\n",
        "syntax": "%ERROR:405: syntax error\n",
    }


class RipeC(Dialect):
    lead, suffix = "\n% This is the old server.\n\n", " FILTERED"
    head, tail, end = "\n", "\n\n", "%END {source}\n\n\n"
    refusals = dict(Ripe.refusals, denied="%ERROR:402: not authorized to mirror the database from IP "
                                          "address 127.0.0.1\n")
    expired_after_start = ("% Your request has been denied to protect private data.\n"
                           "% (Requesting serials older than 14 days will be rejected)\n\n")


class Irrd(Dialect):
    pushes, tail, end = False, "\n\n", "%END {source}\n\n\n"
    refusals = {
        "up-to-date": "% Warning: there are no newer updates available\n",
        "too-old": "%% ERROR: Serials {first} - {min} do not exist\n",
        "too-new": "%% ERROR: Serials {max} - {first} do not exist\n",
        "beyond": "%% ERROR: Serials {max} - {last} do not exist\n",
        "expired": "%% ERROR: Requesting serials older than 14 days will be rejected\n",
        "denied": "%% ERROR: Access denied\n",
        "unknown-source": "%% ERROR: Unknown source: {source}\n",
        "version": "%% ERROR: Invalid NRTM version: 0\n",
        "syntax": "%% ERROR: Invalid parameter: must contain three elements\n",
        "no-journal": "%% ERROR: No journal kept for this source, unable to serve NRTM queries\n",
        "too-many": "%% ERROR: Serial range requested exceeds maximum range of {limit}\n",
    }

    def journal_status(self, journal):
        text = b"%s:Y:%d-%d:%d\n" % (journal.source.encode(), journal.first, journal.last, journal.last)
        return b"A%d\n%sC\n" % (len(text), text)


class IrrdLegacy(Irrd):
    upper_end, end = True, "%END {source}\n"
    head, tail = "\n\n", "\n"
    refusals = dict(Irrd.refusals, **{
        "up-to-date": "% Warning: there are no newer updates available!\n",
        "too-old": "% ERROR: serials ({first} - {before}) don't exist!\n",
        "too-new": "% ERROR: range error 'from > to' ({first} > {max})\n",
        "beyond": "% ERROR: serials ({behind} - {last}) don't exist!\n",
        "denied": "% ERROR: mirror access denied\n",
        "unknown-source": "% ERROR: Unknown db ({source}) in mirror request\n",
        "no-journal": "% ERROR: Database ({source}) is a non-mirrored db!\n",
    })

    def sources(self, journals):
        return b"% ERROR: unknown option\n"


DIALECTS = {"ripe": Ripe, "ripe-c": RipeC, "irrd": Irrd, "irrd-legacy": IrrdLegacy}
