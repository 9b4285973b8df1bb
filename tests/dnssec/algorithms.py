"""Signing with every DNSSEC algorithm, from the standard library alone.

Keys come out of a seed and nothing here draws a random number, so that the scenarios which
`scenarios.py` writes are the same every time. Slow, and no secret is safe with it: for tests only.

RFC 3110 and 5702 (RSA), RFC 6605 with the nonces of RFC 6979 (ECDSA), RFC 8032 and 8080 (EdDSA).
"""

import hashlib
import hmac


class Stream:
    """Octets and numbers that follow from a seed."""

    def __init__(self, seed):
        self.seed, self.count = seed.encode(), 0

    def octets(self, n):
        out = b""
        while len(out) < n:
            out += hashlib.sha256(self.seed + b"/%d" % self.count).digest()
            self.count += 1
        return out[:n]

    def below(self, n):
        return int.from_bytes(self.octets((n.bit_length() + 71) // 8), "big") % n


def is_prime(n, stream):
    if any(n % p == 0 for p in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    d, r = n - 1, 0
    while d % 2 == 0:
        d, r = d // 2, r + 1
    for _ in range(24):
        x = pow(2 + stream.below(n - 4), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(r - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


class Rsa:
    PREFIXES = {  # DER of the DigestInfo up to the digest (RFC 8017 §9.2, note 1)
        "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
        "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
        "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
    }

    def __init__(self, seed, digest, bits):
        stream, self.digest = Stream(seed), digest
        self.e = 65537

        def prime(bits):
            while True:
                p = int.from_bytes(stream.octets(bits // 8), "big") | 3 << (bits - 2) | 1
                if p % self.e != 1 and is_prime(p, stream):
                    return p

        p, q = prime(bits // 2), prime(bits // 2)
        self.n, self.d = p * q, pow(self.e, -1, (p - 1) * (q - 1))
        self.octets = bits // 8

    def public(self):
        return b"\x03" + self.e.to_bytes(3, "big") + self.n.to_bytes(self.octets, "big")

    def sign(self, message):
        tail = self.PREFIXES[self.digest] + hashlib.new(self.digest, message).digest()
        padded = b"\0\1" + b"\xff" * (self.octets - len(tail) - 3) + b"\0" + tail
        return pow(int.from_bytes(padded, "big"), self.d, self.n).to_bytes(self.octets, "big")


class Ecdsa:
    CURVES = {  # p, order, generator (FIPS 186-4 D.1.2.3 and D.1.2.4); a is -3
        "sha256": (
            2**256 - 2**224 + 2**192 + 2**96 - 1,
            2**256 - 2**224 + 2**192 - 0x4319055258E8617B0C46353D039CDAAF,
            (
                0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
                0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
            ),
        ),
        "sha384": (
            2**384 - 2**128 - 2**96 + 2**32 - 1,
            2**384 - 2**192 + 0xC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
            (
                0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
                0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
            ),
        ),
    }

    def __init__(self, seed, digest):
        self.digest = digest
        self.p, self.order, self.base = self.CURVES[digest]
        self.octets = self.p.bit_length() // 8
        self.d = 1 + Stream(seed).below(self.order - 1)
        self.point = self.times(self.d, self.base)

    def add(self, a, b):
        if a is None or b is None:
            return b if a is None else a
        (x, y), (u, v), p = a, b, self.p
        if x == u and (y + v) % p == 0:
            return None
        slope = (3 * x * x - 3) * pow(2 * y, -1, p) if a == b else (v - y) * pow(u - x, -1, p)
        w = (slope * slope - x - u) % p
        return w, (slope * (x - w) - y) % p

    def times(self, k, point):
        out = None
        while k:
            if k & 1:
                out = self.add(out, point)
            point, k = self.add(point, point), k >> 1
        return out

    def public(self):
        return b"".join(n.to_bytes(self.octets, "big") for n in self.point)

    def nonces(self, digest):
        """RFC 6979 §3.2."""
        mac = lambda key, text: hmac.new(key, text, self.digest).digest()
        size = len(digest)
        z = int.from_bytes(digest, "big") % self.order
        own = self.d.to_bytes(self.octets, "big") + z.to_bytes(self.octets, "big")
        k, v = b"\0" * size, b"\1" * size
        for mark in (b"\0", b"\1"):
            k = mac(k, v + mark + own)
            v = mac(k, v)
        while True:
            v = mac(k, v)
            nonce = int.from_bytes(v, "big")
            if 0 < nonce < self.order:
                yield nonce
            k = mac(k, v + b"\0")
            v = mac(k, v)

    def sign(self, message):
        digest = hashlib.new(self.digest, message).digest()
        for nonce in self.nonces(digest):
            r = self.times(nonce, self.base)[0] % self.order
            s = pow(nonce, -1, self.order) * (int.from_bytes(digest, "big") + r * self.d) % self.order
            if r and s:
                return r.to_bytes(self.octets, "big") + s.to_bytes(self.octets, "big")


class Eddsa:
    """Ed25519 and Ed448 (RFC 8032 §5.1, §5.2): a x² + y² = 1 + d x² y²."""

    def __init__(self, seed, curve):
        if curve == 25519:
            self.p, self.octets, self.cofactor_bits, self.top = 2**255 - 19, 32, 3, 254
            self.a, self.d = -1, -121665 * pow(121666, -1, self.p) % self.p
            self.order = 2**252 + 27742317777372353535851937790883648493
            self.base = (
                15112221349535400772501151409588531511454012693041857206046113283949847762202,
                46316835694926478169428394003475163141307993866256225615783033603165251855960,
            )
            self.hash = lambda text: hashlib.sha512(text).digest()
        else:
            self.p, self.octets, self.cofactor_bits, self.top = 2**448 - 2**224 - 1, 57, 2, 447
            self.a, self.d = 1, -39081 % self.p
            self.order = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
            self.base = (
                224580040295924300187604334099896036246789641632564134246125461686950415467406032909029192869357953282578032075146446173674602635247710,
                298819210078481492676017930443930673437544040154080242095928241372331506189835876003536878655418784733982303233503462500531545062832660,
            )
            dom = b"SigEd448\0\0"
            self.hash = lambda text: hashlib.shake_256(dom + text).digest(114)
            # The key itself is hashed without the prefix (RFC 8032 §5.2.5).
        own = Stream(seed).octets(self.octets)
        digest = hashlib.sha512(own).digest() if curve == 25519 else hashlib.shake_256(own).digest(114)
        scalar = int.from_bytes(digest[: self.octets], "little")
        scalar &= (1 << self.top) - (1 << self.cofactor_bits)
        self.scalar, self.prefix = scalar | 1 << self.top, digest[self.octets :]
        self.public_octets = self.encoded(self.times(self.scalar))

    def add(self, a, b):
        (x, y), (u, v), p = a, b, self.p
        product = self.d * x * u * y * v % p
        return (
            (x * v + u * y) * pow(1 + product, -1, p) % p,
            (y * v - self.a * x * u) * pow(1 - product, -1, p) % p,
        )

    def times(self, k):
        out, point = (0, 1), self.base
        while k:
            if k & 1:
                out = self.add(out, point)
            point, k = self.add(point, point), k >> 1
        return out

    def encoded(self, point):
        x, y = point
        return (y | (x & 1) << (8 * self.octets - 1)).to_bytes(self.octets, "little")

    def public(self):
        return self.public_octets

    def sign(self, message):
        number = lambda *parts: int.from_bytes(self.hash(b"".join(parts)), "little") % self.order
        r = number(self.prefix, message)
        point = self.encoded(self.times(r))
        k = number(point, self.public_octets, message)
        return point + ((r + k * self.scalar) % self.order).to_bytes(self.octets, "little")


MAKERS = {
    5: lambda seed, bits: Rsa(seed, "sha1", bits),
    7: lambda seed, bits: Rsa(seed, "sha1", bits),
    8: lambda seed, bits: Rsa(seed, "sha256", bits),
    10: lambda seed, bits: Rsa(seed, "sha512", bits),
    13: lambda seed, _: Ecdsa(seed, "sha256"),
    14: lambda seed, _: Ecdsa(seed, "sha384"),
    15: lambda seed, _: Eddsa(seed, 25519),
    16: lambda seed, _: Eddsa(seed, 448),
}
