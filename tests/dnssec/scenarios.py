#!/usr/bin/env python3
"""Writes tests/scenarios/dnssec_*.rpl: signed zones, what their servers say, what a client must get.

    python3 tests/dnssec/scenarios.py            writes the files
    python3 tests/dnssec/scenarios.py --check    also has ldns-verify-zone judge the honest zones

Needs only Python's standard library (and ldnsutils for --check). Keys follow from a seed, times are
fixed: the same files come out every time. `algorithms.py` signs, `zones.py` answers, `world.py` has
servers, faults and the dialect; here is what is shown.
"""

import base64
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace

from world import (
    NOW, ROOT_ADDRESS, Scenario, Server, World, corrupted, drop, resigned, unsigned, write_all,
)  # fmt: skip
from zones import Key, Nsec3, Response, RRset, Zone, under

INSECURE_SHA1 = 'cnamed-dnssec.sha1: "insecure"'
VALIDATE_SHA1 = 'cnamed-dnssec.sha1: "validate"'

PLAIN = """
www A 192.0.2.101
bad A 192.0.2.102
"""


def one_zone(text=PLAIN, name="alpha.", ds=None, **zone):
    """The root and one zone."""
    made = Zone(name, text, **zone)
    return World(made, ds=ds and {name: ds}), made


# Algorithms and digests.


def algorithm(number, name, section, settings=(), secure=True, suffix="", bits=1024):
    key = Key("alpha.", number, bits=bits)
    world, _ = one_zone(keys=[key])
    world.at("alpha.").spoil("bad.alpha.", "A", corrupted)
    verdict = "validates" if secure else "is insecure"
    s = Scenario(f"alg_{number:02}{suffix}", f"A zone signed with {name} {verdict} ({section}).", world, settings)
    ede = [] if secure else ["1 ~alpha."]
    s.ask("www.alpha.").answered(secure, ede=ede)
    s.ask("no.alpha.").answered(secure, ede=ede)
    s.ask("bad.alpha.")
    if secure:
        s.bogus(6)
    else:
        sent = replace(world.resolve("bad.alpha.", "A"))
        s.insecure(ede=ede, expected=replace(sent, answer=[corrupted(held) for held in sent.answer]))


def algorithms():
    sha1 = "RFC 9905 §3, RFC 4035 §5.2"
    for number, name in ((5, "RSASHA1"), (7, "RSASHA1-NSEC3-SHA1")):
        algorithm(number, name, sha1, [INSECURE_SHA1], False, "_insecure")
        algorithm(number, f"{name}, switched on,", "RFC 3110 §3, RFC 5155 §2", [VALIDATE_SHA1], True, "_validate")
    algorithm(8, "RSASHA256", "RFC 5702 §3.1")
    algorithm(8, "RSASHA256 and 512 bits", "RFC 5702 §2.1", suffix="_512_bits", bits=512)
    algorithm(8, "RSASHA256 and 2048 bits", "RFC 5702 §2.1", suffix="_2048_bits", bits=2048)
    algorithm(10, "RSASHA512", "RFC 5702 §3.2")
    algorithm(13, "ECDSAP256SHA256", "RFC 6605 §4")
    algorithm(14, "ECDSAP384SHA384", "RFC 6605 §4")
    algorithm(15, "ED25519", "RFC 8080 §4")
    algorithm(16, "an unknown algorithm", "RFC 4035 §5.2, RFC 6840 §5.2", secure=False, suffix="_unknown")

    keys = [Key("alpha.", 8), Key("alpha.", 13)]
    world, zone = one_zone(keys=keys)
    world.at("alpha.").spoil("www.alpha.", "A", resigned(zone, [keys[1]]))
    world.at("alpha.").spoil("bad.alpha.", "A", lambda h: replace(h, sigs=corrupted(h).sigs[:1] + h.sigs[1:]))
    s = Scenario(
        "alg_any_of_two", "Any one good signature of any algorithm suffices (RFC 6840 §5.11).", world,
    )  # fmt: skip
    expected = world.resolve("www.alpha.", "A")
    s.ask("www.alpha.").secure(expected=replace(expected, answer=world.at("alpha.").spoiled(expected.answer)))
    expected = world.resolve("bad.alpha.", "A")
    s.ask("bad.alpha.").secure(expected=replace(expected, answer=world.at("alpha.").spoiled(expected.answer)))

    world, zone = one_zone(keys=[Key("alpha.", 13), Key("alpha.", 13, flags=256, seed="z")])
    world.at("alpha.").spoil("bad.alpha.", "A", resigned(zone, [Key("alpha.", 13, flags=256, seed="other")]))
    s = Scenario("keys_split", "A KSK signs the keys, a ZSK the rest (RFC 4035 §2.1, §5.2).", world)
    s.ask("www.alpha.").secure()
    s.ask("alpha.", "DNSKEY").secure()
    s.ask("bad.alpha.").bogus(9)


    # Two keys of one tag: these seeds were found by trying.
    keys = [Key("alpha.", seed="same-67"), Key("alpha.", seed="same-297")]
    assert keys[0].tag == keys[1].tag
    for i, key in enumerate(keys):
        world, _ = one_zone(keys=keys, ds=[key.ds()])
        s = Scenario(f"keys_of_one_tag_{i + 1}", "Of two keys with the same tag the right one is found (RFC 4034 §8, RFC 4035 §5.3.1).", world)
        s.ask("www.alpha.").secure()
        s.ask("no.alpha.").secure()

    # Keys whose signature ends before their TTL, and are signed anew.
    world, zone = one_zone()
    world.at("alpha.").spoil("alpha.", "DNSKEY", resigned(zone, expiration="20260601120140"))
    s = Scenario("keys_end_with_their_signature", "Keys are fetched again when their signature ends, before their TTL does (RFC 4035 §5.3.3).", world)
    s.ask("www.alpha.").secure()
    s.change(one_zone()[0]).wait(101)
    s.ask("bad.alpha.").secure()
    s.sent(1, "alpha.", "DNSKEY")
    # Keys that are exchanged while the old ones are cached.
    old, new = Key("alpha.", seed="old"), Key("alpha.", seed="new")
    world, _ = one_zone(keys=[old], ds=[old.ds()])
    s = Scenario("keys_exchanged", "A zone whose keys were exchanged without notice is bogus only until the old ones are forgotten (RFC 4035 §4.5).", world)
    s.ask("www.alpha.").secure()
    s.change(one_zone(keys=[new], ds=[new.ds()])[0])
    s.wait(3601)
    s.ask("bad.alpha.").secure()


def digests():
    key = Key("alpha.")
    good, other = key.ds, Key("alpha.", seed="other").ds
    for file, ds, secure, title in (
        ("ds_sha1", [good(1)], True, "A DS with SHA-1 alone is followed (RFC 4034 §5.1.3)."),
        ("ds_sha256", [good(2)], True, "A DS with SHA-256 is followed (RFC 4509 §2)."),
        ("ds_sha384", [good(4)], True, "A DS with SHA-384 is followed (RFC 6605 §2)."),
        ("ds_of_a_standby_key", [other(2), good(2)], True,
         "One DS that matches a key that signs suffices (RFC 4035 §5.2)."),
        ("ds_sha1_beside_sha256", [good(1), other(2)], False,
         "A DS with SHA-1 does not count beside one with SHA-256 (RFC 4509 §3)."),
        ("ds_unknown_beside_known", ["4711 200 2 " + "ab" * 32, good(2)], True,
         "A DS of an unknown algorithm does not weaken one of a known (RFC 4035 §5.2)."),
        ("ds_wrong_beside_unknown", ["4711 200 2 " + "ab" * 32, other(2)], False,
         "A DS of an unknown algorithm does not save one that matches no key (RFC 4035 §5.2)."),
        ("ds_unknown_digest", [good(2).replace(" 13 2 ", " 13 200 ")], None,
         "A zone with DS of unknown digests only is insecure (RFC 6840 §5.2)."),
        ("ds_unknown_algorithm", [good(2).replace(" 13 2 ", " 200 2 ")], None,
         "A zone with DS of unknown algorithms only is insecure (RFC 4035 §5.2)."),
    ):  # fmt: skip
        world, _ = one_zone(keys=[key], ds=ds)
        s = Scenario(file, title, world)
        s.ask("www.alpha.")
        if secure is False:
            s.bogus(9)
        else:
            code = 2 if "digest" in file else 1
            s.answered(bool(secure), ede=[] if secure else [f"{code} ~no DS of alpha. has a supported"])

    revoked = Key("alpha.", flags=257 | 128)
    world, _ = one_zone(keys=[revoked])
    s = Scenario("ds_of_a_revoked_key", "A revoked key proves nothing but its own revocation (RFC 5011 §2.1).", world)
    s.ask("www.alpha.").bogus(9)


# One file for each Extended DNS Error.


def errors():
    for code, anchor, title in (
        (1, ". IN DS 4711 200 2 " + "ab" * 32, "A trust anchor of an unknown algorithm alone fails closed (RFC 8914 §4.2)."),
        (2, ". IN DS 4711 13 200 " + "ab" * 32, "A trust anchor of an unknown digest alone fails closed (RFC 8914 §4.3)."),
    ):  # fmt: skip
        world, _ = one_zone()
        s = Scenario(f"ede_{code:02}_anchor", title, world, anchors=[anchor])
        s.ask("www.alpha.").bogus(code)
        s.ask("www.alpha.", flags="DO CD").answered(False)

    world, _ = one_zone()
    world.at(".").spoil("alpha.", "DS", drop)
    world.at(".").tweak("alpha.", "DS", lambda _: Response("SERVFAIL", aa=False))
    s = Scenario("ede_05_ds_cannot_be_had", "Whether a zone is signed cannot be found out: indeterminate (RFC 8914 §4.6, RFC 4035 §4.3).", world)
    s.ask("www.alpha.").bogus(5)

    world, zone = one_zone(PLAIN + "xx A 192.0.2.103\n")
    server = world.at("alpha.")
    server.spoil("bad.alpha.", "A", corrupted)
    swap = RRset("xx.alpha.", "A", 3600, ["192.0.2.66"])
    server.spoil("xx.alpha.", "A", lambda held: replace(held, rdata=swap.rdata))
    s = Scenario("ede_06_signature", "Neither signature nor data may be changed (RFC 8914 §4.7, RFC 4035 §5.3.3).", world)
    s.ask("bad.alpha.").bogus(6)
    s.ask("xx.alpha.").bogus(6)
    s.ask("www.alpha.").secure()

    for code, word, title, inception, expiration in (
        (7, "expired", "A signature whose time is over (RFC 8914 §4.8, RFC 4035 §5.3.1).", "20260101000000", "20260601115959"),
        (8, "not_yet_valid", "A signature whose time is to come (RFC 8914 §4.9, RFC 4035 §5.3.1).", "20260601120001", "20261231000000"),
        (25, "expired_before_valid", "A signature that ends before it begins (RFC 8914 §5.2, RFC 4035 §5.3.1).", "20261231000000", "20260101000000"),
    ):  # fmt: skip
        world, zone = one_zone()
        world.at("alpha.").spoil("www.alpha.", "A", resigned(zone, inception=inception, expiration=expiration))
        s = Scenario(f"ede_{code:02}_{word}", title, world)
        s.ask("www.alpha.").bogus(code)
        s.ask("bad.alpha.").secure()
    for end, edge in (("inception", "first"), ("expiration", "last")):
        world, zone = one_zone()
        world.at("alpha.").spoil("www.alpha.", "A", resigned(zone, **{end: NOW}))
        s = Scenario(f"signature_in_its_{edge}_second", f"The {edge} second of a signature's time is part of it (RFC 4034 §3.1.5).", world)
        expected = world.resolve("www.alpha.", "A")
        s.ask("www.alpha.").secure(expected=replace(expected, answer=world.at("alpha.").spoiled(expected.answer)))

    world, zone = one_zone()
    world.at("alpha.").spoil("alpha.", "DNSKEY", resigned(zone, inception="20250101000000", expiration="20250201000000"))
    s = Scenario("ede_07_of_the_keys", "Keys whose signature's time is over make their zone bogus (RFC 8914 §4.8, RFC 4035 §5.2).", world)
    s.ask("www.alpha.").bogus(7)

    world, zone = one_zone(ds=[Key("alpha.", seed="other").ds()])
    s = Scenario("ede_09_no_key_matches", "No key matches the DS (RFC 8914 §4.10, RFC 4035 §5.2).", world)
    s.ask("www.alpha.").bogus(9)
    world, zone = one_zone()
    world.at("alpha.").tweak("alpha.", "DNSKEY", lambda r: Response("SERVFAIL", aa=False))
    s = Scenario("ede_09_keys_cannot_be_had", "The keys that the DS promises cannot be had (RFC 8914 §4.10, RFC 4035 §5.2).", world)
    s.ask("www.alpha.").bogus(9)
    world, zone = one_zone()
    world.at("alpha.").tweak("alpha.", "DNSKEY", lambda r: replace(r, answer=[], authority=[zone.soa(), *zone.no_type("alpha.")]))
    s = Scenario("ede_09_keys_denied", "A zone with DS denies that it has keys (RFC 8914 §4.10, RFC 4035 §5.2).", world)
    s.ask("www.alpha.").bogus(9)

    world, zone = one_zone()
    world.at("alpha.").spoil("www.alpha.", "A", unsigned)
    s = Scenario("ede_10_no_signature", "A signed zone's data without a signature (RFC 8914 §4.11, RFC 4035 §5.3).", world)
    s.ask("www.alpha.").bogus(10)
    s.ask("bad.alpha.").secure()
    world, zone = one_zone()
    world.at("alpha.").spoil("alpha.", "DNSKEY", unsigned)
    s = Scenario("ede_10_of_the_keys", "A signed zone's keys without a signature (RFC 8914 §4.11, RFC 4035 §5.2).", world)
    s.ask("www.alpha.").bogus(10)
    world, zone = one_zone()
    for owner, rtype in (("alpha.", "SOA"), ("alpha.", "NSEC"), ("bad.alpha.", "NSEC"), ("www.alpha.", "NSEC")):
        world.at("alpha.").spoil(owner, rtype, unsigned)
    s = Scenario("ede_10_of_the_denial", "A signed zone's denial without a signature (RFC 8914 §4.11, RFC 4035 §5.4).", world)
    s.ask("www.alpha.", "TXT").bogus(10)

    for file, flags, protocol, title in (
        ("ede_11_no_zone_key", 1, 3, "A key without the Zone Key bit signs no zone (RFC 8914 §4.12, RFC 4034 §2.1.1)."),
        ("ede_11_other_protocol", 257, 4, "A key of another protocol signs no zone (RFC 8914 §4.12, RFC 4034 §2.1.2)."),
    ):  # fmt: skip
        world, zone = one_zone(keys=[Key("alpha.", flags=flags, protocol=protocol)])
        s = Scenario(file, title, world)
        s.ask("www.alpha.").bogus(11)

    world, zone = one_zone()
    for owner in ("alpha.", "bad.alpha.", "ns.alpha.", "www.alpha."):
        world.at("alpha.").spoil(owner, "NSEC", drop)
    s = Scenario("ede_12_no_nsec", "A signed zone's denial without NSEC (RFC 8914 §4.13, RFC 4035 §5.4).", world)
    s.ask("www.alpha.", "TXT").bogus(12)
    s.ask("no.alpha.").bogus(12)
    s.ask("www.alpha.").secure()

    for iterations, secure in ((50, True), (51, False), (150, False), (151, False), (2500, False)):
        verdict = "count" if secure else "leave it insecure, not bogus"
        world, zone = one_zone(PLAIN + "*.w A 192.0.2.103\n", nsec3=Nsec3(iterations, "aabb"))
        s = Scenario(
            f"ede_27_iterations_{iterations:04}",
            f"A zone's denials with {iterations} NSEC3 iterations {verdict} (RFC 9276 §3.2, RFC 8914).", world,
        )  # fmt: skip
        ede = [] if secure else ["27"]
        s.ask("no.alpha.").answered(secure, ede=ede)
        s.ask("www.alpha.", "TXT").answered(secure, ede=ede)
        s.ask("x.w.alpha.").answered(secure, ede=ede)
        s.ask("www.alpha.").secure()


