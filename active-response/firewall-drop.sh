#!/bin/sh
# firewall-drop.sh: blocks and unblocks a source address, or a network (192.0.2.0/24, 2001:db8:1:2::/64;
# at least /8 and /32), with the firewall of this system.
#
#   firewall-drop.sh add|delete USER IP [ALERT-ID RULE-ID LOCATION FILENAME]
#
# PORTCULLIS_TIMEOUT = seconds that the block lasts; 0 or unset = until it is deleted.
# PORTCULLIS_BLOCK = hard (or unset): all packets from the address are dropped. soft: new connections, datagrams to
# service ports and echo requests from it are dropped, and our refusals to it. Established connections and our own
# continue.
#   Linux    nftables: the table and sets of the compiled firewall-drop (inet portcullis)
#   FreeBSD  ipfw: table 2 with two deny rules of number 00001; hard blocks only
# A second add, and a delete of an address that is not blocked, succeed. Expect: srcip
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

# The address of a network with the bits behind the prefix cleared: network_of FAMILY ADDRESS LENGTH
network_of() {
    awk -v family="$1" -v address="$2" -v keep="$3" '
        function number(text, i, value) {
            value = 0
            for (i = 1; i <= length(text); i++)
                value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
            return value
        }
        BEGIN {
            bits = family == 4 ? 8 : 16
            if (family == 4) {
                count = split(address, part, ".")
            } else {
                address = tolower(address)
                if (address ~ /\./) exit 1
                at = index(address, "::")
                before = at ? split(substr(address, 1, at - 1), part, ":") : split(address, part, ":")
                after = at ? split(substr(address, at + 2), tail, ":") : 0
                if (at ? before + after > 7 : before != 8) exit 1
                for (i = before + 1; i <= 8; i++) part[i] = 0
                for (i = 1; i <= after; i++) part[8 - after + i] = tail[i]
                count = 8
                for (i = 1; i <= 8; i++) {
                    if (length(part[i]) > 4 || part[i] == "") exit 1
                    part[i] = number(part[i])
                }
            }
            last = 0
            for (i = 1; i <= count; i++) {
                drop = i * bits - keep
                if (drop > bits) drop = bits
                if (drop > 0) part[i] -= part[i] % 2 ^ drop
                if (part[i] != 0) last = i
            }
            for (i = 1; i <= (family == 4 ? 4 : last < 7 ? last : 8); i++)
                text = text (i > 1 ? (family == 4 ? "." : ":") : "") sprintf(family == 4 ? "%d" : "%x", part[i])
            print text (family == 6 && last < 7 ? "::" : "")
        }' </dev/null
}

# The mask of a prefix: mask_of FAMILY LENGTH
mask_of() {
    if [ "$1" = 4 ]; then
        network_of 4 255.255.255.255 "$2"
    else
        network_of 6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "$2"
    fi
}

# The sets of the table and of this call, as lines "FAMILY LENGTH KIND NAME", in the order of the rules.
nft_sets() {
    {
        printf '%s\n' v4 v6 soft4 soft6 "$set"
        nft -t list table inet portcullis 2>/dev/null | awk '$1 == "set" { print $2 }'
    } | sed -n 's/^\(v\|soft\)\([46]\)$/\2 999 \1 \1\2/p; s/^\(v\|soft\)\([46]\)_\([0-9]\{1,3\}\)$/\2 \3 \1 \1\2_\3/p' |
        sort -u | sort -k1,1n -k2,2n -k3,3r
}

