"""Servers, what they say, and scenario files made of it (the dialect of docs/testing.md)."""

from dataclasses import replace
from pathlib import Path

from zones import Key, Response, RRset, Zone, ancestors, at_or_below, extend, labels

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parent / "scenarios"
MARK = "; Written by tests/dnssec/scenarios.py: change that."
ROOT_ADDRESS = "192.0.2.1"
NOW = "20260601120000"


def absolute(name):
    return name if name.endswith(".") else name + "."


# Faults, for `Server.spoil`: from an RRset as it should be to what is sent (None: nothing).


def drop(_):
    return None


def unsigned(held):
    return replace(held, sigs=[])


def corrupted(held):
    """One bit of each signature is another."""

    def flip(sig):
        head, text = sig.rsplit(" ", 1)
        # The second character: never padding, and its bits all count.
        other = "A" if text[1] != "A" else "B"
        return f"{head} {text[0]}{other}{text[2:]}"

    return replace(held, sigs=[flip(sig) for sig in held.sigs])


def resigned(zone, keys=None, **changed):
    """Signed again, with lies in the RRSIG."""
    return lambda held: zone.sign(held, keys=keys, **changed)


class Server:
    """One address and the zones it has. Faults in `spoils` go by owner and type of an RRset, in
    `tweaks` by question."""

    def __init__(self, address, zones):
        self.address, self.zones, self.spoils, self.tweaks = address, zones, {}, {}
        self.refuses_cookies = None

    def spoil(self, owner, rtype, fault):
        self.spoils[owner, rtype] = fault
        return self

    def tweak(self, name, rtype, fault):
        self.tweaks[name, rtype] = fault
        return self

    def refuse_cookies(self, rcode):
        """It knows EDNS, but no option: what has a cookie is answered with `rcode`. Without EDNS there are no signatures."""
        self.refuses_cookies = rcode
        return self

    def zone_for(self, name, rtype):
        having = [zone for zone in self.zones if at_or_below(name, zone.name)]
        having.sort(key=lambda zone: len(labels(zone.name)))
        if rtype == "DS" and len(having) > 1 and having[-1].name == name:
            having.pop()
        return having[-1] if having else None

    def spoiled(self, sets):
        out = []
        for held in sets:
            fault = self.spoils.get((held.owner, held.rtype))
            held = fault(held) if fault else held
            out += [held] if held else []
        return out

    def respond(self, name, rtype):
        zone = self.zone_for(name, rtype)
        if zone is None:
            return None
        honest = zone.respond(name, rtype)
        response = replace(
            honest,
            answer=self.spoiled(honest.answer),
            authority=self.spoiled(honest.authority),
            additional=self.spoiled(honest.additional),
        )
        tweak = self.tweaks.get((name, rtype))
        return tweak(response) if tweak else response


class World:
    """The root and the zones below it, each at a server of its own. `ds`: the DS RDATA that the
    zones above have for a zone, by its name, where they are not those of its keys."""

    def __init__(self, *zones, ds=None, root=None):
        self.root = root or Zone(".", address=ROOT_ADDRESS)
        self.zones = [self.root, *zones]
        self.servers = []
        for i, zone in enumerate(self.zones):
            if zone.address is None:
                zone.address = f"192.0.2.{10 * i}"
                zone.add("ns", "A", zone.address)
            self.servers.append(Server(zone.address, [zone]))
        for zone in zones:
            above = self.zone_of(zone.name, "DS")
            above.delegate(zone, (ds or {}).get(zone.name))

    def zone_of(self, name, rtype="A"):
        having = [zone for zone in self.zones if at_or_below(name, zone.name)]
        having.sort(key=lambda zone: len(labels(zone.name)))
        if rtype == "DS" and having[-1].name == name and name != ".":
            having.pop()
        return having[-1]

    def at(self, zone_name):
        """The server of a zone."""
        return next(s for s in self.servers if s.zones[0].name == zone_name)

    def second_server(self, zone_name, address):
        """Another server for the zone, with its own faults; the delegation names both."""
        zone = next(zone for zone in self.zones if zone.name == zone_name)
        other = f"ns2.{zone_name}"
        zone.add("@", "NS", other)
        zone.add(other, "A", address)
        above = self.zone_of(zone_name, "DS")
        above.add(zone_name, "NS", other)
        above.add(other, "A", address)
        self.servers.append(Server(address, [zone]))
        return self.servers[-1]

    def anchors(self):
        return [key.anchor() for key in self.root.keys if key.is_ksk]

    def hops(self, name, rtype):
        """Every hop of a question, each from its zone."""
        seen = set()
        while name not in seen:
            seen.add(name)
            zone = self.zone_of(name, rtype)
            hop = zone.look_up(name, rtype)
            yield name, zone, hop
            if hop.target is None or rtype == "CNAME":
                return
            name = hop.target

    def resolve(self, name, rtype):
        """What a resolver that believes everything makes of it: rules R24 to R27."""
        response = Response()
        for _, zone, hop in self.hops(name, rtype):
            extend(response.answer, hop.answer)
            extend(response.authority, hop.proof)
        if hop.kind in ("nodata", "nxdomain"):
            response.authority.insert(0, zone.soa())
            response.rcode = "NXDOMAIN" if hop.kind == "nxdomain" else "NOERROR"
        return response