# Denials, by NSEC and by NSEC3.

DENIALS = """
www A 192.0.2.101
www TXT "text"
*.wild A 192.0.2.102
wild TXT "text"
m.wild TXT "text"
deep.ent A 192.0.2.103
alias CNAME www.alpha.
down CNAME no.alpha.
tosub CNAME sub.alpha.
tonull CNAME null.alpha.
*.cw CNAME www.alpha.
d DNAME wild.alpha.
"""


def denial_world(nsec3=None, text=DENIALS, bitmaps=None):
    zone = Zone("alpha.", text, nsec3=nsec3, bitmaps=bitmaps)
    sub = Zone("sub.alpha.", "www A 192.0.2.111", nsec3=nsec3)
    null = Zone("null.alpha.", "www A 192.0.2.112", keys=[])
    return World(zone, sub, null), zone


def denials(how, nsec3, sections):
    honest = lambda: denial_world(nsec3)[0]

    def show(file, title, *questions, world=None):
        s = Scenario(f"{how}_{file}", title, world or honest())
        for name, rtype, secure in questions:
            s.ask(name, rtype).answered(secure)
        return s

    show("nxdomain", f"A name's absence is proven by {how.upper()} ({sections['nxdomain']}).",
         ("no.alpha.", "A", True), ("a.b.no.alpha.", "TXT", True), ("zz.alpha.", "A", True),
         ("0.alpha.", "A", True), ("x.deep.ent.alpha.", "A", True))  # fmt: skip
    show("nodata", f"A type's absence is proven by {how.upper()} ({sections['nodata']}).",
         ("www.alpha.", "MX", True), ("alpha.", "MX", True), ("www.alpha.", "DS", True))  # fmt: skip
    show("wildcard_answer", f"A wildcard answers when {how.upper()} proves that nothing is closer ({sections['wildcard']}).",
         ("x.wild.alpha.", "A", True), ("x.y.wild.alpha.", "A", True), ("*.wild.alpha.", "A", True),
         ("z.cw.alpha.", "A", True))  # fmt: skip
    show("wildcard_nodata", f"A wildcard without the type is proven by {how.upper()} ({sections['wildcard_nodata']}).",
         ("x.wild.alpha.", "TXT", True), ("x.y.wild.alpha.", "MX", True))  # fmt: skip
    show("empty_non_terminal", f"A name that only has names below it is NODATA, proven by {how.upper()} ({sections['ent']}).",
         ("ent.alpha.", "A", True), ("cw.alpha.", "A", True))  # fmt: skip
    show("insecure_delegation", f"A delegation that {how.upper()} proves to have no DS is insecure ({sections['insecure']}).",
         ("www.null.alpha.", "A", False), ("no.null.alpha.", "A", False), ("www.sub.alpha.", "A", True))  # fmt: skip
    show("ds_absent", f"The parent proves by {how.upper()} that a zone has no DS ({sections['insecure']}).",
         ("null.alpha.", "DS", True), ("sub.alpha.", "DS", True), ("www.alpha.", "DS", True), ("ent.alpha.", "DS", True))  # fmt: skip
    show("ds_behind_an_alias", f"A question for DS follows an alias to the parent's side of a cut ({sections['insecure']}; RFC 1034 §4.3.2).",
         ("tosub.alpha.", "DS", True), ("tonull.alpha.", "DS", True), ("down.alpha.", "DS", True))  # fmt: skip
    show("chain_to_a_denial", f"The denial at the end of a chain is proven by {how.upper()} for the target (RFC 2308 §2.1, {sections['nxdomain']}).",
         ("down.alpha.", "A", True), ("alias.alpha.", "MX", True), ("x.y.d.alpha.", "TXT", True))  # fmt: skip

    broken_denials(how, nsec3, sections)


def broken_denials(how, nsec3, sections):
    cover = lambda zone, name: zone.covering(name)

    def show(file, title, faults, code, settings=()):
        """`faults`: by question, RCODE and records beside the SOA."""
        world, zone = denial_world(nsec3)
        s = Scenario(f"{how}_{file}", title, world, settings)
        for (name, rtype), (rcode, make) in faults.items():
            proof = make(world, zone)
            world.at("alpha.").tweak(name, rtype, lambda _, r=rcode, p=proof: Response(r, authority=[zone.soa(), *p]))
            s.ask(name, rtype).bogus(code)

    closest = lambda zone, name: zone.matching("alpha.") + cover(zone, name) if nsec3 else cover(zone, name)
    show("nxdomain_without_wildcard", f"NXDOMAIN whose {how.upper()} leaves room for a wildcard ({sections['nxdomain']}).",
         {("no.alpha.", "A"): ("NXDOMAIN", lambda w, z: closest(z, "no.alpha."))}, 12)  # fmt: skip
    show("nxdomain_without_name", f"NXDOMAIN whose {how.upper()} covers only the wildcard ({sections['nxdomain']}).",
         {("no.alpha.", "A"): ("NXDOMAIN", lambda w, z: cover(z, "*.alpha."))}, 12)  # fmt: skip
    show("nxdomain_of_what_exists", f"NXDOMAIN with the {how.upper()} of the very name ({sections['nxdomain']}).",
         {("www.alpha.", "MX"): ("NXDOMAIN", lambda w, z: z.matching("www.alpha.") + cover(z, "*.alpha."))}, 6 if nsec3 else 12)  # fmt: skip
    show("nodata_of_what_does_not_exist", f"NODATA with the {how.upper()} of NXDOMAIN ({sections['nodata']}).",
         {("no.alpha.", "A"): ("NOERROR", lambda w, z: z.no_name("no.alpha."))}, 12)  # fmt: skip
    show("nodata_of_another_name", f"NODATA with the {how.upper()} of another name ({sections['nodata']}).",
         {("www.alpha.", "MX"): ("NOERROR", lambda w, z: z.matching("wild.alpha."))}, 12)  # fmt: skip
    show("nodata_of_what_is_there", f"NODATA with a {how.upper()} that has the type ({sections['nodata']}).",
         {("www.alpha.", "A"): ("NOERROR", lambda w, z: z.matching("www.alpha."))}, 6)  # fmt: skip
    show("nodata_beside_a_cname", f"NODATA with a {how.upper()} that has a CNAME (RFC 6840 §4.3; rule R31).",
         {("alias.alpha.", "A"): ("NOERROR", lambda w, z: z.matching("alias.alpha."))}, 6)  # fmt: skip
    show("nxdomain_below_a_dname", f"NXDOMAIN below the {how.upper()} of a DNAME (RFC 6672 §5.3.4.1; rule R31).",
         {("x.d.alpha.", "A"): ("NXDOMAIN", lambda w, z: (z.matching("d.alpha.") + cover(z, "x.d.alpha.") if nsec3 else cover(z, "x.d.alpha.")) + cover(z, "*.d.alpha."))}, 6)  # fmt: skip
    show("wildcard_nodata_without_closer", f"A wildcard's NODATA without a proof that nothing is closer ({sections['wildcard_nodata']}).",
         {("x.wild.alpha.", "TXT"): ("NOERROR", lambda w, z: z.matching("*.wild.alpha."))}, 12)  # fmt: skip
    show("parent_side_for_child", f"The parent's {how.upper()} at a cut denies no type of the child (RFC 6840 §4.1).",
         {("sub.alpha.", "MX"): ("NOERROR", lambda w, z: z.matching("sub.alpha."))}, 12)  # fmt: skip
    show("parent_side_for_a_name_below", f"The parent's {how.upper()} denies no name below a cut (RFC 6840 §4.1, §4.4).",
         {("no.sub.alpha.", "A"): ("NXDOMAIN", lambda w, z: (z.matching("sub.alpha.") + cover(z, "no.sub.alpha.") if nsec3 else z.matching("sub.alpha.")) + cover(z, "*.sub.alpha."))}, 12,
         ["query-minimization: no"])  # fmt: skip

    # The child's own record at its apex says nothing of the DS, which is the parent's.
    world, zone = denial_world(nsec3)
    child = next(z for z in world.zones if z.name == "sub.alpha.")
    lie = lambda _: Response("NOERROR", authority=[child.soa(), *child.matching("sub.alpha.")])
    world.at("alpha.").tweak("sub.alpha.", "DS", lie)
    world.at("alpha.").spoil("sub.alpha.", "DS", drop)
    world.at("sub.alpha.").spoil("www.sub.alpha.", "A", unsigned)
    s = Scenario(f"{how}_child_side_for_ds", f"The child's {how.upper()} at its apex denies no DS (RFC 4035 §5.2, RFC 6840 §4.1).", world)
    s.ask("sub.alpha.", "DS").bogus(12)

    # The DS was taken away and nothing proves that there is none.
    world, zone = denial_world(nsec3)
    server = world.at("alpha.")
    server.spoil("sub.alpha.", "DS", drop)
    server.tweak("sub.alpha.", "DS", lambda _: Response("NOERROR", authority=[zone.soa(), *zone.no_name("no.alpha.")]))
    world.at("sub.alpha.").spoil("www.sub.alpha.", "A", unsigned)
    s = Scenario(f"{how}_ds_taken_away", f"A delegation without DS and without the {how.upper()} for that is bogus ({sections['insecure']}).", world)
    s.ask("www.sub.alpha.").bogus(12)

    # A wildcard's expansion without proof, and with one that covers something else.
    world, zone = denial_world(nsec3)
    server = world.at("alpha.")
    for name, proof in (("x.wild.alpha.", []), ("y.wild.alpha.", zone.covering("no.alpha."))):
        answer = zone.respond(name, "A").answer
        server.tweak(name, "A", lambda _, a=answer, p=proof: Response(answer=a, authority=p))
    s = Scenario(f"{how}_wildcard_without_proof", f"A wildcard's answer without the {how.upper()} that nothing is closer is bogus ({sections['wildcard']}).", world)
    s.ask("x.wild.alpha.").bogus(12)
    s.ask("y.wild.alpha.").bogus(12)
    # What the wildcard would say about a name that exists.
    world, zone = denial_world(nsec3)
    star = zone.respond("x.wild.alpha.", "A")
    exists = [replace(held, owner="www.wild.alpha.") for held in star.answer]
    zone.add("www.wild", "A", "192.0.2.104")
    proof = zone.no_closer("x.wild.alpha.")
    world.at("alpha.").tweak("www.wild.alpha.", "A", lambda _: Response(answer=exists, authority=proof))
    s = Scenario(f"{how}_wildcard_over_a_name", f"A wildcard's answer for a name that exists is bogus ({sections['wildcard']}).", world)
    s.ask("www.wild.alpha.").bogus(12)


