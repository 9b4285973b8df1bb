"""Signed zones and what an honest server answers from them.

Names are absolute and in lower case, without escapes; RDATA is text, as in master files. A zone is
signed when it is asked, RRset by RRset. RFC 1034 §4.3.2, 4034, 4035 §3.1, 4592, 5155 §7, 6672 §3.
"""

import base64
import hashlib
import ipaddress
from dataclasses import dataclass, field, replace

from algorithms import MAKERS

INCEPTION, EXPIRATION = "20260101000000", "20261231000000"

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "DNAME": 39, "DS": 43,
    "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50, "NSEC3PARAM": 51,
}  # fmt: skip
NEVER_DENIED_FOR = ("NSEC", "NSEC3", "RRSIG")


def labels(name):
    return [label for label in name.split(".") if label]


def parent(name):
    return ".".join(labels(name)[1:]) + "."


def under(label, name):
    return label + "." + name if name != "." else label + "."


def is_below(name, zone):
    own, its = labels(name), labels(zone)
    return len(own) > len(its) and own[len(own) - len(its) :] == its


def at_or_below(name, zone):
    return name == zone or is_below(name, zone)


def ancestors(name, zone):
    """`name` and each name above it, down to `zone`."""
    while True:
        yield name
        if name == zone:
            return
        name = parent(name)


def order(name):
    """Canonical order (RFC 4034 §6.1)."""
    return [label.lower().encode() for label in reversed(labels(name))]


def name_wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in labels(name)) + b"\0"


def extend(sets, more):
    """Adds RRsets, each once."""
    for held in more:
        if held not in sets:
            sets.append(held)


def u16(n):
    return int(n).to_bytes(2, "big")


def u32(n):
    return int(n).to_bytes(4, "big")


def base32hex(octets):
    table = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghijklmnopqrstuv")
    return base64.b32encode(octets).translate(table).decode().rstrip("=")


def from_base32hex(text):
    table = bytes.maketrans(b"0123456789abcdefghijklmnopqrstuv", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    return base64.b32decode(text.lower().encode().translate(table))


def type_number(rtype):
    return TYPES[rtype] if rtype in TYPES else int(rtype.removeprefix("TYPE"))


def bitmap_wire(types):
    windows = {}
    for number in map(type_number, types):
        windows.setdefault(number >> 8, bytearray(32))[(number & 255) >> 3] |= 0x80 >> (number & 7)
    blocks = ((window, bytes(bits).rstrip(b"\0")) for window, bits in sorted(windows.items()))
    return b"".join(bytes([window, len(bits)]) + bits for window, bits in blocks)


def rdata_wire(rtype, text):
    """RDATA of the types used here."""
    words = text.split()
    match rtype:
        case "A":
            return bytes(map(int, text.split(".")))
        case "AAAA":
            return ipaddress.IPv6Address(text).packed
        case "NS" | "CNAME" | "DNAME":
            return name_wire(text)
        case "MX":
            return u16(words[0]) + name_wire(words[1])
        case "TXT":
            string = text.strip('"').encode()
            return bytes([len(string)]) + string
        case "SOA":
            return name_wire(words[0]) + name_wire(words[1]) + b"".join(map(u32, words[2:]))
        case "DS":
            return u16(words[0]) + bytes(map(int, words[1:3])) + bytes.fromhex(words[3])
        case "DNSKEY":
            return u16(words[0]) + bytes(map(int, words[1:3])) + base64.b64decode(words[3])
        case "NSEC":
            return name_wire(words[0]) + bitmap_wire(words[1:])
        case "NSEC3PARAM" | "NSEC3":
            salt = bytes.fromhex(words[3].replace("-", ""))
            head = bytes(map(int, words[:2])) + u16(words[2]) + bytes([len(salt)]) + salt
            if rtype == "NSEC3PARAM":
                return head
            return head + b"\x14" + from_base32hex(words[4]) + bitmap_wire(words[5:])
    raise ValueError(f"cannot write {rtype} RDATA")


def time_number(text):
    """RRSIG times, as in `20260101000000`, in seconds since 1970."""
    from datetime import datetime, timezone

    return int(datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc).timestamp())


@dataclass
class RRset:
    owner: str
    rtype: str
    ttl: int
    rdata: list
    sigs: list = field(default_factory=list)

    def lines(self, signed=True):
        out = [f"{self.owner} {self.ttl} IN {self.rtype} {rdata}" for rdata in self.rdata]
        if signed:
            out += [f"{self.owner} {self.ttl} IN RRSIG {sig}" for sig in self.sigs]
        return out


