#!/bin/sh
# cluster-join.sh --service chainfire|flaredb
# Founds the service's cluster, joins it, or resumes, as the server's gate says. Harmless when it runs again.
here=$(dirname "$0")
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"

HEALTH_SECONDS=${PILOTLIGHT_HEALTH_SECONDS:-180}
MEMBER_SECONDS=120

if [ "${1:-}" != --service ] || { [ "${2:-}" != chainfire ] && [ "${2:-}" != flaredb ]; }; then
  say "usage: cluster-join.sh --service chainfire|flaredb"
  exit 2
fi
service=$2
step=$service-cluster-join
load_boot
port=0 found_path='' join_path=''
eval "port=\$PORT_$service found_path=\$FOUND_$service join_path=\$JOIN_$service"
data_dir=${PILOTLIGHT_DATA:-/var/lib}/$service
marker_file=$data_dir/.pilotlight-marker
raft_port=$((port + 1))

fail() {
  report "$step" failed "$1"
  deliver_all || true
  exit 1
}

report "$step" started
if ! wait_for_health "$service" '.status == "healthy"' "$HEALTH_SECONDS"; then
  fail "nothing was sent: $service is not healthy after $HEALTH_SECONDS s: $(last_health "$service")"
fi

# join_or_found   does what the gate said; 0 when the service has taken it.
join_or_found() {
  case $gate_action in
  resume | skip) return 0 ;;
  found)
    # No founding endpoint: the service's own start with this configuration is the founding.
    [ -n "$found_path" ] || return 0
    target=https://localhost:$port$found_path
    answer=$(jq -nc --arg c "$CLUSTER_ID" --arg m "$gate_member" --arg r "$RAFT_HOST:$raft_port" \
      '{cluster_id: $c, member_id: $m, raft_addr: $r}' | service_post "$target")
    ;;
  join)
    [ -n "$join_path" ] || fail "nothing was sent: endpoint-not-found: the cluster's settings name no join endpoint of $service"
    target=$gate_leader$join_path
    answer=$(jq -nc --arg i "$gate_member" --arg n "$NODE_ID" --arg r "$RAFT_HOST:$raft_port" --argjson v "$gate_voter" \
      '{id: $i, name: $n, raft_addr: $r, voter: $v}' | service_post "$target")
    ;;
  esac
  case $answer in
  200 | 201 | 409) return 0 ;;
  404 | 405) fail "endpoint-not-found: $target answered $answer" ;;
  *) return 1 ;;
  esac
}

tries=0
while :; do
  pass_gate "$step" "$(cat "$marker_file" 2>/dev/null || true)"
  if join_or_found; then break; fi
  tries=$((tries + 1))
  [ "$tries" -lt 10 ] || fail "$target answered $answer $tries times: $(head -c 120 "$PILOTLIGHT_RUN/service.error" 2>/dev/null || true)"
  # The gate is asked again: the leader may be another one by now.
  report "$step" progress "$target answered $answer, trying again"
  sleep $((tries < 5 ? tries * 2 : 10))
done

if ! wait_for_health "$service" '.raft == "leader" or .raft == "follower"' "$MEMBER_SECONDS"; then
  fail "$service took the $gate_action but is no member after $MEMBER_SECONDS s: $(last_health "$service")"
fi
mkdir -p "$data_dir"
printf '%s:%s:%s' "$CLUSTER_ID" "$gate_epoch" "$gate_member" >"$marker_file"
report "$step" succeeded '' "$(jq -c --argjson slot "$gate_slot" --argjson epoch "$gate_epoch" \
  '{slot_no: $slot, epoch: $epoch, facts: {raft: .raft, cluster_size: (.cluster_size // 0)}}' "$PILOTLIGHT_RUN/health.$service")"
deliver_all
