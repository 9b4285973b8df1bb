#!/usr/bin/env python3
"""Writes src/lab/zones/signed.example.zone, the signed zone of the embedded world: the same each time."""

from pathlib import Path

from zones import Key, Zone

NAME = "signed.example."
TEXT = """
    host 3600 A 203.0.113.90
    host 3600 AAAA 2001:db8:80::90
    whole 3600 CNAME host
    half 3600 CNAME pop7.example.org.
"""
HEAD = """\
; A signed zone, an island of security: its key is the embedded world's trust anchor. Written by
; tests/dnssec/lab.py.
"""


def main():
    text = "\n".join(line.replace("CNAME host", f"CNAME host.{NAME}") for line in TEXT.splitlines())
    zone = Zone(NAME, text, keys=[Key(NAME, algorithm=15)], address="198.51.100.58")
    # For as long as 32 bits of seconds reach.
    zone.inception, zone.expiration = "20240101000000", "20371231000000"
    out = Path(__file__).parents[2] / "src/lab/zones/signed.example.zone"
    out.write_text(HEAD + "$ORIGIN signed.example.\n" + zone.zone_file())


if __name__ == "__main__":
    main()