class Key:
    """One DNSKEY with its private half."""

    made = {}
    signatures = {}

    def __init__(self, zone, algorithm=13, seed="", flags=257, protocol=3, bits=1024):
        whole = (zone, algorithm, seed, bits)
        if whole not in Key.made:
            Key.made[whole] = MAKERS[algorithm](f"{zone} {algorithm} {seed} {bits}", bits)
        self.secret, self.algorithm, self.zone = Key.made[whole], algorithm, zone
        public = base64.b64encode(self.secret.public()).decode()
        self.rdata = f"{flags} {protocol} {algorithm} {public}"
        self.is_ksk = flags & 1 == 1
        wire = rdata_wire("DNSKEY", self.rdata)
        total = sum(octet << (0 if i & 1 else 8) for i, octet in enumerate(wire))
        self.tag = (total + (total >> 16)) & 0xFFFF

    def sign(self, message):
        whole = (id(self.secret), message)
        if whole not in Key.signatures:
            Key.signatures[whole] = self.secret.sign(message)
        return Key.signatures[whole]

    def ds(self, digest_type=2):
        digest = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}[digest_type]
        octets = digest(name_wire(self.zone) + rdata_wire("DNSKEY", self.rdata)).hexdigest()
        return f"{self.tag} {self.algorithm} {digest_type} {octets}"

    def anchor(self, digest_type=2):
        return f"{self.zone} IN DS {self.ds(digest_type)}"


@dataclass
class Nsec3:
    """How a zone denies by NSEC3."""

    iterations: int = 0
    salt: str = "-"
    opt_out: bool = False

    def hash(self, name):
        salt = bytes.fromhex(self.salt.replace("-", ""))
        digest = hashlib.sha1(name_wire(name) + salt).digest()
        for _ in range(self.iterations):
            digest = hashlib.sha1(digest + salt).digest()
        return base32hex(digest)


@dataclass
class Hop:
    """What (name, type) is in one zone: `kind` is data, cname, dname, nodata, nxdomain or referral."""

    kind: str
    answer: list = field(default_factory=list)
    proof: list = field(default_factory=list)
    target: str = None
    cut: str = None


@dataclass
class Response:
    """A server's answer, as RRsets."""

    rcode: str = "NOERROR"
    aa: bool = True
    answer: list = field(default_factory=list)
    authority: list = field(default_factory=list)
    additional: list = field(default_factory=list)
    cut: str = None


