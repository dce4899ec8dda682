#!/bin/sh
# Before the daemon starts: choose the iptables variant, and say in one sentence what this container or this
# host lacks. Other commands need none of it.
set -eu

main() {
  case ${1-} in
    daemon) ;;
    --probe-kernel)
      probe_kernel "$2"
      exit
      ;;
    *) run "$@" ;;
  esac
  for argument; do
    case $argument in --help | -h) run "$@" ;; esac
  done
  check_privilege
  backend=$(backend_of "$@")
  case $backend in
    auto) backend=$(choose_backend) ;;
    nft | legacy) ;;
    *) run "$@" ;; # The daemon says what is wrong with it.
  esac
  export DOCKERWALL_BACKEND="$backend"
  # In a network namespace of its own, which ends with the probe: no trace on the host.
  ! has_capability "$sys_admin" || unshare --net -- "$0" --probe-kernel "$backend"
  run "$@"
}

run() { exec node /app/dist/main.js "$@"; }

fail() {
  printf 'dockerwall: %s\n' "$2" >&2
  exit "$1"
}

# Numbers of capability bits, linux/capability.h.
net_admin=12
net_raw=13
sys_admin=21

has_capability() {
  effective=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
  [ $(((0x$effective >> $1) & 1)) -eq 1 ]
}

check_privilege() {
  if ! has_capability "$net_admin" || ! has_capability "$net_raw"; then
    fail 77 'no right to change the firewall (CAP_NET_ADMIN, CAP_NET_RAW); give the container the capabilities of compose.example.yml, or "privileged: true"'
  fi
}

# What the user chose, by flag or environment.
backend_of() {
  chosen=${DOCKERWALL_BACKEND:-auto}
  while [ $# -gt 0 ]; do
    case $1 in
      --backend=*) chosen=${1#*=} ;;
      --backend) chosen=${2-} ;;
    esac
    shift
  done
  echo "$chosen"
}

# The variant in which Docker keeps its own chains; nft where both or neither have them, and the kernel has nft.
choose_backend() {
  if ! iptables-nft-save >/dev/null 2>&1; then
    echo legacy
  elif [ "$(docker_chains nft)" -eq 0 ] && [ "$(docker_chains legacy)" -gt 0 ]; then
    echo legacy
  else
    echo nft
  fi
}

docker_chains() { "iptables-$1-save" 2>/dev/null | grep -c '^:DOCKER' || true; }

# --- What the kernel offers, tried in an empty network namespace -------------------------------------------
# All at once, and one by one only when that is refused: to start quickly matters more than to fail quickly.
# The table inside of containers is tried by the daemon itself, for nothing in this image but it can write one.

# Type and options of every kind of set.
sets() {
  for family in inet inet6; do
    cat <<END
hash:ip,port,ip family $family timeout 9 counters comment
hash:net family $family timeout 9 comment
hash:net,port family $family comment
hash:net,iface family $family comment
END
  done
  echo list:set
}

# $1 is 4 or 6. The kernel module, the table, a rule that needs it; `probe4` and `probe6` are sets of type hash:ip,port,ip.
rules() {
  for table in filter mangle raw nat; do echo "$(table_module "$1" "$table")|$table|-j RETURN"; done
  cat <<END
xt_comment|filter|-m comment --comment probe -j RETURN
xt_tcpudp|filter|-p tcp -m tcp --dport 53 -j RETURN
xt_conntrack|mangle|-m conntrack --ctstate ESTABLISHED --ctdir REPLY -j RETURN
xt_conntrack|mangle|-m conntrack --ctstate DNAT --ctorigdstport 53 -j RETURN
xt_connmark|mangle|-m connmark --mark 0x1/0xff -j CONNMARK --set-xmark 0x2/0xff
xt_mark|mangle|-m mark --mark 0x1/0x1 -j MARK --set-xmark 0x0/0x1
xt_set|mangle|-m set --match-set probe$1 dst,dst,src -j SET --add-set probe$1 src,dst,dst
xt_CT|raw|-j CT --notrack
xt_hashlimit|raw|-m hashlimit --hashlimit-above 9/sec --hashlimit-mode srcip --hashlimit-name probe$1 -j DROP
xt_connlimit|mangle|-m connlimit --connlimit-above 9 --connlimit-mask 32 --connlimit-saddr -j DROP
xt_addrtype|nat|-m addrtype --dst-type LOCAL -j RETURN
xt_owner|mangle|-m owner --uid-owner 0 -j RETURN
xt_NFQUEUE|mangle|-j NFQUEUE --queue-num 0
xt_REDIRECT|nat|-p udp -m udp --dport 53 -j REDIRECT --to-ports 5053
xt_REJECT|filter|-p tcp -j REJECT --reject-with tcp-reset
END
  [ "$1" -eq 4 ] || cat <<END
ip6_tables|raw|-p ipv6-icmp -m icmp6 --icmpv6-type 134 -j DROP
xt_hl|mangle|-p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j RETURN
END
}

table_module() {
  case $backend-$2-$1 in
    nft-nat-*) echo nft_chain_nat ;;
    nft-*) echo nf_tables ;;
    *-4) echo "iptable_$2" ;;
    *) echo "ip6table_$2" ;;
  esac
}

probe_kernel() {
  backend=$1
  export XTABLES_LOCKFILE=/dev/null
  probe_sets
  ipset create probe4 hash:ip,port,ip family inet timeout 9
  ipset create probe6 hash:ip,port,ip family inet6 timeout 9
  probe_rules 4 "iptables-$backend"
  probe_rules 6 "ip6tables-$backend"
}

probe_sets() {
  ! sets | numbered | quietly ipset restore || return 0
  sets | while read -r type options; do
    # shellcheck disable=SC2086 # options are several words
    quietly ipset create one "$type" $options ||
      fail 71 "the kernel lacks sets of type $type; run modprobe $(module_of "$type") on the host, or use a kernel that has it"
    ipset destroy one
  done
}

numbered() {
  number=0
  while read -r set; do
    number=$((number + 1))
    echo "create all-$number $set"
  done
}

probe_rules() {
  ! rules "$1" | as_tables | quietly "$2-restore" --noflush || return 0
  rules "$1" | while IFS='|' read -r module table rule; do
    echo "$module|$table|$rule" | as_tables | quietly "$2-restore" --noflush ||
      fail 71 "the kernel lacks $module, tried with $2; run modprobe $module on the host, or use a kernel that has it"
  done
}

as_tables() {
  while IFS='|' read -r _ table rule; do
    printf '*%s\n-A %s %s\nCOMMIT\n' "$table" "$(hook_of "$table" "$rule")" "$rule"
  done
}

# A hook that the table has and the rule may stand in.
hook_of() {
  case "$1 $2" in
    *"-m owner "*) echo OUTPUT ;;
    filter*) echo INPUT ;;
    *) echo PREROUTING ;;
  esac
}

quietly() { "$@" >/dev/null 2>&1; }

module_of() {
  case $1 in
    list:set) echo ip_set_list_set ;;
    *) echo "ip_set_$(echo "$1" | tr : _ | tr -d ,)" ;;
  esac
}

main "$@"
