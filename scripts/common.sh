# shellcheck shell=bash disable=SC2034,SC2154
# Functions and package lists of scripts/run, scripts/lab and scripts/test. Sourced by bash; the caller
# sets `set -euo pipefail`.

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build_packages=(g++ cmake ninja-build pkg-config libpugixml-dev libpcre2-dev libpcap-dev libmnl-dev
    libfmt-dev libcli11-dev libexpected-dev nlohmann-json3-dev libcap-ng-dev libsystemd-dev libc-ares-dev
    libseccomp-dev libedit-dev)
run_packages=(nftables iproute2 util-linux procps passwd)
lab_packages=(nmap iputils-ping)
test_packages=(git clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 catch2 libbenchmark-dev python3
    man-db shellcheck nmap masscan hping3 traceroute iputils-ping openssh-server openssh-client)

# Programs of active-response/ that are compiled; its scripts are found by their names.
compiled_responders=(firewall-drop)

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] || die "this needs root (packet capture, firewall, packages): run it with sudo"
}

install_now() {
    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# without_service_starts COMMAND…: runs the command while packages cannot start services. The policy
# file is removed in every case. A file that a killed run left behind is recognised by its second line.
policy_file=${PORTCULLIS_POLICY_FILE:-/usr/sbin/policy-rc.d}
policy_mark='# made by the scripts of Portcullis while they install packages'
without_service_starts() (
    if [ ! -e "$policy_file" ] || grep -qxF "$policy_mark" "$policy_file"; then
        trap 'rm -f "$policy_file"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        trap 'exit 129' HUP
        printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy_file"
        chmod 755 "$policy_file"
    fi
    "$@"
)

# install_packages PACKAGE...: installs the missing packages, without questions and without starting
# services.
install_packages() {
    local missing=() package
    for package in "$@"; do
        # A package counts as installed only in state "ii".
        dpkg-query -W -f '${db:Status-Abbrev}\n' "$package" 2>/dev/null | grep -q '^ii' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "missing packages, and there is no apt-get here: ${missing[*]}"
    need_root
    say "installing: ${missing[*]}"
    # Services (the sshd of the tests) are installed with their start denied.
    local log status=0
    log=$(mktemp)
    without_service_starts install_now "${missing[@]}" >"$log" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        tail -n 20 "$log" >&2
        die "apt-get could not install them (full output: $log)"
    fi
    rm -f "$log"
}

# build PRESET [CMAKE-ARGUMENT...]: configures and builds; if build_target is set, only that target.
# The output is shown only if the build fails.
build() {
    local preset=$1 log
    shift
    log=$(mktemp)
    say "building ($preset) …"
    if ! { (cd "$source_dir" && cmake --preset "$preset" "$@" &&
        cmake --build --preset "$preset" ${build_target:+--target "$build_target"}); } \
        >"$log" 2>&1; then
        grep -E 'error|Error|FAILED' -A5 "$log" | head -n 60 >&2 || true
        die "the build failed (full output: $log)"
    fi
    rm -f "$log"
}

# Creates the users of the daemons. The engine's user may request responses from execd, so the sensor,
# which reads packets of attackers, has another user.
ensure_users() {
    local user
    for user in portcullis portcullis-sensor; do
        getent passwd "$user" >/dev/null ||
            useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
                --user-group "$user" || die "cannot create the user $user"
    done
    # The engine reads logs that the group adm may read.
    if getent group adm >/dev/null; then
        usermod -a -G adm portcullis || die "cannot let the user portcullis read logs (group adm)"
    fi
}

# require_safe_folder DIR: dies if another user could replace files that root writes to DIR or runs from
# DIR. DIR and every folder above it must belong to root. DIR must not be writable by others; a folder
# above it may be if it is sticky.
require_safe_folder() {
    local folder uid mode
    folder=$(realpath -- "$1") || die "no such folder: $1"
    while :; do
        read -r uid mode < <(stat -c '%u %a' "$folder")
        [ "$uid" -eq 0 ] || die "$folder does not belong to root, so its owner could run programs as root: choose another home, or chown it"
        if [ $((0$mode & 0022)) -ne 0 ] && { [ $((0$mode & 01000)) -eq 0 ] || [ "$folder" = "$(realpath -- "$1")" ]; }; then
            die "$folder can be written to by others, who could run programs as root: choose another home, or chmod go-w it"
        fi
        [ "$folder" != / ] || return 0
        folder=$(dirname "$folder")
    done
}

# fill_home DIR IPLOG_LOG IPLOG_CONF: copies the shipped configuration and the built responders to a home.
# Existing configuration is never changed; responders are always replaced by the built ones.
fill_home() {
    local home=$1 iplog_log=$2 iplog_conf=$3 file
    # The engine's user must be able to read the folder logs to notice rotations at once.
    install -d -m 755 "$home" "$home"/{etc,decoders,rules,active-response,active-response/bin,run,logs}
    for file in decoders/iplog_decoders.xml rules/iplog_rules.xml; do
        [ -e "$home/$file" ] || install -m 644 "$source_dir/$file" "$home/$file"
    done
    [ -e "$iplog_conf" ] || install -m 644 "$source_dir/etc/iplog.conf" "$iplog_conf"
    if [ ! -e "$home/etc/ossec.conf" ]; then
        sed -E "s#<(location|from_file)>/var/log/iplog</#<\1>$iplog_log</#" \
            "$source_dir/etc/ossec.conf" >"$home/etc/ossec.conf"
        chmod 644 "$home/etc/ossec.conf"
    fi
    install -m 755 "${compiled_responders[@]/#/$bin/}" "$source_dir"/active-response/*.sh "$home/active-response/bin/"
}
