#!/usr/bin/env python3
"""Measures what hostile signed zones cost a resolver, and what its other clients notice of them.

    python3 tests/dnssec/hostile.py target/release/cnamed [--seconds 10]

Plays root, an honest zone and two hostile ones on loopback (127.61.0.0/16, port 53, so it needs root or
a network namespace of its own), starts the given program with its defaults behind it, and asks names
that nobody asked before. Prints, per zone, the RCODE, the program's CPU time for each question (its own
CPU clock), and the latency of another client which meanwhile asks for a cached name.

    trap.   KeyTrap (CVE-2023-50387): 500 Ed25519 keys of one tag, 500 wrong signatures of each RRset
    keys.   the same, with the wrong signatures on the keys themselves
    hash.   the closest encloser (CVE-2023-50868): NSEC3 with 150 iterations, names of 125 labels

Only Python's standard library, and the zones of this folder.
"""

import argparse
import base64
import multiprocessing
import os
import random
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace

from algorithms import Eddsa
from world import World
from zones import (
    TYPES, Key, Nsec3, Response, RRset, Zone, labels, name_wire, rdata_wire, time_number, type_number, u16, u32,
)  # fmt: skip

SERVER, RESOLVER = "127.61.0.1", ("127.61.9.1", 5361)
COUNT = 500
RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN"}


# Hostile zones.


