#!/bin/sh
# firewall-drop.sh: blocks and unblocks a source address, or an IPv6 network of 48, 56 or 64 bits
# (2001:db8:1:2::/64), with the firewall of this system.
#
#   firewall-drop.sh add|delete USER IP [ALERT-ID RULE-ID LOCATION FILENAME]
#
# PORTCULLIS_TIMEOUT = seconds that the block lasts; 0 or unset = until it is deleted.
#   Linux    nftables: the table and sets of the compiled firewall-drop (inet portcullis)
#   FreeBSD  ipfw: table 2 with two deny rules of number 00001
# Adding what is there and deleting what is not there is no error. Expect: srcip
set -u
PATH=${PATH:-/bin:/usr/bin}:/sbin:/usr/sbin:/usr/local/sbin
export PATH

IPFW_TABLE=2
IPFW_RULE=00001

die() {
    echo "firewall-drop.sh: $*" >&2
    exit 1
}

# An IPv4 or IPv6 address and nothing else; the firewall's own parser checks the rest of it.
family_of() {
    case $1 in
        *[!0-9a-fA-F:.]* | '' | *:::* | *..* | .* | *. ) return 1 ;;
        *:*:*) echo 6 ;;
        *:*) return 1 ;;
        *[!0-9.]*) return 1 ;;
        *.*.*.*.*) return 1 ;;
        *.*.*.*)
            for octet in $(echo "$1" | tr . ' '); do
                [ "${#octet}" -le 3 ] && [ "$octet" -le 255 ] || return 1
            done
            echo 4
            ;;
        *) return 1 ;;
    esac
}

make_nft_table() {
    nft -f - <<NFT
add table inet portcullis
add set inet portcullis v4 { type ipv4_addr; flags timeout; size 131072; }
add set inet portcullis v6 { type ipv6_addr; flags timeout; size 131072; }
add set inet portcullis v6_48 { type ipv6_addr; flags timeout; size 131072; }
add set inet portcullis v6_56 { type ipv6_addr; flags timeout; size 131072; }
add set inet portcullis v6_64 { type ipv6_addr; flags timeout; size 131072; }
add chain inet portcullis gate { type filter hook prerouting priority -310; policy accept; }
flush chain inet portcullis gate
add rule inet portcullis gate ip saddr @v4 drop
add rule inet portcullis gate ip6 saddr @v6 drop
add rule inet portcullis gate ip6 saddr & ffff:ffff:ffff:: @v6_48 drop
add rule inet portcullis gate ip6 saddr & ffff:ffff:ffff:ff00:: @v6_56 drop
add rule inet portcullis gate ip6 saddr & ffff:ffff:ffff:ffff:: @v6_64 drop
NFT
}

nft_drop() {
    command -v nft >/dev/null 2>&1 || die "nft is missing: install the package nftables"
    if [ "$action" = add ]; then
        # A table of an older form has no sets for networks.
        { nft list chain inet portcullis gate && nft list set inet portcullis "$set"; } \
            >/dev/null 2>&1 || make_nft_table ||
            die "cannot make the nftables table inet portcullis"
        if [ "$timeout" -gt 0 ]; then
            element="$address timeout ${timeout}s"
        else
            element=$address
        fi
        # One transaction: older kernels keep the timeout of an element that is there already, and
        # a delete of one that is not there would fail.
        nft -f - <<NFT || die "nft cannot block $ip"
add element inet portcullis $set { $address }
delete element inet portcullis $set { $address }
add element inet portcullis $set { $element }
NFT
    else
        nft get element inet portcullis "$set" "{ $address }" >/dev/null 2>&1 || return 0
        nft delete element inet portcullis "$set" "{ $address }" || die "nft cannot unblock $ip"
    fi
}

ipfw_drop() {
    command -v ipfw >/dev/null 2>&1 || die "ipfw is missing"
    if ! ipfw show 2>/dev/null | grep "^$IPFW_RULE" | grep "table($IPFW_TABLE)" >/dev/null; then
        ipfw -q add $IPFW_RULE deny ip from "table($IPFW_TABLE)" to any ||
            die "ipfw cannot add rule $IPFW_RULE"
        ipfw -q add $IPFW_RULE deny ip from any to "table($IPFW_TABLE)" ||
            die "ipfw cannot add rule $IPFW_RULE"
    fi
    # An entry that is there, or not there, makes ipfw fail: look first.
    if ipfw table $IPFW_TABLE list 2>/dev/null | cut -d ' ' -f 1 |
        sed 's,/32$,,; s,/128$,,' | grep -Fx -- "$ip" >/dev/null; then
        present=yes
    else
        present=no
    fi
    if [ "$action" = add ] && [ $present = no ]; then
        ipfw -q table $IPFW_TABLE add "$ip" || die "ipfw cannot block $ip"
    elif [ "$action" = delete ] && [ $present = yes ]; then
        ipfw -q table $IPFW_TABLE delete "$ip" || die "ipfw cannot unblock $ip"
    fi
}

action=${1:-}
ip=${3:-}
timeout=${PORTCULLIS_TIMEOUT:-0}
case $action in
    add | delete) ;;
    *) die "invalid action \"$action\": usage: firewall-drop.sh add|delete USER IP [...]" ;;
esac
[ -n "$ip" ] || die "no address: usage: firewall-drop.sh add|delete USER IP [...]"
address=${ip%%/*}
family=$(family_of "$address") || die "not an IP address: $ip"
case $family${ip#"$address"} in
    4 | 6) set=v$family ;;
    6/48 | 6/56 | 6/64) set=v6_${ip##*/} ;;
    *) die "not an IP address: $ip" ;;
esac
case $timeout in
    *[!0-9]* | ??????????*) die "PORTCULLIS_TIMEOUT is no number of seconds: $timeout" ;;
esac

system=$(uname)
case $system in
    Linux) nft_drop ;;
    FreeBSD) ipfw_drop ;;
    *) die "no firewall is known for $system" ;;
esac