def edges():
    """The apex, letter case, the SOA beside a denial, keys without the SEP bit."""
    for how, nsec3, section in (("nsec", None, "RFC 4035 §5.3.4"), ("nsec3", Nsec3(1, "ab"), "RFC 5155 §8.8")):
        text = "* A 192.0.2.101\nwww A 192.0.2.102\na.b A 192.0.2.103\n"
        world, zone = one_zone(text, nsec3=nsec3)
        s = Scenario(f"{how}_wildcard_at_the_apex", f"A wildcard right below the apex answers, and only for names that nothing is closer to, by {how.upper()} ({section}; RFC 4592 §2.2.1).", world)
        s.ask("x.alpha.").secure()
        s.ask("x.y.alpha.").secure()
        s.ask("x.alpha.", "MX").secure()
        s.ask("b.alpha.").secure()
        s.ask("c.b.alpha.").secure()
        s.ask("alpha.").secure()
        s.ask("www.alpha.").secure()
        world, zone = one_zone(text, nsec3=nsec3)
        # What the wildcard says for x.alpha. proves nothing below a name that exists.
        stolen = [replace(held, owner="d.b.alpha.") for held in zone.respond("x.alpha.", "A").answer]
        world.at("alpha.").tweak("d.b.alpha.", "A", lambda _, z=zone, a=stolen: Response(answer=a, authority=z.covering("d.b.alpha.")))
        s = Scenario(f"{how}_wildcard_wrong_next_closer", f"A wildcard's answer whose {how.upper()} is not of the next closer name is bogus ({section}).", world)
        s.ask("d.b.alpha.").bogus(12)
        for file, fault, code in (("bogus", corrupted, 6), ("unsigned", unsigned, 10)):
            world, zone = one_zone(text.replace("* A", "*.w A"), nsec3=nsec3)
            world.at("alpha.").spoil("alpha.", "SOA", fault)
            s = Scenario(f"{how}_soa_{file}", f"A denial by {how.upper()} whose SOA is {file} is bogus ({section.replace('3.4', '4').replace('8.8', '8.4')}, RFC 4035 §5.3).", world)
            s.ask("no.alpha.").bogus(code)
            s.ask("www.alpha.", "MX").bogus(code)
            s.ask("x.w.alpha.").secure()
        world, zone = one_zone(nsec3=nsec3)
        s = Scenario(f"{how}_apex", f"What the apex has, and has not, in a zone with {how.upper()} (RFC 4035 §2, §5.4; RFC 5155 §7.1).", world)
        for rtype in ("NS", "SOA", "DNSKEY", "MX", "A", "DS"):
            s.ask("alpha.", rtype).secure()
        s.ask("alpha.", "NSEC").secure() if nsec3 is None else s.ask("alpha.", "NSEC3PARAM").secure()

    # Unsigned records that come along with a proof prove nothing themselves.
    world, zone = one_zone(nsec3=Nsec3(1, "ab"))
    server = world.at("alpha.").spoil("bad.alpha.", "A", lambda held: RRset(held.owner, "A", 3600, ["192.0.2.66"]))
    forged = RRset("bad.alpha.", "NSEC", 300, ["c.alpha. NS RRSIG NSEC"])
    add = lambda response: replace(response, authority=[forged, *response.authority])
    server.tweak("bad.alpha.", "DS", add).tweak("www.alpha.", "MX", add).tweak("no.alpha.", "A", add)
    s = Scenario("nsec_forged_beside_nsec3", "A forged delegation beside the proof that there is none makes nothing insecure, and is not passed on (RFC 4035 §3.2.3, §5.2; RFC 6840 §4.4).", world)
    s.ask("bad.alpha.").bogus(10)
    s.ask("www.alpha.", "MX").secure()
    s.ask("no.alpha.").secure()

    world, zone = one_zone(nsec3=Nsec3(1, "ab"))
    shout = lambda response: replace(response, authority=[
        replace(held, owner=held.owner.upper() if held.rtype == "NSEC3" else held.owner) for held in response.authority
    ])  # fmt: skip
    for name, rtype in (("no.alpha.", "A"), ("www.alpha.", "MX")):
        world.at("alpha.").tweak(name, rtype, shout)
    s = Scenario("nsec3_upper_case", "A hash in an owner name may be in upper case (RFC 5155 §3, RFC 4343 §3).", world)
    s.ask("no.alpha.").secure()
    s.ask("www.alpha.", "MX").secure()

    key = Key("alpha.", flags=256)
    world, zone = one_zone(keys=[key], ds=[key.ds()])
    s = Scenario("keys_without_sep", "The SEP bit says nothing to a validator: a DS may point at any zone key (RFC 4034 §2.1.1, RFC 6840 §6.2).", world)
    s.ask("www.alpha.").secure()
    s.ask("no.alpha.").secure()

    # What a server does to EDNS does not make its zone bogus.
    for rcode in ("FORMERR", "BADVERS"):
        world, zone = one_zone()
        world.at("alpha.").refuse_cookies(rcode)
        s = Scenario(f"cookie_refused_with_{rcode.lower()}", f"A server that says {rcode} to a cookie is asked again with DO, and its zone is proven (RFC 3225 §3, RFC 7873 §5.1).", world)
        s.ask("www.alpha.").secure()
        s.ask("no.alpha.").secure()


def odd_denials():
    # Minimal covering, and denial by a record at the name itself.
    world, zone = one_zone()
    white = [RRset("nn.alpha.", "NSEC", 300, ["no0.alpha. RRSIG NSEC"]), RRset("!.alpha.", "NSEC", 300, ["+.alpha. RRSIG NSEC"])]
    signed = [zone.sign(held) for held in white]
    response = Response("NXDOMAIN", authority=[zone.soa(), *signed])
    world.at("alpha.").tweak("no.alpha.", "A", lambda _: response)
    s = Scenario("nsec_white_lies", "Records that cover hardly more than the name prove as much as others (RFC 4470 §4).", world)
    s.ask("no.alpha.").secure(expected=response)
    world, zone = one_zone()
    black = Response(authority=[zone.soa(), zone.sign(RRset("no.alpha.", "NSEC", 300, ["!.no.alpha. RRSIG NSEC TYPE128"]))])
    world.at("alpha.").tweak("no.alpha.", "A", lambda _: black)
    s = Scenario("nsec_compact_denial", "A name that does not exist may be denied as one without types (RFC 9824 §3).", world)
    s.ask("no.alpha.").secure(expected=black)

    # What an expanded NSEC, one of another zone, or one without order would deny.
    world, zone = one_zone("www A 192.0.2.101\nbeta A 192.0.2.102\n")
    server = world.at("alpha.")
    soa = zone.soa()
    star = replace(zone.sign(RRset("*.alpha.", "NSEC", 300, ["alpha. TXT RRSIG NSEC"])), owner="m.alpha.")
    other = Zone("beta.", "", keys=[Key("beta.")])
    faults = {
        "n.alpha.": [star],
        "o.alpha.": [other.sign(RRset("beta.", "NSEC", 300, ["beta. NS SOA RRSIG NSEC DNSKEY"]))],
        "p.alpha.": [zone.sign(RRset("www.alpha.", "NSEC", 300, ["beta.alpha. A RRSIG NSEC"]))],
        "q.alpha.": [zone.sign(RRset("m.alpha.", "NSEC", 300, ["alpha. A RRSIG NSEC"]), signer="beta.")],
    }
    s = Scenario("nsec_unfit", "NSEC from a wildcard, of another zone, against the order or by another signer prove nothing (RFC 4592 §4.7, RFC 4035 §5.4).", world)
    for name, sets in faults.items():
        server.tweak(name, "A", lambda _, sets=sets: Response("NXDOMAIN", authority=[soa, *sets]))
        # Which of the codes depends on which fault is seen first.
        s.ask(name).check("flags rcode answer authority", [], "SERVFAIL")

    for file, title, change in (
        ("nsec3_unknown_hash", "NSEC3 of an unknown hash algorithm is ignored (RFC 5155 §8.1).", lambda text: "6" + text[1:]),
        ("nsec3_unknown_flags", "NSEC3 with unknown flags is ignored (RFC 5155 §8.2).", lambda text: text.replace("1 0 ", "1 2 ", 1)),
    ):  # fmt: skip
        world, zone = one_zone(nsec3=Nsec3(0, "-"))
        changed = [zone.sign(replace(held, rdata=[change(held.rdata[0])])) for held in zone.no_name("no.alpha.")]
        world.at("alpha.").tweak("no.alpha.", "A", lambda _, z=zone, c=changed: Response("NXDOMAIN", authority=[z.soa(), *c]))
        s = Scenario(file, title, world)
        s.ask("no.alpha.").bogus(12)
    world, zone = one_zone(nsec3=Nsec3(0, "-"))
    other = Zone("alpha.", PLAIN, nsec3=Nsec3(0, "ab"))
    proof = zone.proven_encloser("no.alpha.") + other.covering("*.alpha.")
    world.at("alpha.").tweak("no.alpha.", "A", lambda _: Response("NXDOMAIN", authority=[zone.soa(), *proof]))
    s = Scenario("nsec3_mixed_parameters", "NSEC3 records of different salts prove nothing together (RFC 5155 §8.2).", world)
    s.ask("no.alpha.").bogus(12)
    world, zone = one_zone(nsec3=Nsec3(0, "-"))
    s = Scenario("nsec3_deep_name", "The closest encloser is found from a name many labels down (RFC 5155 §8.3).", world)
    s.ask("a.b.c.d.e.f.g.h.no.alpha.").secure()


def opt_out():
    nsec3 = Nsec3(0, "-", opt_out=True)

    def world():
        return denial_world(nsec3)[0]

    s = Scenario("optout_delegation", "A delegation in an opt-out span is insecure (RFC 5155 §8.9, §9.2).", world())
    s.ask("www.null.alpha.").insecure()
    s.ask("null.alpha.", "DS").insecure()
    s.ask("www.sub.alpha.").secure()
    s = Scenario("optout_nxdomain", "NXDOMAIN by an opt-out span is insecure: it may hide a delegation (RFC 5155 §9.2).", world())
    s.ask("no.alpha.").insecure()
    s.ask("www.alpha.", "MX").secure()
    s = Scenario("optout_wildcard", "A wildcard's answer by an opt-out span is insecure (RFC 5155 §9.2).", world())
    s.ask("x.wild.alpha.").insecure()
    s.ask("*.wild.alpha.").secure()
    lie, zone = denial_world(nsec3)
    server = lie.at("alpha.").spoil("sub.alpha.", "DS", drop)
    server.tweak("sub.alpha.", "DS", lambda _: Response(authority=[zone.soa(), *zone.no_type("null.alpha.")]))
    lie.at("sub.alpha.").spoil("www.sub.alpha.", "A", unsigned)
    s = Scenario("optout_ds_taken_away", "An opt-out span of other names makes no signed delegation insecure (RFC 5155 §8.9).", lie)
    s.ask("www.sub.alpha.").bogus(12)
    lie, zone = denial_world(nsec3)
    s = Scenario("optout_unsigned_data", "Opt-out makes no name of a secure zone insecure: unsigned data is bogus (RFC 5155 §8.5).", lie)
    lie.at("alpha.").spoil("www.alpha.", "A", unsigned)
    s.ask("www.alpha.").bogus(10)