def is_point(octets):
    """Is this the public key of some Ed25519 key (RFC 8032 §5.1.3)?"""
    p, d = 2**255 - 19, -121665 * pow(121666, -1, 2**255 - 19) % (2**255 - 19)
    y = int.from_bytes(octets, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    return y < p and pow(square, (p - 1) // 2, p) == 1


def colliding(key, count, draw):
    """DNSKEY RDATA of other keys with its tag, each of which costs a whole verification."""
    sum_of = lambda octets: sum(octets[0::2]) * 256 + sum(octets[1::2])
    own = rdata_wire("DNSKEY", key.rdata)
    found = []
    while len(found) < count:
        public = bytearray(draw.randbytes(32))
        wire = b"\1\0\3\x0f" + bytes(public)
        # One word makes up for the difference; carries may spoil it, hence the comparison.
        difference = (sum_of(own) - sum_of(wire)) % 65535
        word = (int.from_bytes(public[8:10], "big") + difference) % 65535
        public[8:10] = word.to_bytes(2, "big")
        wire = b"\1\0\3\x0f" + bytes(public)
        total = sum_of(wire)
        if (total + (total >> 16)) & 0xFFFF == key.tag and is_point(public):
            found.append(f"256 3 15 {base64.b64encode(public).decode()}")
    return found


def wrong_signatures(held, zone, key, count, draw):
    """As honest ones look, with an S below the order of the group, so that none is refused early."""
    head = zone.rrsig(held, key).rsplit(" ", 1)[0]
    order = Eddsa("", 25519).order
    one = lambda: draw.randbytes(32) + draw.randrange(order).to_bytes(32, "little")
    return [f"{head} {base64.b64encode(one()).decode()}" for _ in range(count)]


class Trap(Zone):
    """Whatever is asked for below it is there, with signatures that nobody made."""

    def __init__(self, name, draw, keys_too):
        key = Key(name, 15)
        super().__init__(name, keys=[key], address=SERVER)
        self.sets[name, "DNSKEY"].rdata += colliding(key, COUNT, draw)
        dnskey = self.sets[name, "DNSKEY"]
        self.signed_keys = self.sign(dnskey)
        if keys_too:
            self.signed_keys = replace(dnskey, sigs=wrong_signatures(dnskey, self, key, COUNT, draw))
        sample = RRset(f"x.{name}", "A", 3600, [SERVER])
        self.sigs = wrong_signatures(sample, self, key, COUNT, draw)

    def respond(self, name, rtype):
        if (name, rtype) == (self.name, "DNSKEY"):
            return Response(answer=[self.signed_keys])
        if name == self.name or rtype != "A":
            return super().respond(name, rtype)
        return Response(answer=[RRset(name, "A", 3600, [SERVER], self.sigs)])


class Hash(Zone):
    """Denies everything below it with all NSEC3 records that it has."""

    def respond(self, name, rtype):
        if len(labels(name)) < 3:
            return super().respond(name, rtype)
        if not hasattr(self, "denial"):
            chain = [self.link(i) for i in range(len(self.links()))]
            self.denial = Response("NXDOMAIN", authority=[self.soa(), *chain])
        return self.denial


# The wire.


def rrsig_wire(text):
    covered, algorithm, count, ttl, expiration, inception, tag, signer, signature = text.split()
    fixed = u16(type_number(covered)) + bytes([int(algorithm), int(count)]) + u32(ttl)
    fixed += u32(time_number(expiration)) + u32(time_number(inception)) + u16(tag)
    return fixed + name_wire(signer) + base64.b64decode(signature)


def records(held):
    rdata = [(type_number(held.rtype), rdata_wire(held.rtype, text)) for text in held.rdata]
    rdata += [(46, rrsig_wire(text)) for text in held.sigs]
    head = name_wire(held.owner)
    return [head + u16(rtype) + u16(1) + u32(held.ttl) + u16(len(one)) + one for rtype, one in rdata]


class Authority:
    def __init__(self, world):
        self.world, self.lock, self.made = world, threading.Lock(), {}
        self.names = {number: rtype for rtype, number in TYPES.items()}

    def sections(self, name, number):
        key = name, number
        if key not in self.made:
            rtype = self.names.get(number, f"TYPE{number}")
            zone = self.world.zone_of(name, rtype)
            response = zone.respond(name, rtype)
            parts = [[one for held in part for one in records(held)] for part in (response.answer, response.authority, response.additional)]
            if len(self.made) < 50_000 and name.count(".") < 3:
                self.made[key] = response, parts
            return response, parts
        return self.made[key]

    def answer(self, query, limit):
        at, found = 12, []
        while query[at]:
            found.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        name, (number,) = ".".join(found).lower() + ".", struct.unpack("!H", query[at + 1 : at + 3])
        with self.lock:
            response, parts = self.sections(name, number)
        rcode = {"NOERROR": 0, "NXDOMAIN": 3, "SERVFAIL": 2}[response.rcode]
        flags = 0x8000 | 0x0400 * response.aa | rcode
        counts = [len(part) for part in parts]
        counts[2] += 1
        body = query[12 : at + 5] + b"".join(one for part in parts for one in part) + b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"
        head = struct.pack("!6H", int.from_bytes(query[:2], "big"), flags, 1, *counts)
        if 12 + len(body) > limit:
            head = struct.pack("!6H", int.from_bytes(query[:2], "big"), flags | 0x0200, 1, 0, 0, 1)
            body = query[12 : at + 5] + b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"
        return head + body


def serve(authority):
    class Tcp(socketserver.BaseRequestHandler):
        def handle(self):
            stream = self.request.makefile("rb")
            try:
                while len(size := stream.read(2)) == 2:
                    reply = authority.answer(stream.read(int.from_bytes(size, "big")), 65_535)
                    self.request.sendall(u16(len(reply)) + reply)
            except ConnectionError:
                pass  # the other side has heard enough

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads, request_queue_size = True, True, 256

    tcp = Server((SERVER, 53), Tcp)
    threading.Thread(target=tcp.serve_forever, daemon=True).start()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((SERVER, 53))

    def answer():
        while True:
            query, client = udp.recvfrom(4096)
            udp.sendto(authority.answer(query, 1232), client)

    threading.Thread(target=answer, daemon=True).start()


# Clients.


def ask(name, patience=8.0):
    """RCODE and seconds."""
    ident = random.randrange(65536)
    query = struct.pack("!6H", ident, 0x0100, 1, 0, 0, 1) + name_wire(name) + b"\0\1\0\1\0\0\x29\x04\xd0\0\0\x80\0\0\0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(patience)
        start = time.perf_counter()
        client.sendto(query, RESOLVER)
        reply = client.recv(4096)
        return reply[3] & 15, time.perf_counter() - start


def witness(seconds, out):
    """Another client: 200 questions a second for a cached name, timed one by one."""
    end, found = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        found.append(ask("www.good.")[1] * 1000)
        time.sleep(0.005)
    out.put(sorted(found))


def percentile(found, part):
    return found[min(len(found) - 1, int(len(found) * part))]


def watched(seconds):
    """Starts the witness; what is returned waits for its latencies."""
    out = multiprocessing.Queue()
    process = multiprocessing.Process(target=witness, args=(seconds, out))
    process.start()
    return out.get


def show(what, found):
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    print(f"{what:34} p50 {p50:.2f} ms, p99 {p99:.2f} ms, worst {found[-1]:.2f} ms ({len(found)} answers)")


def measure(title, make, seconds, pid, draw):
    cpu = lambda: time.clock_gettime((~pid << 3) | 2)
    each, rcodes = [], set()
    for _ in range(30):
        before = cpu()
        rcodes.add(ask(make(draw))[0])
        time.sleep(0.02)
        each.append((cpu() - before) * 1000)
    each.sort()
    names = "/".join(sorted(RCODES.get(rcode, str(rcode)) for rcode in rcodes))
    print(f"{title:34} {names}, CPU per question: median {percentile(each, 0.5):.2f} ms, worst {each[-1]:.2f} ms ({len(each)} questions)")
    show("  another client before", watched(seconds)())
    end, asked = watched(seconds), 0
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        try:
            ask(make(draw))
            asked += 1
        except TimeoutError:
            pass
    show(f"  and beside {asked / seconds:.0f} such questions/s", end())


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("--seconds", type=float, default=10)
    options = arguments.parse_args()
    draw = random.Random(7)
    trap, keys = Trap("trap.", draw, False), Trap("keys.", draw, True)
    hashed = Hash("hash.", "www A 192.0.2.1", nsec3=Nsec3(150, "-"), address=SERVER)
    good = Zone("good.", "www A 192.0.2.101", address=SERVER)
    world = World(trap, keys, hashed, good, root=Zone(".", address=SERVER))
    serve(Authority(world))
    folder = tempfile.mkdtemp(prefix="hostile-")
    hints, config = os.path.join(folder, "root.hints"), os.path.join(folder, "cnamed.toml")
    with open(hints, "w") as out:
        out.write(f". 3600 IN NS ns.\nns. 3600 IN A {SERVER}\n")
    with open(config, "w") as out:
        out.write(f'[server]\nlisten = ["{RESOLVER[0]}:{RESOLVER[1]}"]\n[resolver]\nroot-hints = "root.hints"\n')
        out.write(f'query-localhost = true\nipv6 = false\n[dnssec]\ntrust-anchors = ["{world.anchors()[0]}"]\n')
    program = subprocess.Popen([options.program, "serve", "--config", config], stderr=subprocess.PIPE, text=True)
    try:
        while not (line := program.stderr.readline()).startswith("ready"):
            if not line:
                sys.exit("the program did not start")
        threading.Thread(target=lambda: [None for _ in program.stderr], daemon=True).start()
        for name, wanted in (("www.good.", 0), ("no.good.", 3)):
            rcode, _ = ask(name)
            assert rcode == wanted, f"{name}: {RCODES.get(rcode, rcode)}: the honest zone is not answered"
        label = lambda draw: f"n{draw.randrange(10**12):012}"
        deep = lambda draw: "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") + "." for _ in range(124)) + "hash."
        for title, make in (
            ("KeyTrap, signatures of an RRset:", lambda draw: f"{label(draw)}.trap."),
            ("KeyTrap, signatures of the keys:", lambda draw: f"{label(draw)}.keys."),
            ("NSEC3, 150 iterations, 125 labels:", deep),
        ):
            measure(title, make, options.seconds, program.pid, draw)
    finally:
        program.terminate()
        program.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
