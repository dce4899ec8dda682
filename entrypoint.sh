#!/bin/sh
# Before the daemon starts: choose the iptables variant, and say in one sentence what this container or host lacks. Other
# commands need none of this.
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
    *) run "$@" ;; # The daemon reports the bad value.
  esac
  export DOCKERWALL_BACKEND="$backend"
  # In a separate network namespace, which ends with the probe and leaves no trace on the host.
  ! has_capability "$sys_admin" || unshare --net -- "$0" --probe-kernel "$backend"
  run "$@"
}

# New objects are collected after 4 MB, not 16, as in the data plane (src/planes/link.ts), so that memory is given back. Old
# ones are when they are half as much again as what was alive, not four times as much: 225 MB after 20,000 names without,
# 163 with it, for no more CPU (`npm run bench -- memory`). SIGUSR1 must not open the debugger: any user of the host could
# connect to it, and be root.
run() { exec node --disable-sigusr1 --max-semi-space-size=4 --heap-growing-percent=50 /app/dist/main.js "$@"; }

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

# The variant that holds Docker's own chains; nft if both or neither hold them and the kernel has nft.
choose_backend() {
  if ! iptables-nft-save >/dev/null 2>&1; then
    echo legacy
  elif [ "$(docker_chains nft)" -eq 0 ] && [ "$(docker_chains legacy)" -gt 0 ]; then
    echo legacy
  else
    echo nft
  fi
}

# Ours, which begin alike, may be left in a variant that the engine has since moved out of.
docker_chains() { "iptables-$1-save" 2>/dev/null | sed '/^:DOCKERWALL-/d' | grep -c '^:DOCKER' || true; }

# --- What the kernel offers, tried in an empty network namespace -------------------------------------------
# All at once, and one by one only if that is refused: a quick start matters more than a quick failure. The daemon itself
# tries the table inside containers, as nothing else in this image can write one.

# Generated from the rules and sets (src/core/firewall/rules/probe.ts). test/unit/docs/entrypoint.test.ts compares it, and
# rewrites it with UPDATE_PROBE=1.
# BEGIN PROBE
# Module of the kernel, and what to create.
sets() {
  cat <<'END'
ip_set_hash_netiface|dockerwall-guarded4 hash:net,iface family inet hashsize 1024 maxelem 65536 comment
ip_set_hash_net|dockerwall-ranges4 hash:net family inet hashsize 64 maxelem 65536 timeout 0 comment
ip_set_hash_ipportip|dockerwall-grant4 hash:ip,port,ip family inet hashsize 16384 maxelem 1048576 timeout 0 counters comment
ip_set_hash_ipportip|dockerwall-pair4 hash:ip,port,ip family inet hashsize 16384 maxelem 1048576 timeout 0 comment
ip_set_hash_ipportip|dockerwall-denied4 hash:ip,port,ip family inet hashsize 4096 maxelem 262144 timeout 86400 counters comment
ip_set_hash_netport|dockerwall-host4 hash:net,port family inet hashsize 1024 maxelem 1048576 comment
ip_set_hash_ipportnet|dockerwall-resolver4 hash:ip,port,net family inet hashsize 64 maxelem 65536 comment
ip_set_list_set|dockerwall-open4 list:set size 64
ip_set_hash_netiface|dockerwall-guarded6 hash:net,iface family inet6 hashsize 1024 maxelem 65536 comment
ip_set_hash_net|dockerwall-ranges6 hash:net family inet6 hashsize 64 maxelem 65536 timeout 0 comment
ip_set_hash_ipportip|dockerwall-grant6 hash:ip,port,ip family inet6 hashsize 16384 maxelem 1048576 timeout 0 counters comment
ip_set_hash_ipportip|dockerwall-pair6 hash:ip,port,ip family inet6 hashsize 16384 maxelem 1048576 timeout 0 comment
ip_set_hash_ipportip|dockerwall-denied6 hash:ip,port,ip family inet6 hashsize 4096 maxelem 262144 timeout 86400 counters comment
ip_set_hash_netport|dockerwall-host6 hash:net,port family inet6 hashsize 1024 maxelem 1048576 comment
ip_set_hash_ipportnet|dockerwall-resolver6 hash:ip,port,net family inet6 hashsize 64 maxelem 65536 comment
END
}