class Zone:
    """A zone: records, keys, and how it denies.

    `text`: a record per line, `owner [TTL] type RDATA`; owners without a final dot are relative, `@`
    is the apex. SOA, NS, the server's address and the denials are made. `keys`: none: unsigned;
    those with the SEP bit sign the DNSKEY RRset, the others the rest (one of a kind signs all).
    """

    def __init__(self, name, text="", keys=None, nsec3=None, address=None, bitmaps=None):
        self.name, self.nsec3, self.bitmaps = name, nsec3, bitmaps or {}
        self.keys = [Key(name)] if keys is None else keys
        self.address, self.sets, self.chain = address, {}, None
        self.inception, self.expiration = INCEPTION, EXPIRATION
        self.add("@", "SOA", f"{under('ns', name)} {under('host', name)} 1 3600 600 86400 300")
        self.add("@", "NS", under("ns", name))
        if address:
            self.add("ns", "A", address)
        for key in self.keys:
            self.add("@", "DNSKEY", key.rdata)
        if nsec3 and self.keys:
            self.add("@", "NSEC3PARAM", f"1 0 {nsec3.iterations} {nsec3.salt}")
        for line in text.strip().splitlines():
            owner, *words = line.split()
            ttl = int(words.pop(0)) if words[0].isdigit() else 3600
            self.add(owner, words[0], " ".join(words[1:]), ttl)

    def absolute(self, name):
        return self.name if name == "@" else name if name.endswith(".") else under(name, self.name)

    def add(self, owner, rtype, rdata, ttl=3600):
        owner = self.absolute(owner)
        held = self.sets.setdefault((owner, rtype), RRset(owner, rtype, ttl, []))
        held.rdata.append(rdata)
        self.chain = None

    def delegate(self, child, ds=None):
        """Adds the delegation of a zone; `ds`: its DS RDATA, by default those of its SEP keys."""
        self.add(child.name, "NS", under("ns", child.name))
        for rdata in [key.ds() for key in child.keys if key.is_ksk] if ds is None else ds:
            self.add(child.name, "DS", rdata)
        if child.address:
            self.add(under("ns", child.name), "A", child.address)

    # What is where.

    def cut_over(self, name):
        """The highest delegation at or above `name`."""
        found = None
        for above in ancestors(name, self.name):
            if above != self.name and (above, "NS") in self.sets:
                found = above
        return found

    def types_at(self, name):
        return [rtype for owner, rtype in self.sets if owner == name]

    def exists(self, name):
        return any(at_or_below(owner, name) for owner, _ in self.sets)

    def is_own(self, owner):
        """Is it this zone's, or at a cut, and not glue?"""
        return (self.cut_over(owner) or owner) == owner

    # Signatures.

    def signers(self, rtype):
        ksks = [key for key in self.keys if key.is_ksk]
        zsks = [key for key in self.keys if not key.is_ksk]
        return (ksks or zsks) if rtype == "DNSKEY" else (zsks or ksks)

    def sign(self, held, keys=None, **changed):
        """`held` with signatures by `keys`; `changed`: fields of the RRSIG that are to lie, and
        `over`: another RRset, that is signed in its place."""
        keys = self.signers(held.rtype) if keys is None else keys
        return replace(held, sigs=[self.rrsig(held, key, **changed) for key in keys])

    def rrsig(self, held, key, over=None, **changed):
        fields = {
            "type": held.rtype,
            "algorithm": key.algorithm,
            "labels": len([label for label in labels(held.owner) if label != "*"]),
            "ttl": held.ttl,
            "expiration": self.expiration,
            "inception": self.inception,
            "tag": key.tag,
            "signer": self.name,
        } | changed
        signed = over or held
        words = [str(value) for value in fields.values()]
        rtype = type_number(fields["type"])
        fixed = u16(rtype) + bytes([fields["algorithm"], fields["labels"]])
        fixed += u32(fields["ttl"]) + u32(time_number(fields["expiration"]))
        fixed += u32(time_number(fields["inception"])) + u16(fields["tag"]) + name_wire(fields["signer"])
        owner = signed.owner
        if fields["labels"] < len([label for label in labels(owner) if label != "*"]):
            owner = ".".join(["*"] + labels(owner)[len(labels(owner)) - fields["labels"] :]) + "."
        message = fixed
        for rdata in sorted({rdata_wire(signed.rtype, text) for text in signed.rdata}):
            message += name_wire(owner) + u16(rtype) + u16(1) + u32(fields["ttl"]) + u16(len(rdata)) + rdata
        return " ".join(words) + " " + base64.b64encode(key.sign(message)).decode()

    def rrset(self, owner, rtype):
        held = self.sets[owner, rtype]
        if not self.keys or (rtype == "NS" and owner != self.name) or not self.is_own(owner):
            return held
        return self.sign(held)

    # Denials.

    def soa(self):
        soa = self.rrset(self.name, "SOA")
        return soa

    def bitmap(self, name):
        if name in self.bitmaps:
            return self.bitmaps[name]
        held = self.types_at(name)
        if name != self.name and "NS" in held:
            held = [rtype for rtype in held if rtype in ("NS", "DS")]
            signs = "DS" in held
        else:
            signs = bool(held)
        held = held + ["RRSIG"] * signs + ["NSEC"] * (self.nsec3 is None)
        return sorted(set(held), key=type_number)

    def links(self):
        """Every NSEC or NSEC3 record: (sort key, owner, names) in the order of the chain."""
        if self.chain is not None:
            return self.chain
        names = {owner for owner, _ in self.sets if self.is_own(owner)}
        if self.nsec3 is None:
            self.chain = [(order(name), name, name) for name in sorted(names, key=order)]
            return self.chain
        if self.nsec3.opt_out:
            insecure = {n for n in names if n != self.name and "NS" in self.types_at(n) and (n, "DS") not in self.sets}
            names -= insecure
        names |= {above for name in names for above in ancestors(name, self.name)}
        hashed = sorted((self.nsec3.hash(name), name) for name in names)
        self.chain = [(text, under(text, self.name), name) for text, name in hashed]
        return self.chain

    def link(self, index):
        """The signed denial record at this place of the chain."""
        chain = self.links()
        (_, owner, name), (_, following, _) = chain[index], chain[(index + 1) % len(chain)]
        types = self.bitmap(name)
        if self.nsec3 is None:
            held = RRset(owner, "NSEC", 300, [" ".join([following, *types])])
        else:
            salt, opt_out = self.nsec3.salt, int(self.nsec3.opt_out)
            head = f"1 {opt_out} {self.nsec3.iterations} {salt} {labels(following)[0]}"
            held = RRset(owner, "NSEC3", 300, [" ".join([head, *types])])
        return self.sign(held)

    def matching(self, name):
        """The record at `name`, in a list that is empty when there is none."""
        return [self.link(i) for i, (_, _, own) in enumerate(self.links()) if own == name]

    def covering(self, name):
        """The record between whose owner and next name `name` is."""
        key = order(name) if self.nsec3 is None else self.nsec3.hash(name)
        before = [i for i, (own, _, _) in enumerate(self.links()) if own < key]
        return [self.link(before[-1] if before else len(self.links()) - 1)]

    def encloser(self, name):
        """The closest encloser, and the next closer name."""
        closer = name
        for above in ancestors(parent(name), self.name):
            if self.exists(above):
                return above, closer
            closer = above

    def proven_encloser(self, name):
        """As `encloser`, by the names that NSEC3 knows: opt-out leaves some out."""
        closer = name
        for above in ancestors(parent(name), self.name):
            if self.matching(above):
                return self.matching(above) + self.covering(closer)
            closer = above

    def no_name(self, name):
        if not self.keys:
            return []
        encloser, _ = self.encloser(name)
        wildcard = self.covering(under("*", encloser))
        return (self.covering(name) if self.nsec3 is None else self.proven_encloser(name)) + wildcard

    def no_type(self, name):
        if not self.keys:
            return []
        found = self.matching(name)
        if found:
            return found
        # An empty non-terminal; or, with NSEC3, what opt-out leaves out.
        return self.covering(name) if self.nsec3 is None else self.proven_encloser(name)

    def no_closer(self, name):
        """Beside the expansion of a wildcard."""
        if not self.keys:
            return []
        _, closer = self.encloser(name)
        return self.covering(name if self.nsec3 is None else closer)

    def no_wildcard_type(self, name):
        if not self.keys:
            return []
        encloser, _ = self.encloser(name)
        closer = self.covering(name) if self.nsec3 is None else self.proven_encloser(name)
        return closer + self.matching(under("*", encloser))

    # Answers.

    def look_up(self, name, rtype):
        cut = self.cut_over(name)
        if cut and not (name == cut and rtype == "DS"):
            return self.referral(cut)
        for above in ancestors(name, self.name):
            if above != name and (above, "DNAME") in self.sets:
                dname = self.rrset(above, "DNAME")
                kept = labels(name)[: len(labels(name)) - len(labels(above))]
                target = ".".join(kept + labels(dname.rdata[0])) + "."
                made = RRset(name, "CNAME", dname.ttl, [target])
                return Hop("dname", [dname, made], [], target)
        if self.types_at(name):
            return self.at(name, name, rtype, [], self.no_type(name))
        if self.exists(name):
            return Hop("nodata", [], self.no_type(name))
        encloser, _ = self.encloser(name)
        wildcard = under("*", encloser)
        if self.types_at(wildcard):
            return self.at(wildcard, name, rtype, self.no_closer(name), self.no_wildcard_type(name))
        return Hop("nxdomain", [], self.no_name(name))

    def at(self, source, name, rtype, beside, denied):
        """What `source` has, given to `name`."""
        if rtype == "NSEC" and self.nsec3 is None and self.keys:
            return Hop("data", [replace(self.matching(source)[0], owner=name)], beside)
        if rtype in self.types_at(source):
            return Hop("data", [replace(self.rrset(source, rtype), owner=name)], beside)
        if "CNAME" in self.types_at(source):
            cname = replace(self.rrset(source, "CNAME"), owner=name)
            return Hop("cname", [cname], beside, cname.rdata[0])
        return Hop("nodata", [], denied)

    def referral(self, cut):
        held = [self.rrset(cut, "NS")]
        if (cut, "DS") in self.sets:
            held.append(self.rrset(cut, "DS"))
        else:
            held += self.no_type(cut)
        glue = [self.sets[ns, "A"] for ns in held[0].rdata if (ns, "A") in self.sets]
        return Hop("referral", glue, held, cut=cut)

    def respond(self, name, rtype):
        """The whole answer, with every hop that stays in the zone."""
        response = Response()
        seen = set()
        while True:
            hop = self.look_up(name, rtype)
            if hop.kind == "referral":
                if not seen:
                    return Response(aa=False, authority=hop.proof, additional=hop.answer, cut=hop.cut)
                return response
            seen.add(name)
            extend(response.answer, hop.answer)
            extend(response.authority, hop.proof)
            if hop.kind in ("nodata", "nxdomain"):
                response.authority.insert(0, self.soa())
                response.rcode = "NXDOMAIN" if hop.kind == "nxdomain" else "NOERROR"
            if rtype == "CNAME" or hop.target is None or hop.target in seen or not at_or_below(hop.target, self.name):
                return response
            name = hop.target

    def zone_file(self):
        """Everything, for other programs to judge."""
        held = [self.rrset(owner, rtype) for owner, rtype in self.sets]
        held += [self.link(i) for i in range(len(self.links()))] if self.keys else []
        return "\n".join(line for one in held for line in one.lines()) + "\n"