# Makes the table, or puts it in order; elements stay. The compiled firewall-drop makes the same.
nft_table() {
    low=$(cut -f 1 /proc/sys/net/ipv4/ip_local_port_range 2>/dev/null)
    low=${low:-32768}
    echo "add table inet portcullis"
    nft_sets | while read -r family _ _ name; do
        echo "add set inet portcullis $name { type ipv${family}_addr; flags timeout; size 131072; }"
    done
    for chain in soft mute; do
        echo "add chain inet portcullis $chain"
    done
    for chain in gate:prerouting input:input forward:forward output:output; do
        echo "add chain inet portcullis ${chain%:*} { type filter hook ${chain#*:} priority -310; policy accept; }"
    done
    for chain in soft mute gate input forward output; do
        echo "flush chain inet portcullis $chain"
    done
    sed 's/^ */add rule inet portcullis /' <<RULES
        soft ip frag-off & 0x1fff != 0 return
        soft frag frag-off != 0 return
        soft tcp flags & (ack | rst) != 0 return
        soft meta l4proto tcp drop
        soft udp dport < $low drop
        soft udplite dport < $low drop
        soft sctp vtag 0 drop
        soft dccp type request drop
        soft icmp type echo-request drop
        soft icmpv6 type echo-request drop
        mute tcp flags & (rst | ack) == rst drop
        mute tcp flags & (rst | ack) == (rst | ack) tcp sequence 0 drop
        mute icmp type destination-unreachable icmp code != frag-needed drop
        mute icmpv6 type destination-unreachable drop
        input tcp flags & (ack | rst) != 0 accept
        forward tcp flags & (ack | rst) == ack accept
        output tcp flags & rst == 0 accept
        output meta l4proto udp accept
RULES
    nft_sets | while read -r family length kind name; do
        header=ip
        [ "$family" = 4 ] || header=ip6
        mask=
        [ "$length" = 999 ] || mask=" & $(mask_of "$family" "$length")"
        if [ "$kind" = v ]; then
            echo "add rule inet portcullis gate $header saddr$mask @$name drop"
        else
            echo "add rule inet portcullis input $header saddr$mask @$name jump soft"
            echo "add rule inet portcullis forward $header saddr$mask @$name jump soft"
            echo "add rule inet portcullis forward $header daddr$mask @$name jump mute"
            echo "add rule inet portcullis output $header daddr$mask @$name jump mute"
        fi
    done
}

nft_drop() {
    command -v nft >/dev/null 2>&1 || die "nft is missing: install the package nftables"
    if [ "$action" = add ]; then
        if [ "$timeout" -gt 0 ]; then
            element="$address timeout ${timeout}s"
        else
            element=$address
        fi
        # One transaction with the table in order: without its rules the set blocks nobody. Older
        # kernels keep the timeout of an element that is there already, and a delete of one that is not
        # there would fail.
        {
            nft_table
            if nft get element inet portcullis "$other" "{ $address }" >/dev/null 2>&1; then
                echo "add element inet portcullis $other { $address }"
                echo "delete element inet portcullis $other { $address }"
            fi
            echo "add element inet portcullis $set { $address }"
            echo "delete element inet portcullis $set { $address }"
            echo "add element inet portcullis $set { $element }"
        } | nft -f - || die "nft cannot block $ip: is the table inet portcullis another program's?"
    else
        for each in "$set" "$other"; do
            nft get element inet portcullis "$each" "{ $address }" >/dev/null 2>&1 || continue
            nft delete element inet portcullis "$each" "{ $address }" || die "nft cannot unblock $ip"
        done
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
suffix=
if [ "$address" != "$ip" ]; then
    length=${ip#*/}
    case $length in
        *[!0-9]* | '' | 0* | ????*) die "not an IP address or network: $ip" ;;
    esac
    if [ "$family" = 4 ]; then shortest=8 longest=32; else shortest=32 longest=128; fi
    if [ "$length" -lt $shortest ] || [ "$length" -gt $longest ]; then
        die "a network of this size is not blocked: $ip"
    fi
    if [ "$length" = $longest ]; then
        ip=$address
    else
        address=$(network_of "$family" "$address" "$length") || die "not an IP address or network: $ip"
        ip=$address/$length
        suffix=_$length
    fi
fi
case ${PORTCULLIS_BLOCK:-hard} in
    hard) set=v$family$suffix other=soft$family$suffix ;;
    soft) set=soft$family$suffix other=v$family$suffix ;;
    *) die "PORTCULLIS_BLOCK is neither hard nor soft: $PORTCULLIS_BLOCK" ;;
esac
case $timeout in
    *[!0-9]* | ??????????*) die "PORTCULLIS_TIMEOUT is no number of seconds: $timeout" ;;
esac

system=$(uname)
case $system in
    Linux) nft_drop ;;
    FreeBSD)
        [ "$action" = delete ] || [ "${PORTCULLIS_BLOCK:-hard}" = hard ] ||
            echo "firewall-drop.sh: ipfw: $ip is blocked hard, soft blocks are for nftables" >&2
        ipfw_drop
        ;;
    *) die "no firewall is known for $system" ;;
esac