# What RRSIGs and DNSKEYs may not say.


def signatures():
    def show(file, title, code, fault, text=PLAIN, name="www.alpha.", also=()):
        world, zone = one_zone(text)
        world.at("alpha.").spoil(name, "A", fault(zone))
        s = Scenario(file, title, world)
        for each in also:
            s.know(each, "A")
        s.ask(name).bogus(code)

    show("labels_too_many", "An RRSIG that counts more labels than its owner has is unfit (RFC 4035 §5.3.1).", 6,
         lambda zone: resigned(zone, labels=3))  # fmt: skip
    show("labels_too_few", "An RRSIG that counts fewer labels than it should turns the data into a wildcard's, without proof (RFC 4035 §5.3.4).", 12,
         lambda zone: resigned(zone, labels=1))  # fmt: skip
    show("labels_above_the_zone", "An RRSIG whose wildcard would be above the zone is unfit (RFC 4035 §5.3.1, §5.3.2).", 6,
         lambda zone: resigned(zone, labels=0))  # fmt: skip
    show("type_covered", "An RRSIG that covers another type does not count (RFC 4035 §5.3.1).", 10,
         lambda zone: resigned(zone, type="AAAA"))  # fmt: skip
    show("signer_beside", "An RRSIG by a zone that is not above the owner is unfit (RFC 4035 §5.3.1).", 6,
         lambda zone: resigned(zone, [Key("beta.")], signer="beta."))  # fmt: skip
    show("signer_at_no_cut", "An RRSIG whose signer is a name without a delegation is unfit (RFC 4035 §5.3.1).", 6,
         lambda zone: resigned(zone, [Key("www.alpha.")], signer="www.alpha."))  # fmt: skip
    show("key_of_another_zone", "An RRSIG by a key that the zone does not have (RFC 4035 §5.3.1).", 9,
         lambda zone: resigned(zone, [Key("alpha.", seed="other")]))  # fmt: skip
    show("algorithm_of_the_key", "An RRSIG whose algorithm is not its key's does not count (RFC 4035 §5.3.1).", 9,
         lambda zone: resigned(zone, algorithm=15))  # fmt: skip
    show("original_ttl_changed", "The original TTL is signed too (RFC 4034 §3.1.4).", 6,
         lambda zone: lambda held: replace(held, sigs=[sig.replace(" 3600 ", " 7200 ", 1) for sig in zone.sign(held).sigs]))  # fmt: skip

    # A zone that vouches for its own DS.
    sub = Zone("sub.alpha.", "www A 192.0.2.111")
    world = World(Zone("alpha."), sub)
    own = lambda held: sub.sign(held, signer="sub.alpha.")
    world.at("alpha.").spoil("sub.alpha.", "DS", own)
    s = Scenario("ds_signed_by_the_child", "A DS set is the parent's to sign (RFC 4035 §2.4, §5.2).", world)
    s.ask("www.sub.alpha.").bogus(6)

    signed_by_the_parent()

    # Forms that are the same once they are canonical.
    text = 'mx MX 10 mail.sub.alpha.\nwww A 192.0.2.101\nwww A 192.0.2.102\nc CNAME www.alpha.\nd DNAME sub.alpha.\nx.sub A 192.0.2.103\n'
    world, zone = one_zone(text)
    upper = lambda held: replace(held, rdata=[text.upper() for text in held.rdata])
    server = world.at("alpha.")
    server.spoil("mx.alpha.", "MX", upper).spoil("c.alpha.", "CNAME", upper).spoil("d.alpha.", "DNAME", upper)
    server.spoil("www.alpha.", "A", lambda held: replace(held, rdata=[*reversed(held.rdata), held.rdata[0]]))
    s = Scenario("canonical_form", "Letter case of names, order and duplicates do not matter to a signature (RFC 4034 §6.2, §6.3).", world)
    s.ask("mx.alpha.", "MX").secure()
    # Which case is shown is not what this is about.
    s.ask("c.alpha.", "A").secure(match="all ede")
    s.ask("x.d.alpha.", "A").secure(match="all ede")

    # TTLs.
    world, zone = one_zone("www A 192.0.2.101\nlong A 192.0.2.102\n")
    soon = resigned(zone, expiration="20260601120140")
    server = world.at("alpha.")
    server.spoil("www.alpha.", "A", soon)
    server.spoil("long.alpha.", "A", lambda held: replace(zone.sign(replace(held, ttl=200)), ttl=3600))
    s = Scenario("ttl_ends_with_the_signature", "No TTL outlives the signature or the original TTL (RFC 4035 §5.3.3).", world)
    expected = world.resolve("www.alpha.", "A")
    answer = [replace(held, ttl=100) for held in map(soon, expected.answer)]
    s.ask("www.alpha.").secure(expected=replace(expected, answer=answer), match="all ttl ede")
    expected = world.resolve("long.alpha.", "A")
    answer = [replace(held, ttl=200) for held in server.spoiled(expected.answer)]
    s.ask("long.alpha.").secure(expected=replace(expected, answer=answer), match="all ttl ede")
    s.wait(101).ask("www.alpha.").bogus(7)


def signed_by_the_parent():
    """What is in a zone is that zone's to sign, and not its parent's."""

    def family():
        alpha, sub = Zone("alpha."), Zone("sub.alpha.", PLAIN + "both A 192.0.2.103\n")
        null = Zone("null.alpha.", PLAIN, keys=[])
        return World(alpha, sub, null), alpha, sub

    section = "RFC 4035 §5.3.1"
    world, alpha, sub = family()
    server = world.at("sub.alpha.").spoil("www.sub.alpha.", "A", resigned(alpha))
    server.spoil("both.sub.alpha.", "A", lambda held: replace(held, sigs=alpha.sign(held).sigs + sub.sign(held).sigs))
    s = Scenario("signer_above_the_zone", f"The key of a zone signs nothing in a secure zone below it ({section}).", world)
    s.ask("www.sub.alpha.").bogus(6)
    s.ask("bad.sub.alpha.").secure()
    expected = world.resolve("both.sub.alpha.", "A")
    s.ask("both.sub.alpha.").secure(expected=replace(expected, answer=server.spoiled(expected.answer)))

    world, alpha, sub = family()
    proof = [alpha.sign(held) for held in sub.no_name("no.sub.alpha.")]
    world.at("sub.alpha.").tweak("no.sub.alpha.", "A", lambda _: Response("NXDOMAIN", authority=[alpha.sign(sub.soa()), *proof]))
    s = Scenario("signer_above_the_zone_of_a_denial", f"The key of a zone denies nothing in a secure zone below it ({section}, §5.4).", world)
    s.ask("no.sub.alpha.").bogus(6)
    s.ask("gone.sub.alpha.").secure()

    world, alpha, _ = family()
    server = world.at("null.alpha.").spoil("www.null.alpha.", "A", lambda held: alpha.sign(held))
    s = Scenario("signer_above_an_insecure_zone", f"The key of a zone makes nothing secure in an insecure zone below it ({section}, §5.2).", world)
    expected = world.resolve("www.null.alpha.", "A")
    s.ask("www.null.alpha.").insecure(expected=replace(expected, answer=server.spoiled(expected.answer)))

    # One server for parent and child: no referral shows the cut, but what was proven before does.
    alpha, sub = Zone("alpha.", PLAIN, address="192.0.2.10"), Zone("sub.alpha.", PLAIN, address="192.0.2.10")
    world = World(alpha, sub)
    world.servers = [world.at("."), Server("192.0.2.10", [alpha, sub]).spoil("www.sub.alpha.", "A", resigned(alpha))]
    s = Scenario("signer_above_a_known_cut", f"A zone that is known to be signed is not signed for by the one above, also where one server has both ({section}).", world)
    s.ask("bad.sub.alpha.").secure()
    s.ask("www.sub.alpha.").bogus(6)


# What one question may cost.