# Module of the kernel, table, chain and rule.
rules4() {
  cat <<'END'
table|raw|PREROUTING|-j RETURN
table|mangle|FORWARD|-j RETURN
table|nat|PREROUTING|-j RETURN
table|filter|INPUT|-j RETURN
xt_mark|raw|PREROUTING|-m mark ! --mark 0x0/0xc0000000 -j RETURN
xt_comment|raw|PREROUTING|-m comment --comment "seen at a port" -j RETURN
xt_set|raw|PREROUTING|-m set --match-set dockerwall-guarded4 src,src -j RETURN
xt_set|raw|PREROUTING|-m set --match-set dockerwall-ranges4 src -j RETURN
ipt_rpfilter|raw|PREROUTING|-m rpfilter --invert -j RETURN
xt_addrtype|raw|PREROUTING|-m addrtype --dst-type LOCAL -j RETURN
xt_mark|raw|PREROUTING|-m mark --mark 0x40000000 -j RETURN
xt_mark|raw|PREROUTING|-j MARK --set-xmark 0x0/0x10000000
xt_tcpudp|raw|PREROUTING|-p udp -m udp --dport 53 -j RETURN
xt_tcpudp|raw|PREROUTING|-p tcp -m tcp --dport 53 --tcp-flags FIN,SYN,RST,ACK SYN -j RETURN
xt_NFQUEUE|raw|PREROUTING|-j NFQUEUE --queue-num 5355 --queue-bypass
xt_mark|raw|PREROUTING|-j MARK --set-xmark 0x0/0xffffffff
xt_set|raw|PREROUTING|-m set --match-set dockerwall-resolver4 dst,dst,src -j RETURN
xt_length|raw|PREROUTING|-m length --length 129:65535 -j RETURN
xt_hashlimit|raw|PREROUTING|-m hashlimit --hashlimit-above 300/sec --hashlimit-burst 600 --hashlimit-mode srcip --hashlimit-name dockerwall-dns4-300-600 --hashlimit-htable-size 16384 --hashlimit-htable-max 65536 --hashlimit-htable-expire 10000 -j RETURN
xt_connmark|mangle|FORWARD|-m connmark --mark 0x1000000/0xf000000 -j RETURN
xt_conntrack|mangle|FORWARD|-m conntrack --ctstate NEW,ESTABLISHED --ctstatus CONFIRMED -j RETURN
xt_conntrack|mangle|FORWARD|-m conntrack --ctstate ESTABLISHED -j RETURN
xt_connmark|mangle|FORWARD|-j CONNMARK --set-xmark 0x8000000/0xf000000
xt_addrtype|mangle|FORWARD|-m addrtype --src-type LOCAL -j RETURN
xt_conntrack|mangle|FORWARD|-m conntrack --ctstate ESTABLISHED --ctdir REPLY -j RETURN
xt_NFQUEUE|mangle|FORWARD|-j NFQUEUE --queue-num 5353
xt_connlimit|mangle|FORWARD|-m connlimit --connlimit-above 8192 --connlimit-mask 32 --connlimit-saddr -j RETURN
xt_set|mangle|FORWARD|-j SET --add-set dockerwall-denied4 src,dst,dst
xt_conntrack|mangle|INPUT|-m conntrack --ctstate DNAT --ctorigdstport 53 -j RETURN
xt_owner|mangle|OUTPUT|-m owner --uid-owner 0 -j RETURN
xt_pkttype|nat|PREROUTING|-m pkttype ! --pkt-type unicast -j RETURN
xt_REDIRECT|nat|PREROUTING|-p udp -j REDIRECT --to-ports 5053
ipt_REJECT|filter|OUTPUT|-p udp -j REJECT --reject-with icmp-admin-prohibited
END
}

