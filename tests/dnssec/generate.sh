#!/bin/sh
# Makes generated.zone: one zone per algorithm and key size, and one with what is hard to sign, each
# behind a line `;;; NAME`. Needs ldnsutils (ldns-keygen, ldns-signzone). Private keys are thrown away.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
out=$here/generated.zone
echo '; Made by generate.sh with ldns: change it there.' >"$out"

sign() { # NAME ALGORITHM BITS ZONEFILE
    rm -f K*
    bits=''
    [ "$3" = 0 ] || bits="-b $3"
    key=$(ldns-keygen -a "$2" $bits -k example.)
    ldns-signzone -b -i 20200101000000 -e 20400101000000 -f signed "$4" "$key"
    { echo ";;; $1"; sed 's/;.*//' signed | grep -v '^[[:space:]]*$'; } >>"$out"
}

cat >plain <<'ZONE'
$ORIGIN example.
$TTL 300
@ SOA ns root 1 3600 600 86400 300
@ NS ns
www A 192.0.2.1
www A 192.0.2.2
ZONE
for bits in 512 768 1023 1024 2048 4096; do sign "rsa256-$bits" RSASHA256 $bits plain; done
for bits in 1024 2048 4096; do sign "rsa512-$bits" RSASHA512 $bits plain; done
sign rsa512-768 RSASHA512 768 plain
for bits in 512 1024 2048; do sign "rsa1-$bits" RSASHA1 $bits plain; done
sign rsa1nsec3-1024 RSASHA1-NSEC3-SHA1 1024 plain
sign p256 ECDSAP256SHA256 0 plain
sign p384 ECDSAP384SHA384 0 plain
sign ed25519 ED25519 0 plain
sign ed448 ED448 0 plain

cat >hard <<'ZONE'
$ORIGIN Example.
$TTL 300
@ SOA Ns.Example. ROOT.Example. 1 3600 600 86400 300
@ NS b.NS.Example.
@ NS A.ns.Example.
@ NS a.NS.other.
Mx MX 10 Mail.Example.
Mx MX 5 MAIL.Example.
d.Sub DNAME Target.OTHER.
c CNAME WWW.Example.
srv SRV 1 2 3 Host.Example.
naptr NAPTR 1 2 "U" "E2U+sip" "!^.*$!sip:Info@Example.com!" Repl.Example.
ptr PTR B.Example.
ptr PTR a.Example.
rp RP Mbox.Example. TXT.Example.
afsdb AFSDB 1 AFS.Example.
kx KX 1 KX.Example.
txt TXT "b" "C"
txt TXT "A"
txt TXT ""
*.Wild A 192.0.2.7
*.Wild MX 1 M.Example.
svcb SVCB 1 Svc.Example. alpn=h2
unknown TYPE4711 \# 3 414243
unknown TYPE4711 \# 2 4142
ZONE
sign hard ECDSAP256SHA256 0 hard