def same_tag(key, count):
    """RDATA of `count` keys which nobody has, with the tag of `key`: swapping pairs keeps the sum."""
    head, public = key.rdata.rsplit(" ", 1)
    octets = bytearray(base64.b64decode(public))
    made = []
    for at in range(count):
        other = octets.copy()
        i, j = 2 * (at % 16), 2 * (at // 16 % 16) + 32
        other[i : i + 2], other[j : j + 2] = octets[j : j + 2], octets[i : i + 2]
        made.append(f"{head} {base64.b64encode(other).decode()}")
    return made


def caps():
    key_trap = "CVE-2023-50387"

    def several_wrong(zone, held, count):
        """Signatures by the right key and of the wrong message before the good one."""
        wrong = [zone.sign(held, expiration=f"202612300000{n:02}") for n in range(count)]
        return replace(held, sigs=[sig for one in wrong for sig in corrupted(one).sigs] + zone.sign(held).sigs)

    # Eight wrong ones end it, for the whole question.
    text = "".join(f"a{n} CNAME b{n}.alpha.\nb{n} A 192.0.2.10{n}\n" for n in (1, 2))
    world, zone = one_zone(text)
    server = world.at("alpha.")
    for owner, rtype, count in (("a1", "CNAME", 3), ("b1", "A", 4), ("a2", "CNAME", 4), ("b2", "A", 4)):
        server.spoil(f"{owner}.alpha.", rtype, lambda held, count=count: several_wrong(zone, held, count))
    s = Scenario("caps_failures", f"Seven wrong signatures may be met for one question, the eighth ends it (RFC 4035 §5.3.1; {key_trap}).", world)

    def spoiled(name):
        expected = world.resolve(name, "A")
        return replace(expected, answer=server.spoiled(expected.answer))

    s.ask("a1.alpha.").secure(expected=spoiled("a1.alpha."))
    s.ask("a2.alpha.").bogus(6, "b2.alpha. A")
    s.ask("b2.alpha.", "AAAA").secure()

    # Who wastes the work of a question harms no other name by it.
    waster = Zone("waster.", "w CNAME x.y.waster.\n*.y CNAME www.alpha.\nzz A 192.0.2.101\n")
    world = World(waster, Zone("alpha.", PLAIN))
    world.at("waster.").spoil("w.waster.", "CNAME", lambda held: several_wrong(waster, held, 4))
    needless = several_wrong(waster, waster.matching("zz.waster.")[0], 4)
    world.at("waster.").tweak("x.y.waster.", "A", lambda r: replace(r, authority=[*r.authority, needless]))
    s = Scenario("caps_harm_no_other", f"That the work of one question was not enough for a name says nothing of it to others (RFC 4035 §4.7; {key_trap}).", world)
    s.ask("w.waster.").bogus(6, text="www.alpha. A")
    s.ask("www.alpha.").secure()
    s.ask("bad.alpha.").secure()
    s.ask("alpha.", "DNSKEY").secure()

    # Sixteen checks for one RRset or denial.
    names = [f"n{n:02}" for n in range(14)]
    for bad, within in ((3, True), (4, False)):
        world, zone = one_zone("".join(f"{name} A 192.0.2.101\n" for name in names))
        proof = [held for name in names[:10] for held in zone.matching(f"{name}.alpha.")]
        proof = [several_wrong(zone, held, 1) if n < bad else held for n, held in enumerate(proof)]
        proof = [*proof, *zone.no_name("zz.alpha.")]
        response = Response("NXDOMAIN", authority=[zone.soa(), *proof])
        world.at("alpha.").tweak("zz.alpha.", "A", lambda _, response=response: response)
        number = 2 * bad + len(proof) - bad + 1
        assert number == (16 if within else 17), number
        file, verdict = ("sixteen", "proven") if within else ("seventeen", "bogus")
        s = Scenario(f"caps_{file}_checks", f"A denial that takes {file} checks of signatures is {verdict} (RFC 4035 §5.4; {key_trap}).", world)
        # Without DO, for all of it would not fit.
        s.ask("zz.alpha.", flags="AD")
        s.secure(expected=response) if within else s.bogus(6)

    # Of keys with one tag two are tried.
    for count, within in ((1, True), (2, False)):
        key = Key("alpha.")
        world, zone = one_zone(keys=[key])
        held = zone.sets["alpha.", "DNSKEY"]
        held.rdata = same_tag(key, count) + held.rdata
        verdict = "is tried" if within else "is not tried"
        s = Scenario(f"caps_key_{count + 1}_of_a_tag", f"Of keys with the same tag number {count + 1} {verdict} (RFC 4035 §5.3.1; {key_trap}).", world)
        s.ask("www.alpha.")
        s.secure() if within else s.bogus(6)

    # Of DS records eight are compared with keys.
    key = Key("alpha.")
    assert key.tag > 8
    for count in (7, 8):
        other = [f"{n} 13 2 {n:02x}" + "ab" * 31 for n in range(count)]
        world, _ = one_zone(keys=[key], ds=[*other, key.ds()])
        within = count == 7
        verdict = "counts" if within else "does not count"
        s = Scenario(f"caps_ds_{count + 1}", f"Of several DS records number {count + 1} {verdict} (RFC 4035 §5.2; {key_trap}).", world)
        s.ask("www.alpha.")
        s.secure() if within else s.bogus(9)

    # NSEC3 hashes are paid for by their iterations.
    for iterations, count, within in ((0, 120, True), (150, 40, True), (150, 120, False)):
        world, zone = one_zone(nsec3=Nsec3(iterations, "-"))
        name = "a." * count + "alpha."
        verdict = "found" if within else "not looked for to the end"
        s = Scenario(
            f"caps_encloser_{count}_labels_{iterations:03}",
            f"With {iterations} iterations the closest encloser {count} labels up is {verdict} (RFC 5155 §8.3, RFC 9276 §3.2; CVE-2023-50868).",
            world, ["query-minimization: no"],
        )  # fmt: skip
        s.closure = lambda _, name=name: [(name, "A"), ("alpha.", "NS"), ("alpha.", "DNSKEY"), (".", "DNSKEY")]
        s.ask(name)
        if not within:
            # EDE text has no room for the whole name.
            s.bogus(6, "a.a.a.")
        else:
            s.answered(iterations == 0, ede=["27"] if iterations else [])


# Chains.


def four_hops(insecure=()):
    """start.alpha. → mid.beta. → in.dn.gamma. ⇒ in.t.delta. → end.delta., an address."""
    keys = lambda name: [] if name in insecure else None
    return World(
        Zone("alpha.", "start CNAME mid.beta.", keys=keys("alpha.")),
        Zone("beta.", "mid CNAME in.dn.gamma.", keys=keys("beta.")),
        Zone("gamma.", "dn DNAME t.delta.", keys=keys("gamma.")),
        Zone("delta.", "in.t CNAME end.delta.\nend A 192.0.2.101", keys=keys("delta.")),
    )


HOPS = {
    "first": ("alpha.", "start.alpha.", "CNAME"),
    "middle": ("beta.", "mid.beta.", "CNAME"),
    "dname": ("gamma.", "dn.gamma.", "DNAME"),
    "last": ("delta.", "end.delta.", "A"),
}


def chains():
    s = Scenario("chain_secure", "A chain of four secure hops is secure (RFC 4035 §3.2.3; rule R30).", four_hops())
    s.ask("start.alpha.").secure()
    s.ask("start.alpha.", flags="AD").secure()
    s.ask("start.alpha.", flags="").secure()
    s.ask("start.alpha.", "MX").secure()
    for where, (zone, owner, rtype) in HOPS.items():
        asked = "in.dn.gamma." if where == "dname" else owner
        s = Scenario(f"chain_insecure_{where}", f"A chain whose {where} hop is insecure is insecure (RFC 4035 §3.2.3; rule R30).", four_hops([zone]))
        s.ask("start.alpha.").insecure()
        s.ask("start.alpha.", "MX").insecure()
        # What does not depend on it stays secure.
        if where != "last":
            s.ask("in.t.delta.").secure()
        world = four_hops()
        world.at(zone).spoil(owner, rtype, corrupted)
        s = Scenario(f"chain_bogus_{where}", f"A chain whose {where} hop is bogus fails and names it (RFC 4035 §5.5; rules R25 and R30).", world)
        s.ask("start.alpha.").bogus(6, f"{asked} A")
        s.ask("start.alpha.", flags="").bogus(6, f"{asked} A")
        expected = world.resolve("start.alpha.", "A")
        expected = replace(expected, answer=world.at(zone).spoiled(expected.answer))
        s.ask("start.alpha.", flags="DO CD").insecure(expected=expected)
        s.ask("start.alpha.").bogus(6, f"{asked} A")

    # In one zone.
    text = "a CNAME b.alpha.\nb CNAME c.alpha.\nc CNAME d.alpha.\nd CNAME e.alpha.\ne A 192.0.2.101\n"
    world, zone = one_zone(text)
    s = Scenario("chain_in_one_zone", "A secure hop vouches for the hops behind it in the same answer (rule R3; RFC 4035 §5.3).", world)
    s.ask("a.alpha.").secure()
    for name in "bcde":
        s.sent(0, f"{name}.alpha.", "A")
    # The root's and the zone's keys, a referral, the answer; DS and a minimised question at most.
    s.messages(4, 6)
    world, zone = one_zone(text)
    world.at("alpha.").spoil("c.alpha.", "CNAME", corrupted)
    s = Scenario("chain_in_one_zone_bogus", "Of hops that came along each is proven on its own (rule R3; RFC 4035 §5.3).", world)
    s.ask("a.alpha.").bogus(6, "c.alpha. A")
    s.ask("b.alpha.", "CNAME").secure()
    s.ask("d.alpha.").secure()

    s = Scenario("chain_insecure_denial", "The absence that ends a chain is as strong as its zone (RFC 4035 §3.2.3; rule R30).", four_hops(["delta."]))
    s.ask("in.dn.gamma.", "MX").insecure()
    s.ask("gone.dn.gamma.", "A").insecure()
    world = four_hops()
    for owner in ("delta.", "end.delta.", "ns.delta.", "in.t.delta."):
        world.at("delta.").spoil(owner, "NSEC", drop)
    s = Scenario("chain_bogus_denial", "A chain that ends in an unproven absence fails and names the target (RFC 4035 §5.4; rule R25).", world)
    s.ask("start.alpha.", "MX").bogus(12, "end.delta. MX")
    s.ask("gone.dn.gamma.", "A").bogus(12, "gone.t.delta. A")


def dnames():
    text = "d DNAME t.beta.\n"
    target = "x.t A 192.0.2.101\ny.t A 192.0.2.102\n"
    world = World(Zone("alpha.", text), Zone("beta.", target))
    s = Scenario("dname_synthesis", "A secure DNAME in the cache answers for other names below it, without a question to its zone (rule R14; RFC 6672 §3.4).", world)
    s.ask("x.d.alpha.").secure()
    s.know("y.d.alpha.", "A")
    s.ask("y.d.alpha.", "CNAME").secure().sent(0)
    s.ask("y.d.alpha.", "A").secure().sent(0, to=world.at("alpha.").address)
    world = World(Zone("alpha.", text, keys=[]), Zone("beta.", target))
    s = Scenario("dname_insecure_no_synthesis", "An insecure DNAME in the cache answers for no other name (rule R14; RFC 6672 §3.4).", world)
    s.ask("x.d.alpha.").insecure()
    s.ask("y.d.alpha.").insecure().sent(1, "y.d.alpha.", "A", world.at("alpha.").address)

    world = World(Zone("alpha.", text), Zone("beta.", target))
    server = world.at("alpha.")
    forged = lambda held: RRset(held.owner, "CNAME", held.ttl, ["x.evil.beta."])
    server.spoil("x.d.alpha.", "CNAME", forged)
    server.spoil("y.d.alpha.", "CNAME", drop)
    s = Scenario("dname_forged_cname", "The CNAME beside a secure DNAME is ours, whatever the server's says (rules R10 and R30; RFC 6672 §5.3.1).", world)
    s.ask("x.d.alpha.").secure()
    s.ask("y.d.alpha.").secure()

    world = World(Zone("alpha.", text), Zone("beta.", target))
    world.at("alpha.").spoil("d.alpha.", "DNAME", unsigned)
    s = Scenario("dname_unsigned", "A DNAME without a signature is bogus (RFC 6672 §5.3.1).", world)
    s.ask("x.d.alpha.").bogus(10)
    world = World(Zone("alpha.", text), Zone("beta.", target))
    zone = world.at("alpha.").zones[0]
    lie = lambda _: Response(answer=[RRset("x.d.alpha.", "CNAME", 3600, ["x.t.beta."])])
    world.at("alpha.").tweak("x.d.alpha.", "A", lie)
    s = Scenario("dname_taken_away", "An unsigned CNAME without its DNAME is bogus (RFC 6672 §5.3.1; rule R30).", world)
    s.ask("x.d.alpha.").bogus(10)
    # A DNAME made from a wildcard.
    world = World(Zone("alpha.", "*.w DNAME t.beta."), Zone("beta.", target))
    zone = world.at("alpha.").zones[0]
    star = replace(zone.rrset("*.w.alpha.", "DNAME"), owner="a.w.alpha.")
    cname = RRset("x.a.w.alpha.", "CNAME", 3600, ["x.t.beta."])
    world.at("alpha.").tweak("x.a.w.alpha.", "A", lambda _: Response(answer=[star, cname], authority=zone.no_closer("a.w.alpha.")))
    s = Scenario("dname_from_a_wildcard", "A DNAME that a wildcard was expanded into is refused (RFC 4592 §4.4; rule R8).", world)
    s.ask("x.a.w.alpha.").check("flags rcode answer", [], "SERVFAIL")


# Flags, clients, caches.


def clients():
    text = "www A 192.0.2.101\nwww TXT \"text\"\n*.w A 192.0.2.102\nc CNAME www.alpha.\n"
    world, _ = one_zone(text)
    s = Scenario("ad_only_when_asked", "AD is set only for clients that asked by DO or AD, and DO comes back (RFC 6840 §5.6, §5.7, §5.8).", world)
    for flags in ("", "AD", "DO", "DO AD", "DO CD", "AD CD"):
        for name, rtype in (("c.alpha.", "A"), ("no.alpha.", "A"), ("www.alpha.", "MX"), ("x.w.alpha.", "A")):
            s.ask(name, rtype, flags).secure(match="all order ede DO" if "DO" in flags else "all order ede")
    world, _ = one_zone(text)
    s = Scenario("do_asks_for_denials", "Signatures and denials that were asked for by type are given without DO (RFC 4035 §3.2.1).", world)
    s.ask("www.alpha.", "NSEC", "").secure()
    s.ask("alpha.", "DNSKEY", "").secure()
    s.ask("alpha.", "DS", "").secure()

    world, zone = one_zone()
    server = world.at("alpha.").spoil("bad.alpha.", "A", corrupted)
    sent = world.resolve("bad.alpha.", "A")
    sent = replace(sent, answer=server.spoiled(sent.answer))
    s = Scenario("cd_gets_bogus_data", "CD=1 gets what is bogus, before and after it was judged, and CD=0 never (RFC 4035 §3.2.2, RFC 6840 §5.9).", world)
    s.ask("bad.alpha.", flags="DO CD").insecure(expected=sent)
    s.ask("bad.alpha.").bogus(6)
    s.ask("bad.alpha.", flags="").bogus(6)
    s.ask("bad.alpha.", flags="CD").insecure(expected=sent)
    s.ask("bad.alpha.").bogus(6)
    world, zone = one_zone()
    world.at("alpha.").spoil("alpha.", "NSEC", drop).spoil("ns.alpha.", "NSEC", drop).spoil("bad.alpha.", "NSEC", drop)
    s = Scenario("cd_gets_bogus_denials", "CD=1 gets a denial that is not proven (RFC 4035 §3.2.2).", world)
    s.ask("no.alpha.").bogus(12)
    s.ask("no.alpha.", flags="CD").insecure()
    s.ask("no.alpha.").bogus(12)
    world, zone = one_zone()
    s = Scenario("cd_then_validated", "What was fetched for CD=1 is proven when somebody wants that (RFC 4035 §4.5).", world)
    s.ask("www.alpha.", flags="DO CD").insecure()
    s.ask("www.alpha.").secure()
    s.ask("www.alpha.").secure().sent(0)

    section = "RFC 4035 §5.2, RFC 1034 §3.6.2"
    alias = "alias CNAME www.alpha.\nwww A 192.0.2.101\n"
    for file, told, fault, code in (
        ("unsigned", "nobody signed", lambda _: unsigned, 10),
        ("signed_by_itself", "its owner signed", lambda zone: resigned(zone, signer="alias.alpha."), 6),
    ):
        world, zone = one_zone(alias)
        world.at("alpha.").spoil("alias.alpha.", "CNAME", fault(zone))
        s = Scenario(f"cd_then_alias_{file}", f"An alias that {told} vouches for no DS in its own place: fetched for CD=1 and then wanted with proof it is bogus ({section}).", world)
        honest = world.resolve("alias.alpha.", "A")
        sent = [fault(zone)(held) if held.rtype == "CNAME" else held for held in honest.answer]
        s.know("alias.alpha.", "DS").ask("alias.alpha.", flags="DO CD")
        s.insecure(expected=replace(honest, answer=sent))
        s.ask("alias.alpha.").bogus(code)
    alpha, below = Zone("alpha.", PLAIN), Zone("sub.alpha.", "@ CNAME www.alpha.\n", keys=[])
    world = World(alpha, below, ds={"sub.alpha.": []})
    s = Scenario("cd_then_alias_at_an_insecure_apex", "Of a zone with an alias at its apex, where none may be, the zone above says whether it is secure (RFC 4035 §5.2).", world)
    s.ask("sub.alpha.", flags="DO CD").insecure()
    s.ask("sub.alpha.").insecure()

    # An alias at an apex outlives what the zone above and the zone itself say there.
    names = "@ CNAME www.alpha.\nwww A 192.0.2.101\nbad A 192.0.2.102\n"

    def aliased(**more):
        alpha, below = Zone("alpha.", PLAIN), Zone("sub.alpha.", names, **more)
        world = World(alpha, below, ds={"sub.alpha.": [key.ds() for key in below.keys]})
        for owner, rtype in (("sub.alpha.", "DS"), ("sub.alpha.", "NS"), ("ns.sub.alpha.", "A")):
            if (owner, rtype) in alpha.sets:
                alpha.sets[owner, rtype].ttl = 30
        return world, below

    section = "RFC 4035 §2.5, §5.2"
    world, below = aliased()
    s = Scenario("apex_alias_is_no_ds", f"An alias at the apex of a zone, where none may be, says nothing of its DS and its keys ({section}).", world)
    s.ask("www.sub.alpha.").secure()
    s.ask("sub.alpha.").secure()
    s.ask("sub.alpha.", "DS").secure()
    s.ask("sub.alpha.", "DNSKEY").secure()
    s.ask("sub.alpha.").secure().wait(31)
    s.ask("bad.sub.alpha.").secure()
    s.ask("sub.alpha.", "DS").secure()
    world, below = aliased()
    world.at("sub.alpha.").spoil("sub.alpha.", "CNAME", corrupted)
    s = Scenario("apex_alias_bogus", f"An alias at the apex of a zone that is bogus harms no other name of it ({section}).", world)
    s.ask("sub.alpha.").bogus(6).wait(31)
    s.ask("www.sub.alpha.").secure()
    world, below = aliased(keys=[])
    s = Scenario("apex_alias_insecure", f"For who proves things themselves, too, the zone above says whether one with an alias at its apex has a DS ({section}).", world)
    s.ask("sub.alpha.", flags="DO CD").insecure()
    s.ask("sub.alpha.", "DS", flags="DO CD").insecure()
    s.ask("sub.alpha.").insecure().wait(31)
    s.ask("sub.alpha.", "DS").secure()
    s.ask("www.sub.alpha.").insecure()

    # Of two good signatures of the keys the one by the key that the DS names ends first.
    keys = [Key("alpha.", 13), Key("alpha.", 13, flags=256, seed="zsk")]
    before, zone = one_zone(keys=keys)
    soon = "20260601120100"
    before.at("alpha.").spoil("alpha.", "DNSKEY", lambda held: replace(held, sigs=[zone.rrsig(held, keys[0], expiration=soon), zone.rrsig(held, keys[1])]))
    after, _ = one_zone(keys=keys)
    s = Scenario("keys_signed_again", "Keys whose signature has ended are asked for again, also while they are cached (RFC 4035 §5.3.3).", before)
    s.ask("www.alpha.").secure()
    s.change(after).wait(61)
    s.ask("bad.alpha.").secure()

    # Twenty zones in a row, everything cached but the keys, which nobody gives.
    row = [Zone("a." * count, "w A 192.0.2.101\nv A 192.0.2.102\n") for count in range(1, 21)]
    world = World(*row)
    for one in row:
        world.at(one.name).tweak(one.name, "DNSKEY", lambda r: replace(r, rcode="REFUSED", answer=[]))
    s = Scenario("row_without_keys", "Of zones in a row whose keys are not to be had each is judged once (RFC 4035 §5.3.1).", world)
    for one in row:
        s.know(one.name, "DS").ask(under("w", one.name), flags="DO CD").insecure()
    s.ask(under("v", row[-1].name)).bogus(9)

    # No server is left to be asked for the DS of the second: what the first one's said is bogus.
    row = [Zone("a." * count, "w A 192.0.2.101\nv A 192.0.2.102\n") for count in range(1, 4)]
    for one in row:
        one.expiration = "20260601120200"
    s = Scenario("row_of_ended_zones", "What is wrong with the uppermost of bogus zones is told of those below it (RFC 8914 §4.8).", World(*row))
    for one in row:
        s.know(one.name, "DS").ask(under("w", one.name)).secure()
    s.wait(121)
    s.ask(under("v", row[-1].name)).bogus(7)

    world, zone = one_zone()
    world.at("alpha.").spoil("bad.alpha.", "A", corrupted)
    good, _ = one_zone()
    s = Scenario("bogus_is_remembered_briefly", "A bogus answer is not asked for again at once, and not remembered for long (RFC 4035 §4.7, RFC 9520 §3.2).", world)
    s.ask("bad.alpha.").bogus(6)
    s.ask("bad.alpha.").bogus(6).sent(0)
    s.change(good).wait(301)
    s.ask("bad.alpha.").secure()

    world, zone = one_zone("www.node A 192.0.2.101\nwww A 192.0.2.102\n")
    for rtype in ("A", "NS"):
        world.at("alpha.").tweak("node.alpha.", rtype, lambda r: replace(r, rcode="NXDOMAIN"))
    s = Scenario("bogus_nxdomain_reaches_no_name_below", "That a name does not exist says something of names below only where it is not bogus (RFC 8020 §2, RFC 4035 §4.7).", world)
    s.ask("node.alpha.").bogus(12)
    s.ask("www.node.alpha.").secure()
    s.ask("node.alpha.").bogus(12).sent(0)

    world, zone = one_zone()
    other = world.second_server("alpha.", "192.0.2.11")
    world.at("alpha.").spoil("bad.alpha.", "A", corrupted)
    other.spoil("www.alpha.", "A", unsigned)
    s = Scenario("bogus_at_one_server", "What is bogus at one server is asked of another (RFC 4035 §5.3.3, RFC 9520 §3.1).", world)
    s.ask("bad.alpha.").secure()
    s.ask("www.alpha.").secure()
    s.ask("no.alpha.").secure()
    world, zone = one_zone()
    other = world.second_server("alpha.", "192.0.2.11")
    other.spoil("alpha.", "DNSKEY", corrupted)
    s = Scenario("bogus_keys_at_one_server", "Keys that are bogus at one server are asked of another (RFC 4035 §5.2).", world)
    s.ask("www.alpha.").secure()
    s.ask("bad.alpha.").secure()

    world, zone = one_zone()
    root = world.root
    world.at(".").spoil("alpha.", "DS", drop)
    world.at(".").tweak("alpha.", "DS", lambda _: Response(answer=[root.rrset("alpha.", "DS")]))
    s = Scenario("ds_not_in_the_referral", "A DS that is missing in the referral is asked for (RFC 4035 §3.1.4.1, §4.2).", world)
    s.ask("www.alpha.").secure()
    s.sent(1, "alpha.", "DS", ROOT_ADDRESS)
    world, zone = one_zone()
    s = Scenario("upstream_do", "Questions to servers have DO whatever the client has (RFC 4035 §3.2.1).", world)
    for number, (name, flags) in enumerate((("www.alpha.", ""), ("bad.alpha.", "CD"), ("no.alpha.", "DO")), 1):
        s.ask(name, "A", flags).answered(True)
        s.step(f"CHECK_OUT_QUERY ADDRESS {zone.address} COUNT 1", "ENTRY_BEGIN", "MATCH qname qtype DO", "SECTION QUESTION", f"{name} IN A", "ENTRY_END")
    world, zone = one_zone()
    s = Scenario("negative_ttl", "A proven denial lives as long as the SOA's minimum says and counts down (RFC 2308 §5, RFC 9077 §3).", world)
    expected = world.resolve("no.alpha.", "A")
    first = replace(expected, authority=[replace(held, ttl=300) for held in expected.authority])
    s.ask("no.alpha.").secure(expected=first, match="all ttl ede")
    s.wait(299).ask("no.alpha.").secure(expected=replace(expected, authority=[replace(held, ttl=1) for held in expected.authority]), match="all ede").sent(0)
    s.wait(2).ask("no.alpha.").secure().sent(1, "no.alpha.", "A")

    # What is fetched anew while it lives, and is worse than what is there.
    dead = lambda _: Response("SERVFAIL", aa=False)
    for file, title, fault in (
        ("bogus", "Bogus data that comes ahead of its time replaces nothing that lives (rule R40; RFC 4035 §4.7)", ("spoil", corrupted)),
        ("failing", "A refresh ahead of its time that fails takes nothing away from what lives (rule R40; RFC 9520 §2)", ("tweak", dead)),
    ):  # fmt: skip
        good, _ = one_zone()
        worse, _ = one_zone()
        getattr(worse.at("alpha."), fault[0])("www.alpha.", "A", fault[1])
        s = Scenario(f"prefetch_{file}", f"{title}.", good)
        s.ask("www.alpha.").secure()
        expected = good.resolve("www.alpha.", "A")
        s.change(worse).wait(3300)
        s.ask("www.alpha.").secure(expected=expected)
        s.step("CHECK_OUT_QUERY", "ENTRY_BEGIN", "MATCH qname qtype", "SECTION QUESTION", "www.alpha. IN A", "ENTRY_END")
        s.ask("www.alpha.").secure(expected=expected)
    good, _ = one_zone()
    worse, zone = one_zone()
    forged = "256 3 200 " + base64.b64encode(b"no key of this zone").decode()
    worse.at("alpha.").spoil("alpha.", "DNSKEY", lambda held: replace(held, rdata=[*held.rdata, forged]))
    s = Scenario("prefetch_forged_keys", "A key that nobody has signed is not taken for one because it cannot be used (RFC 4035 §5.2, §5.3).", good)
    expected = good.resolve("alpha.", "DNSKEY")
    s.ask("alpha.", "DNSKEY").secure()
    s.change(worse).wait(3300)
    s.ask("alpha.", "DNSKEY").secure(expected=expected)
    s.step("CHECK_OUT_QUERY", "ENTRY_BEGIN", "MATCH qname qtype", "SECTION QUESTION", "alpha. IN DNSKEY", "ENTRY_END")
    s.ask("alpha.", "DNSKEY").secure(expected=expected)

    s = Scenario("validation_once_per_zone", "A zone's keys are fetched and proven once for all its names (RFC 4035 §4.5).", one_zone()[0])
    s.ask("www.alpha.").secure()
    s.ask("bad.alpha.").secure().messages(1, 1)


def anchors():
    world = World(Zone("alpha.", PLAIN), Zone("beta.", PLAIN), Zone("sub.beta.", PLAIN))
    world.at("beta.").spoil("www.beta.", "A", corrupted)
    world.at("sub.beta.").spoil("www.sub.beta.", "A", unsigned)
    s = Scenario("negative_anchor", "Below a negative trust anchor everything is insecure, elsewhere nothing is (RFC 7646 §2).", world, ["domain-insecure: beta."])
    expected = world.resolve("www.beta.", "A")
    s.ask("www.beta.").insecure(expected=replace(expected, answer=world.at("beta.").spoiled(expected.answer)))
    s.ask("www.sub.beta.").insecure(expected=replace(world.resolve("www.sub.beta.", "A"), answer=world.at("sub.beta.").spoiled(world.resolve("www.sub.beta.", "A").answer)))
    s.ask("no.beta.").insecure()
    s.ask("www.alpha.").secure()

    unsigned_root = Zone(".", keys=[], address=ROOT_ADDRESS)
    alpha, beta = Zone("alpha.", PLAIN), Zone("beta.", PLAIN)
    world = World(alpha, beta, root=unsigned_root, ds={"alpha.": [], "beta.": []})
    s = Scenario("island_of_security", "A trust anchor below an unsigned root is a chain's start of its own (RFC 4033 §2, RFC 4035 §5).", world, anchors=[alpha.keys[0].anchor()])
    s.ask("www.alpha.").secure()
    s.ask("no.alpha.").secure()
    s.ask("www.beta.").insecure()
    alpha = Zone("alpha.", PLAIN)
    world = World(alpha, ds={"alpha.": []})
    s = Scenario("anchor_below_an_insecure_delegation", "The closest trust anchor counts, also where the delegation is insecure (RFC 4035 §5).", world, anchors=[*world.anchors(), alpha.keys[0].anchor()])
    s.ask("www.alpha.").secure()
    s.ask("alpha.", "DS").secure()
    world = World(Zone("alpha.", PLAIN), Zone("sub.alpha.", PLAIN), Zone("beta.", PLAIN))
    s = Scenario("negative_anchor_above_an_anchor", "A trust anchor below a negative one counts again (RFC 7646 §2).", world, ["domain-insecure: alpha."],
                 anchors=[*world.anchors(), Key("sub.alpha.").anchor()])  # fmt: skip
    s.ask("www.alpha.").insecure()
    s.ask("www.sub.alpha.").secure()
    s.ask("www.beta.").secure()
    alpha = Zone("alpha.", PLAIN)
    world = World(alpha)
    s = Scenario("anchor_as_dnskey", "A trust anchor may be a DNSKEY (RFC 4035 §5).", world, anchors=[f". IN DNSKEY {world.root.keys[0].rdata}"])
    s.ask("www.alpha.").secure()
    world = World(Zone("alpha.", PLAIN))
    s = Scenario("anchor_matches_no_key", "A root whose keys fit no trust anchor is bogus (RFC 4035 §5).", world, anchors=[Key(".", seed="other").anchor()])
    s.ask("www.alpha.").bogus(9)
    s.ask("www.alpha.", flags="CD").insecure()

    # The chain of trust, zone by zone.
    def three(**faults):
        return World(Zone("alpha.", PLAIN), Zone("sub.alpha.", PLAIN), Zone("low.sub.alpha.", PLAIN), **faults)

    s = Scenario("three_zones", "The chain of trust goes from zone to zone (RFC 4035 §5).", three())
    s.ask("www.low.sub.alpha.").secure()
    s.ask("no.low.sub.alpha.", "MX").secure()
    s.ask("low.sub.alpha.", "DS").secure()
    world = three(ds={"sub.alpha.": []})
    s = Scenario("three_zones_gap", "Below an insecure zone a DS proves nothing (RFC 4035 §5.2).", world)
    s.ask("www.low.sub.alpha.").insecure()
    s.ask("low.sub.alpha.", "DS").insecure()
    s.ask("www.alpha.").secure()
    s = Scenario("three_zones_gap_closed", "That a zone is insecure for what is above it is held no longer than that (RFC 4035 §4.5, RFC 2308 §5).", world)
    s.ask("www.low.sub.alpha.").insecure()
    s.change(three()).wait(3601)
    s.ask("www.low.sub.alpha.").secure()
    world = three(ds={"sub.alpha.": []})
    sub = world.zone_of("www.sub.alpha.")
    world.at("alpha.").spoil("sub.alpha.", "NSEC", lambda held: replace(held, sigs=[sub.rrsig(held, sub.keys[0]), *held.sigs]))
    s = Scenario("three_zones_gap_signed_twice", "A signature by the child beside the parent's takes nothing from the denial of its DS (RFC 6840 §5.12, §4.4).", world)
    s.ask("www.sub.alpha.").insecure()
    s.ask("www.low.sub.alpha.").insecure()
    world = three(ds={"sub.alpha.": [Key("sub.alpha.", seed="other").ds()]})
    s = Scenario("three_zones_bogus", "Below a bogus zone everything is bogus (RFC 4035 §5.5).", world)
    s.ask("www.low.sub.alpha.").bogus(9)
    s.ask("www.sub.alpha.").bogus(9)
    s.ask("www.alpha.").secure()
    # A server of parent and child.
    alpha, sub = Zone("alpha.", PLAIN, address="192.0.2.10"), Zone("sub.alpha.", PLAIN, address="192.0.2.10")
    null = Zone("null.alpha.", PLAIN, keys=[], address="192.0.2.10")
    world = World(alpha, sub, null)
    world.servers = [world.at("."), Server("192.0.2.10", [alpha, sub, null])]
    s = Scenario("parent_and_child_at_one_server", "Where one server has parent and child no referral shows the cut; the proof finds it (RFC 4035 §5.2, RFC 6840 §4.1).", world)
    s.ask("www.sub.alpha.").secure()
    s.ask("www.null.alpha.").insecure()
    s.ask("no.null.alpha.").insecure()
    s.ask("sub.alpha.", "DS").secure()
    alpha = Zone("alpha.", PLAIN, address="192.0.2.10")
    null = Zone("null.alpha.", "@ CNAME www.alpha.\nwww A 192.0.2.103\n", keys=[], address="192.0.2.10")
    world = World(alpha, null)
    world.servers = [world.at("."), Server("192.0.2.10", [alpha, null])]
    s = Scenario("apex_alias_at_one_server", "Of an alias at the apex of a zone whose server has the zone above, too, nobody can say whose it is: the DS is asked for (RFC 4035 §2.5, §5.2).", world)
    s.ask("null.alpha.").insecure()
    s.ask("null.alpha.", "DS").secure()
    s.ask("null.alpha.", "DS", flags="DO CD").insecure().sent(0)
    s.ask("null.alpha.").insecure().sent(0)
    s.ask("www.null.alpha.").insecure()

    # RFC 8509.
    root_tag = World().root.keys[0].tag
    other = (root_tag + 1) % 65536
    words = {
        "is": f"root-key-sentinel-is-ta-{root_tag:05}", "is_other": f"root-key-sentinel-is-ta-{other:05}",
        "not": f"root-key-sentinel-not-ta-{root_tag:05}", "not_other": f"root-key-sentinel-not-ta-{other:05}",
    }  # fmt: skip
    text = "".join(f"{word} A 192.0.2.101\n" for word in words.values())
    world = World(Zone("alpha.", text), Zone("beta.", text, keys=[]))
    s = Scenario("sentinel", "The root key sentinel tells who asks which root keys are trusted (RFC 8509 §2.2).", world)
    s.ask(f"{words['is']}.alpha.").secure()
    s.ask(f"{words['is_other']}.alpha.").check("flags rcode answer", [], "SERVFAIL")
    s.ask(f"{words['not']}.alpha.").check("flags rcode answer", [], "SERVFAIL")
    s.ask(f"{words['not_other']}.alpha.").secure()
    s.ask(f"{words['is_other']}.alpha.", "TXT").secure()
    s.ask(f"{words['is_other']}.alpha.", flags="CD").insecure()
    s.ask(f"{words['is_other']}.beta.").insecure()


def rollover():
    """RFC 5011 and RFC 8145, in virtual time."""
    following = ['cnamed-dnssec.trust-anchor-state: "kept nowhere here"']
    old, new = Key(".", seed="old"), Key(".", seed="new")
    past = Key(".", seed="old", flags=257 | 128)
    signals = sorted([old.tag, new.tag])

    def world(*keys):
        # Each key signs, as in a rollover; a revoked one signs its own revocation.
        made = World(Zone("alpha.", PLAIN), root=Zone(".", keys=list(keys), address=ROOT_ADDRESS))
        return made

    def pending():
        """The root with its old key, and with the new one beside it."""
        first = world(old)
        both = world(old, new)
        both.at(".").spoil(".", "DNSKEY", resigned(both.root, [old]))
        return first, both

    def scenario(file, title, first, settings=following):
        s = Scenario(file, title, first, settings, anchors=[old.anchor()])
        for tags in ([old.tag], [new.tag], signals):
            s.know("_ta-" + "-".join(f"{tag:04x}" for tag in tags) + ".", "TYPE10")
        return s

    day = 86_400
    first, both = pending()
    s = scenario("rollover_new_key", "A key of the root that was there for 30 days is trusted, alone (RFC 5011 §2.4.1, §4).", first)
    s.ask("www.alpha.").secure()
    s.change(both).wait(day).ask("no.alpha.").secure()
    s.wait(31 * day).change(world(new)).wait(2 * day)
    s.ask("www.alpha.").secure()
    first, both = pending()
    s = scenario("rollover_too_soon", "A key of the root is not trusted before its hold-down time has passed (RFC 5011 §2.4.1).", first)
    s.ask("www.alpha.").secure()
    s.change(both).wait(29 * day).change(world(new)).wait(2 * day)
    s.ask("www.alpha.").bogus(9)
    first, both = pending()
    s = scenario("rollover_interrupted", "The hold-down time of a key that was gone begins anew (RFC 5011 §2.2).", first)
    s.ask("www.alpha.").secure()
    s.change(both).wait(20 * day).change(first).wait(day).change(both).wait(20 * day)
    s.change(world(new)).wait(2 * day)
    s.ask("www.alpha.").bogus(9)
    first, both = pending()
    s = scenario("rollover_not_followed", "Without a state the configured anchors stay the only ones (RFC 5011 §2.4.1).", first, [])
    s.ask("www.alpha.").secure()
    s.change(both).wait(32 * day).change(world(new)).wait(2 * day)
    s.ask("www.alpha.").bogus(9)
    first, both = pending()
    s = scenario("rollover_revoked", "A key that has signed its own revocation is never trusted again (RFC 5011 §2.1, §4.2).", first)
    s.ask("www.alpha.").secure()
    s.change(both).wait(32 * day).change(world(past, new)).wait(day)
    s.ask("www.alpha.").secure()
    s.change(world(old)).wait(2 * day)
    s.ask("www.alpha.").bogus(9)
    s = scenario("rollover_nothing_left", "A zone whose trust anchors are all revoked is as one without any (RFC 5011 §5).", world(old))
    s.ask("www.alpha.").secure()
    s.change(world(past)).wait(day)
    s.ask("www.alpha.").insecure()

    s = scenario("key_tag_query", "Whoever fetches the keys of a zone with trust anchors tells it by which it is trusted (RFC 8145 §5.1, §5.2).", world(old))
    s.ask("www.alpha.").secure().sent(1, f"_ta-{old.tag:04x}.", "TYPE10", ROOT_ADDRESS)
    # Meanwhile the keys of the root were looked at for the first time: what was learned before is not stored.
    s.ask("www.alpha.").secure()
    s.ask("bad.alpha.").secure().sent(0, f"_ta-{old.tag:04x}.", "TYPE10")
    s = scenario("key_tag_query_not_for_pinned", "Anchors that the operator has pinned are not told to their zone (RFC 8145 §5.2).", world(old), [])
    s.ask("www.alpha.").secure().sent(0, f"_ta-{old.tag:04x}.", "TYPE10")


def forwarders():
    made = World(Zone("alpha.", PLAIN), Zone("sub.alpha.", PLAIN), Zone("null.alpha.", PLAIN, keys=[]))

    class Forwarder(Server):
        """Resolves, with DO, and judges nothing."""

        def __init__(self, world, zones):
            super().__init__("192.0.2.200", zones)
            self.world = world

        def respond(self, name, rtype):
            response = self.world.resolve(name, rtype)
            response.aa = False
            response.answer = self.spoiled(response.answer)
            return response

    forwarder = Forwarder(made, [made.root])
    forwarder.spoil("bad.alpha.", "A", corrupted)
    made.servers = [forwarder]
    s = Scenario("behind_a_forwarder", "What a forwarder says is proven like anything else (RFC 4035 §4.2, RFC 6840 §5.9).", made, ["forward-addr: 192.0.2.200"])
    s.ask("www.sub.alpha.").secure()
    s.ask("no.alpha.").secure()
    s.ask("www.null.alpha.").insecure()
    s.ask("bad.alpha.").bogus(6)

    # What lives outweighs what cannot be judged.
    def short_keys():
        made, zone = one_zone("www 1000 A 192.0.2.101\n")
        zone.sets["alpha.", "DNSKEY"].ttl = 100
        return made

    before, after = short_keys(), short_keys()
    after.at("alpha.").tweak("alpha.", "DNSKEY", lambda r: replace(r, rcode="REFUSED", answer=[]))
    s = Scenario("prefetch_not_judged", "An answer that comes ahead of time and cannot be judged takes no proven one away (RFC 4035 §4.5).", before)
    s.ask("www.alpha.").secure()
    s.change(after).wait(950)
    s.ask("www.alpha.").check("rcode flags", ["AD"], "NOERROR").wait(20)
    s.ask("www.alpha.").check("rcode flags", ["AD"], "NOERROR")

    # What is deduced lives no longer than what is told.
    text = "a A 192.0.2.101\nz A 192.0.2.102\n*.w A {}\n{}"
    settings = ["cnamed-cache.max-ttl: 4", "cnamed-cache.max-negative-ttl: 4"]
    before = World(Zone("alpha.", text.format("192.0.2.103", "")))
    s = Scenario("deduced_within_bounds", "Denials and wildcards that answer for other names live within the operator's bounds, too (RFC 8198 §5.4, RFC 2308 §5).", before, settings)
    s.ask("b.alpha.").check("rcode", [], "NXDOMAIN")
    s.ask("x.w.alpha.").check("rcode", [], "NOERROR")
    after = World(Zone("alpha.", text.format("192.0.2.104", "new A 192.0.2.105\n")))
    s.change(after).wait(6)
    for name in ("new.alpha.", "y.w.alpha."):
        s.ask(name)
        response = after.resolve(name, "A")
        s.check("rcode answer", [], "NOERROR", answer=[line.replace(" 3600 ", " 4 ", 1) for line in s.shown(response.answer, ("A",))])

    # Zones of the operator's own that the public tree denies, or has something else for.
    section = "RFC 4035 §4.2, RFC 7646 §1.1"
    for file, text, more, told in (
        ("denied", "", [], "denies"),
        ("denied_and_switched_off", "", ['cnamed-dnssec.negative-trust-anchors: ["corp."]'], "denies, with a negative trust anchor,"),
        ("aliased", "corp CNAME www.alpha.\n", [], "has an alias for"),
        ("aliased_and_switched_off", "corp CNAME www.alpha.\n", ['cnamed-dnssec.negative-trust-anchors: ["corp."]'], "has an alias for, with a negative trust anchor,"),
    ):  # fmt: skip
        made = World(Zone("alpha.", PLAIN), root=Zone(".", text, address=ROOT_ADDRESS))
        corp = Zone("corp.", "a A 192.0.2.101\nb A 192.0.2.102\nc A 192.0.2.103\n@ A 192.0.2.104\n", keys=[], address="192.0.2.210")
        made.zones.append(corp)
        made.servers.append(Server("192.0.2.210", [corp]))
        settings = ['cnamed-stub: [{ zone = "corp.", servers = ["192.0.2.210"] }]', *more]
        s = Scenario(f"stub_zone_{file}", f"A stub zone that the signed tree {told} is what its servers say ({section}).", made, settings)
        s.ask("a.corp.").insecure()
        s.ask("b.corp.").insecure()
        s.ask("corp.", "DS").check("flags", ["AD"], "NOERROR")
        s.ask("c.corp.").insecure()
        s.ask("corp.").insecure()
        s.ask("no.corp.").insecure()

    # An anchor below what nobody signs.
    def island(**faults):
        above, made = Zone("i.", "y A 192.0.2.101\n", keys=[]), Zone("c.i.", PLAIN)
        return World(above, made, Zone("evil.", "www.c A 192.0.2.66\n", keys=[])), above, made

    section = "RFC 4035 §4.2, §5"
    above, zone = Zone("i.", "y A 192.0.2.101\n", keys=[]), Zone("c.e.i.", PLAIN)
    made = World(above, zone)
    made.at("i.").tweak("e.i.", "A", lambda r: replace(r, rcode="NXDOMAIN"))
    s = Scenario("anchor_below_a_denial", f"What nobody has signed denies no name that is proven from an anchor of its own ({section}).", made, anchors=[*made.anchors(), zone.keys[0].anchor()])
    s.ask("www.c.e.i.").secure()
    s.ask("e.i.").check("rcode", [], "NXDOMAIN")
    s.ask("bad.c.e.i.").secure()
    made, above, zone = island()
    taken = [RRset("i.", "DNAME", 3600, ["evil."]), RRset("www.c.i.", "CNAME", 3600, ["www.c.evil."])]
    for name, rtype in (("www.c.i.", "A"), ("c.i.", "NS"), ("c.i.", "A")):
        made.at("i.").tweak(name, rtype, lambda r: Response("NOERROR", answer=taken))
    s = Scenario("anchor_below_a_dname", f"A DNAME that nobody has signed takes no name away that is to be proven from an anchor of its own ({section}).", made, anchors=[*made.anchors(), zone.keys[0].anchor()])
    s.ask("www.c.i.").bogus(10)

    # An island below what is insecure, whose delegations no walk has seen.
    alpha, island, sub = Zone("alpha.", PLAIN, keys=[]), Zone("in.alpha.", PLAIN), Zone("sub.in.alpha.", PLAIN)
    made = World(alpha, island, sub)
    forwarder = Forwarder(made, [island])
    forwarder.spoil("bad.sub.in.alpha.", "A", corrupted)
    made.servers = [made.at("."), made.at("alpha."), forwarder]
    routes = 'cnamed-forward: [{ zone = "in.alpha.", servers = ["192.0.2.200"] }]'
    s = Scenario("anchor_below_what_is_insecure", "What is insecure above a trust anchor is no word on the zones below it (RFC 4035 §5, RFC 6840 §5.10).", made, [routes],
                 anchors=[*made.anchors(), island.keys[0].anchor()])  # fmt: skip
    s.ask("www.alpha.").insecure()
    s.ask("www.sub.in.alpha.").secure()
    s.ask("bad.sub.in.alpha.").bogus(6)


def aggressive_limits(how, nsec3):
    """What a cached denial must not be taken for."""

    def beside(zone, name):
        """A name that does not exist, whose denial has the record at `name`."""
        own = {held.owner for held in zone.matching(name)}
        # By NSEC the next name in order; by NSEC3 whatever hashes there.
        first = name.split(".")[0]
        rest = name[len(first) :]
        names = [f"{first}{c}{rest}" for c in "0123456789"]
        names += [f"{a}{b}{c}.alpha." for a in "nopqrst" for b in "0123456789abcdefghij" for c in "0123456789"]
        return next(n for n in names if not zone.exists(n) and own <= {held.owner for held in zone.no_name(n)})

    section = "RFC 8198 §5.1, RFC 6840 §4.1" if nsec3 is None else "RFC 8198 §5.2, RFC 6840 §4.1"
    for file, title, owner, asked, verdict in (
        ("not_below_a_cut", "The record of a delegation denies no name in the zone below it", "sub.alpha.", "www.sub.alpha.", True),
        ("not_below_an_insecure_cut", "The record of an insecure delegation denies no name below it", "null.alpha.", "www.null.alpha.", False),
        ("not_below_a_dname", "The record of a DNAME denies no name below it", "d.alpha.", "m.d.alpha.", True),
        ("not_an_alias", "The record of an alias denies no type there", "alias.alpha.", "alias.alpha.", True),
    ):  # fmt: skip
        world, zone = denial_world(nsec3)
        s = Scenario(f"aggressive_{how}_{file}", f"{title} ({section}).", world)
        s.know(asked, "A")
        s.ask(beside(zone, owner)).secure()
        s.ask(asked).answered(verdict)
    world, zone = denial_world(nsec3)
    proof = {held.owner for held in zone.no_type("ent.alpha.")}
    others = [f"{a}{b}{c}.alpha." for a in "defnopq" for b in "0123456789abcdz" for c in "0123456789z"]
    # What the empty non-terminal is proven by comes along with another denial.
    other = next(n for n in others if not zone.exists(n) and proof <= {held.owner for held in zone.no_name(n)})
    s = Scenario(f"aggressive_{how}_not_an_empty_name", f"A name that only has names below it is not denied by the record before it ({section}; RFC 4592 §2.2.2).", world)
    s.know("ent.alpha.", "A")
    s.ask(other).secure()
    s.ask("ent.alpha.").secure()
    world, zone = denial_world(nsec3)
    s = Scenario(f"aggressive_{how}_ends", "A denial is used for other names no longer than it lives (RFC 8198 §5.4, RFC 9077 §3).", world)
    first = {held.owner for held in zone.no_name("no.alpha.")}
    other = next(n for n in others if not zone.exists(n) and {held.owner for held in zone.no_name(n)} <= first)
    s.know(other, "A")
    s.ask("no.alpha.").secure()
    s.wait(301)
    s.ask(other).secure().sent(1, other, "A")


def aggressive():
    for how, nsec3 in (("nsec", None), ("nsec3", Nsec3(0, "-"))):
        world, zone = denial_world(nsec3)
        # Names that the records of the first denial cover as well.
        hop = zone.look_up("no.alpha.", "A")
        found = [
            f"{a}{b}{c}.alpha." for a in "nopq" for b in "abcdxyz" for c in "0123456789"
            if {h.owner for h in zone.no_name(f"{a}{b}{c}.alpha.")} <= {h.owner for h in hop.proof}
        ]  # fmt: skip
        other = found[0]
        s = Scenario(f"aggressive_{how}_nxdomain", f"A validated {how.upper()} denies other names that it covers, without a question (RFC 8198 §5.{1 if nsec3 is None else 2}).", world)
        s.know(other, "A")
        s.ask("no.alpha.").secure()
        s.ask(other).secure().sent(0)
        s.ask(other, flags="").secure().sent(0)
        world, zone = denial_world(nsec3)
        s = Scenario(f"aggressive_{how}_nodata", f"A validated {how.upper()} denies other types of its owner, without a question (RFC 8198 §5.{1 if nsec3 is None else 2}).", world)
        s.know("www.alpha.", "MX").know("www.alpha.", "AAAA")
        s.ask("www.alpha.", "MX").secure()
        s.ask("www.alpha.", "AAAA").secure().sent(0)
        s.ask("www.alpha.", "TXT").secure().sent(1, "www.alpha.", "TXT")
        world, zone = denial_world(nsec3)
        first = zone.no_closer("x.wild.alpha.")
        other = next(
            name for name in (f"{a}{b}.wild.alpha." for a in "xyzabcw" for b in "0123456789abcdef")
            if {h.owner for h in zone.no_closer(name)} == {h.owner for h in first}
        )  # fmt: skip
        s = Scenario(f"aggressive_{how}_wildcard", f"A validated wildcard answers for other names that {how.upper()} covers, without a question (RFC 8198 §5.3).", world)
        s.know(other, "A")
        s.ask("x.wild.alpha.").secure()
        s.ask(other).secure().sent(0)
        world, zone = denial_world(nsec3)
        s = Scenario(f"aggressive_{how}_not_for_cd", f"Nothing is made up from {how.upper()} that is not validated (RFC 8198 §7).", world)
        other = found[0]
        s.know(other, "A")
        s.ask("no.alpha.", flags="DO CD").insecure()
        s.ask(other).secure().sent(1, other, "A", world.at("alpha.").address)
        aggressive_limits(how, nsec3)
    world, zone = denial_world(Nsec3(0, "-", opt_out=True))
    first = {h.owner for h in zone.no_name("no.alpha.")}
    other = next(
        name for name in (f"{a}{b}.alpha." for a in "nopqxyz" for b in "0123456789abcdef")
        if {h.owner for h in zone.no_name(name)} <= first
    )  # fmt: skip
    s = Scenario("aggressive_optout_denies_nothing", "An opt-out span denies no other name without a question (RFC 8198 §5.2, RFC 5155 §6).", world)
    s.know(other, "A")
    s.ask("no.alpha.").insecure()
    s.ask(other).insecure().sent(1, other, "A", world.at("alpha.").address)


def check():
    """Has another program judge every zone as it is before anybody spoils it."""
    tool = shutil.which("ldns-verify-zone")
    if tool is None:
        sys.exit("--check needs ldns-verify-zone (package ldnsutils)")
    files = {}
    for scenario in Scenario.written:
        for _, world in scenario.eras:
            for zone in world.zones:
                if zone.keys:
                    files[zone.zone_file()] = (scenario.file, zone)
    wrong = 0
    for text, (file, zone) in files.items():
        with tempfile.NamedTemporaryFile("w", suffix=".zone") as out:
            out.write(text)
            out.flush()
            done = subprocess.run([tool, "-t", NOW, "-V2", out.name], capture_output=True, text=True)
        if done.returncode:
            wrong += 1
            print(f"{file}: {zone.name}: {done.stderr.strip().splitlines()[:6]}")
    print(f"{len(files)} zones, {wrong} that ldns-verify-zone does not like")


def main():
    algorithms()
    digests()
    errors()
    denials("nsec", None, {
        "nxdomain": "RFC 4035 §5.4", "nodata": "RFC 4035 §5.4", "wildcard": "RFC 4035 §5.3.4",
        "wildcard_nodata": "RFC 4035 §3.1.3.4", "ent": "RFC 4592 §2.2.2", "insecure": "RFC 4035 §5.2, RFC 6840 §4.4",
    })  # fmt: skip
    denials("nsec3", Nsec3(1, "aabbccdd"), {
        "nxdomain": "RFC 5155 §8.4", "nodata": "RFC 5155 §8.5", "wildcard": "RFC 5155 §8.8",
        "wildcard_nodata": "RFC 5155 §8.7", "ent": "RFC 5155 §8.5", "insecure": "RFC 5155 §8.6, §8.9",
    })  # fmt: skip
    edges()
    odd_denials()
    opt_out()
    signatures()
    caps()
    chains()
    dnames()
    clients()
    anchors()
    rollover()
    forwarders()
    aggressive()
    write_all()
    if "--check" in sys.argv[1:]:
        check()


if __name__ == "__main__":
    main()