rules6() {
  cat <<'END'
table|raw|PREROUTING|-j RETURN
table|mangle|FORWARD|-j RETURN
table|nat|PREROUTING|-j RETURN
table|filter|INPUT|-j RETURN
xt_mark|raw|PREROUTING|-m mark ! --mark 0x0/0xc0000000 -j RETURN
xt_comment|raw|PREROUTING|-m comment --comment "seen at a port" -j RETURN
xt_set|raw|PREROUTING|-m set --match-set dockerwall-guarded6 src,src -j RETURN
xt_set|raw|PREROUTING|-m set --match-set dockerwall-ranges6 src -j RETURN
ip6t_rpfilter|raw|PREROUTING|-m rpfilter --invert -j RETURN
xt_addrtype|raw|PREROUTING|-m addrtype --dst-type LOCAL -j RETURN
ip6t_icmp6|raw|PREROUTING|-p ipv6-icmp -m icmp6 --icmpv6-type 134 -j RETURN
xt_CT|raw|PREROUTING|-j CT --notrack
xt_mark|raw|PREROUTING|-m mark --mark 0x40000000 -j RETURN
xt_mark|raw|PREROUTING|-j MARK --set-xmark 0x0/0x10000000
xt_tcpudp|raw|PREROUTING|-p udp -m udp --dport 53 -j RETURN
xt_tcpudp|raw|PREROUTING|-p tcp -m tcp --dport 53 --tcp-flags FIN,SYN,RST,ACK SYN -j RETURN
xt_NFQUEUE|raw|PREROUTING|-j NFQUEUE --queue-num 5355 --queue-bypass
xt_mark|raw|PREROUTING|-j MARK --set-xmark 0x0/0xffffffff
xt_set|raw|PREROUTING|-m set --match-set dockerwall-resolver6 dst,dst,src -j RETURN
xt_length|raw|PREROUTING|-m length --length 129:65535 -j RETURN
xt_hashlimit|raw|PREROUTING|-m hashlimit --hashlimit-above 300/sec --hashlimit-burst 600 --hashlimit-mode srcip --hashlimit-name dockerwall-dns6-300-600 --hashlimit-htable-size 16384 --hashlimit-htable-max 65536 --hashlimit-htable-expire 10000 -j RETURN
xt_connmark|mangle|FORWARD|-m connmark --mark 0x1000000/0xf000000 -j RETURN
xt_conntrack|mangle|FORWARD|-m conntrack --ctstate NEW,ESTABLISHED --ctstatus CONFIRMED -j RETURN
xt_conntrack|mangle|FORWARD|-m conntrack --ctstate ESTABLISHED -j RETURN
xt_connmark|mangle|FORWARD|-j CONNMARK --set-xmark 0x8000000/0xf000000
xt_addrtype|mangle|FORWARD|-m addrtype --src-type LOCAL -j RETURN
xt_conntrack|mangle|FORWARD|-m conntrack --ctstate ESTABLISHED --ctdir REPLY -j RETURN
xt_NFQUEUE|mangle|FORWARD|-j NFQUEUE --queue-num 5353
xt_connlimit|mangle|FORWARD|-m connlimit --connlimit-above 8192 --connlimit-mask 128 --connlimit-saddr -j RETURN
xt_set|mangle|FORWARD|-j SET --add-set dockerwall-denied6 src,dst,dst
xt_hl|mangle|INPUT|-m hl --hl-eq 255 -j RETURN
xt_conntrack|mangle|INPUT|-m conntrack --ctstate DNAT --ctorigdstport 53 -j RETURN
xt_owner|mangle|OUTPUT|-m owner --uid-owner 0 -j RETURN
xt_pkttype|nat|PREROUTING|-m pkttype ! --pkt-type unicast -j RETURN
xt_REDIRECT|nat|PREROUTING|-p udp -j REDIRECT --to-ports 5053
ip6t_REJECT|filter|OUTPUT|-p udp -j REJECT --reject-with icmp6-adm-prohibited
END
}
# END PROBE

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
  probe_rules 4 "iptables-$backend"
  lacks_ipv6 "ip6tables-$backend" || probe_rules 6 "ip6tables-$backend"
}

# As with ipv6.disable=1: there is nothing to guard then, and no module would help.
lacks_ipv6() {
  [ ! -e /proc/net/if_inet6 ] || "$1" -S 2>&1 | grep -q 'Address family not supported'
}

# The sets stay, as rules name them.
probe_sets() {
  ! sets | sed 's/^[^|]*|/create /' | quietly ipset restore || return 0
  sets | while IFS='| ' read -r module name type options; do
    # shellcheck disable=SC2086 # options are several words
    quietly ipset -exist create "$name" "$type" $options ||
      fail 71 "the kernel lacks sets of type $type; run modprobe $module on the host, or use a kernel that has it"
  done
}

probe_rules() {
  ! "rules$1" | as_tables | quietly "$2-restore" --noflush || return 0
  "rules$1" | while IFS='|' read -r module table hook rule; do
    echo "$module|$table|$hook|$rule" | as_tables | quietly "$2-restore" --noflush || {
      [ "$module" != table ] || module=$(table_module "$1" "$table")
      fail 71 "the kernel lacks $module, tried with $2; run modprobe $module on the host, or use a kernel that has it"
    }
  done
}

as_tables() {
  while IFS='|' read -r _ table hook rule; do
    printf '*%s\n-A %s %s\nCOMMIT\n' "$table" "$hook" "$rule"
  done
}

quietly() { "$@" >/dev/null 2>&1; }

main "$@"
