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
  [ "$backend" != legacy ] || share_lock
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

# All users of iptables-legacy on a host must share one lock file. It is reached through dockerd's own root
# (pid: host): mounting it would leave a folder in its place on hosts that never had the file.
share_lock() {
  [ -z "${XTABLES_LOCKFILE-}" ] || return 0
  own=$(readlink /proc/self/ns/net)
  for process in /proc/[0-9]*; do
    [ "$(cat "$process/comm" 2>/dev/null)" = dockerd ] || continue
    [ "$(readlink "$process/ns/net" 2>/dev/null)" = "$own" ] || continue
    export XTABLES_LOCKFILE="$process/root/run/xtables.lock"
    return 0
  done
}

# --- What the kernel offers, tried in an empty network namespace -------------------------------------------

set_types() {
  cat <<'END'
hash:ip,port,ip timeout 9 counters comment
hash:net timeout 9 comment
hash:net,iface comment
list:set
END
}

# The kernel module, the table, a rule that needs it; `probe` is a set of type hash:ip,port,ip.
rules() {
  cat <<'END'
xt_comment|filter|-m comment --comment probe -j RETURN
xt_conntrack|mangle|-m conntrack --ctstate ESTABLISHED --ctdir REPLY -j RETURN
xt_connmark|mangle|-m connmark --mark 0x1/0xff -j CONNMARK --set-xmark 0x2/0xff
xt_mark|mangle|-m mark --mark 0x1/0x1 -j RETURN
xt_set|mangle|-m set --match-set probe dst,dst,src -j RETURN
xt_set|mangle|-j SET --add-set probe src,dst,dst
xt_hashlimit|raw|-m hashlimit --hashlimit-above 9/sec --hashlimit-mode srcip --hashlimit-name probe -j DROP
xt_addrtype|nat|-m addrtype --dst-type LOCAL -j RETURN
xt_NFQUEUE|mangle|-j NFQUEUE --queue-num 0
xt_REDIRECT|nat|-p udp -m udp --dport 53 -j REDIRECT --to-ports 5053
END
}

probe_kernel() {
  backend=$1
  export XTABLES_LOCKFILE=/dev/null
  set_types | while read -r type options; do
    # shellcheck disable=SC2086 # options are several words
    ipset create "probe-$type" "$type" $options >/dev/null 2>&1 ||
      fail 71 "the kernel lacks sets of type $type; run modprobe $(module_of "$type") on the host, or use a kernel that has it"
  done
  ipset create probe hash:ip,port,ip timeout 9
  rules | while IFS='|' read -r module table rule; do
    accepts "$table" "$rule" ||
      fail 71 "the kernel lacks $module, tried with iptables-$backend; run modprobe $module on the host, or use a kernel that has it"
  done
}

accepts() {
  printf '*%s\n-A %s %s\nCOMMIT\n' "$1" "$(hook_of "$1")" "$2" | "iptables-$backend-restore" --noflush >/dev/null 2>&1
}

# A hook that the table has and the rule may stand in.
hook_of() { if [ "$1" = filter ]; then echo INPUT; else echo PREROUTING; fi; }

module_of() {
  case $1 in
    list:set) echo ip_set_list_set ;;
    *) echo "ip_set_$(echo "$1" | tr : _ | tr -d ,)" ;;
  esac
}

main "$@"
