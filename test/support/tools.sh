#!/bin/sh
# What the kernel tests run on the machine itself, in network namespaces of their own; installs what is missing.
set -eu

missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }

need ip iproute2
need iptables-nft iptables
need ipset ipset
need nft nftables
need conntrack conntrack
need unshare util-linux
[ -z "$missing" ] || {
  apt-get update -qq
  # shellcheck disable=SC2086 # several words
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