class Scenario:
    """One file. `title`: a sentence with the RFC sections in parentheses behind it."""

    written = []

    def __init__(self, file, title, world, settings=(), anchors=None, now=NOW, stub=ROOT_ADDRESS):
        self.file, self.title, self.world, self.now = file, title, world, now
        self.settings = list(settings)
        self.anchors = world.anchors() if anchors is None else anchors
        self.stub, self.steps, self.questions = stub, [], []
        self.eras = [(0, world)]
        self.asked = None
        Scenario.written.append(self)

    def step(self, *lines):
        self.steps.append(lines)
        return self

    def change(self, world):
        """From here on the servers say this."""
        self.eras.append((len(self.steps) + 1, world))
        self.world = world
        return self

    def know(self, name, rtype):
        """The servers also know the answer to this."""
        if (name, rtype) not in self.questions:
            self.questions.append((name, rtype))
        return self

    def ask(self, name, rtype="A", flags="DO"):
        """A client's question; `flags`: of DO, AD and CD."""
        name = absolute(name)
        self.asked = name, rtype, flags.split()
        self.know(name, rtype)
        return self.step(
            "QUERY", "ENTRY_BEGIN", f"REPLY RD {flags}".strip(), "SECTION QUESTION", f"{name} IN {rtype}", "ENTRY_END"
        )

    def check(self, match, flags, rcode, ede=(), answer=(), authority=()):
        name, rtype, asked = self.asked
        kept = [flag for flag in ("CD",) if flag in asked]
        lines = ["CHECK_ANSWER", "ENTRY_BEGIN", f"MATCH {match}"]
        lines.append(" ".join(["REPLY", "QR", "RD", "RA", *flags, *kept, rcode]))
        lines += [f"EDE {one}" for one in ede]
        lines += ["SECTION QUESTION", f"{name} IN {rtype}"]
        for section, held in (("ANSWER", answer), ("AUTHORITY", authority)):
            if held:
                lines += [f"SECTION {section}", *held]
        return self.step(*lines, "ENTRY_END")

    def shown(self, sets, keep=()):
        """Records as a client gets to see them: signatures and denials only with DO."""
        signed = "DO" in self.asked[2]
        own = [held for held in sets if signed or held.rtype not in ("NSEC", "NSEC3", "RRSIG") or held.rtype in keep]
        return [line for held in own for line in held.lines(signed)]

    def answered(self, secure, ede=(), expected=None, match="all order ede"):
        name, rtype, asked = self.asked
        expected = expected or self.world.resolve(name, rtype)
        wants = ("DO" in asked or "AD" in asked) and "CD" not in asked
        answer = self.shown(expected.answer, (rtype,))
        if not answer:
            match = match.replace("order ", "")
        return self.check(
            match, ["AD"] * (secure and wants), expected.rcode, ede, answer, self.shown(expected.authority)
        )

    def secure(self, **more):
        return self.answered(True, **more)

    def insecure(self, **more):
        return self.answered(False, **more)

    def bogus(self, code, text=None):
        """SERVFAIL and nothing else; the EDE's text names the failing hop's owner and type."""
        name, rtype, _ = self.asked
        return self.check("all ede", [], "SERVFAIL", [f"{code} ~{text or f'{name} {rtype}'}"])

    def wait(self, seconds):
        return self.step(f"TIME_PASSES ELAPSE {seconds}")

    def sent(self, count, name=None, rtype=None, to=None):
        """So many such questions went upstream since the last question of a client."""
        if count == 0 and not (name or rtype or to):
            return self.messages(0, 0)
        match = " ".join((["qname"] if name else []) + (["qtype"] if rtype else []))
        where = f" ADDRESS {to}" if to else ""
        entry = [f"MATCH {match or 'opcode'}"]
        question = f"{name or '.'} IN {rtype or 'A'}"
        return self.step(
            f"CHECK_OUT_QUERY{where} COUNT {count}", "ENTRY_BEGIN", *entry, "SECTION QUESTION", question, "ENTRY_END"
        )

    def messages(self, least, most=None):
        return self.step(f"CHECK_OUT_COUNT {least}" + (f" {most}" if most is not None else ""))

    # Writing.

    def closure(self, world):
        """What a resolver may ask: each name of each chain and all above it, as minimised questions,
        as questions for DS, and keys."""
        out = []
        for name, rtype in self.questions:
            for owner, zone, hop in world.hops(name, rtype):
                out += [(owner, kind) for kind in (rtype, "DS", "A", "NS")]
                for above in ancestors(owner, "."):
                    apex = any(zone.name == above for zone in world.zones)
                    out += [(above, kind) for kind in ("A", "NS", "DS", *["DNSKEY"] * apex)]
        return list(dict.fromkeys(out))

    def entries(self, server, questions):
        cuts = {}
        for name, rtype in questions:
            response = server.respond(name, rtype)
            if response is None or (name == "." and rtype in ("A", "DS")):
                continue
            if response.cut:
                cuts.setdefault(response.cut, response)
                continue
            yield "qtype qname", "copy_id", (name, rtype), response
        # The deepest first: the first that fits answers.
        for cut in sorted(cuts, key=lambda cut: -len(labels(cut))):
            yield "subdomain", "copy_id copy_query", (cut, "NS"), cuts[cut]

    def ranges(self):
        bounds = [start for start, _ in self.eras[1:]] + [1001]
        for (start, world), end in zip(self.eras, bounds):
            questions = self.closure(world)
            for server in world.servers:
                names = " ".join(zone.name for zone in server.zones)
                yield f"; {'the root' if names == '.' else names}"
                yield f"RANGE_BEGIN {start} {end - 1}"
                yield f"ADDRESS {server.address}"
                if server.refuses_cookies:
                    yield "ENTRY_BEGIN"
                    yield "MATCH opcode cookie"
                    yield "ADJUST copy_id copy_query"
                    yield f"REPLY QR {server.refuses_cookies}"
                    yield "ENTRY_END"
                for match, adjust, (name, rtype), response in self.entries(server, questions):
                    for signed in [False, True] if server.refuses_cookies else [True]:
                        yield "ENTRY_BEGIN"
                        yield f"MATCH opcode {match}{'' if signed else ' no_edns'}"
                        yield f"ADJUST {adjust}"
                        yield f"REPLY QR {'AA ' * response.aa}{response.rcode}"
                        yield "SECTION QUESTION"
                        yield f"{name} IN {rtype}"
                        for section in ("answer", "authority", "additional"):
                            held = [one for one in getattr(response, section) if signed or one.rtype != "NSEC"]
                            if held:
                                yield f"SECTION {section.upper()}"
                                yield from (line for one in held for line in one.lines(signed))
                        yield "ENTRY_END"
                yield "RANGE_END"
                yield ""

    def text(self):
        sentence = self.title.rsplit(" (", 1)[0]
        out = [f"; {self.title}", MARK, "do-ip6: no", f"stub-addr: {self.stub}"]
        out += [f'trust-anchor: "{anchor}"' for anchor in self.anchors]
        out += [f'val-override-date: "{self.now}"', *self.settings, "CONFIG_END", ""]
        out += [f"SCENARIO_BEGIN {sentence}", "", *self.ranges()]
        for number, (what, *lines) in enumerate(self.steps, 1):
            out += [f"STEP {number} {what}", *lines, ""]
        return "\n".join([*out, "SCENARIO_END", ""])


def write_all():
    """Writes every scenario, and takes away those of ours that are no longer made."""
    wanted = {f"dnssec_{scenario.file}.rpl": scenario for scenario in Scenario.written}
    assert len(wanted) == len(Scenario.written), "two scenarios of one name"
    for path in SCENARIOS.glob("dnssec_*.rpl"):
        if path.name not in wanted and MARK in path.read_text().splitlines()[:2]:
            path.unlink()
    for file, scenario in wanted.items():
        (SCENARIOS / file).write_text(scenario.text())
    print(f"{len(wanted)} scenarios")
