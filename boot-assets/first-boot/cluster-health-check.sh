#!/bin/sh
# Checks every service of this node by its health endpoint, and the Raft quorum as far as this node sees it.
here=$(dirname "$0")
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"

HEALTH_SECONDS=${PILOTLIGHT_HEALTH_SECONDS:-120}
step=cluster-health-check
load_boot

fail() {
  report "$step" failed "$1"
  deliver_all || true
  exit 1
}

# What the health of each service must say beside being an object: fields and types, values only where they mean health.
filter_of() {
  case $1 in
  chainfire) echo '.status == "healthy" and (.raft == "leader" or .raft == "follower") and (.cluster_size | type == "number")' ;;
  flaredb) echo '.status == "healthy" and (.raft == "leader" or .raft == "follower") and .chainfire == "connected"' ;;
  iam) echo '.status == "healthy" and .database == "connected" and (.version | type == "string")' ;;
  *) echo '.status == "healthy"' ;;
  esac
}

report "$step" started
for service in $SERVICES; do
  if ! wait_for_health "$service" "$(filter_of "$service")" "$HEALTH_SECONDS"; then
    fail "$service is not healthy after $HEALTH_SECONDS s: $(last_health "$service")"
  fi
done

# Quorum: of the voters that Chainfire lists, a majority must answer as healthy members.
# shellcheck disable=SC2154
members=$(service_get "https://localhost:$PORT_chainfire$LIST_chainfire" |
  jq -r '.members[] | select(.voter) | .raft_addr | split(":")[0]') || members=
voters=0
set --
for host in $members; do
  voters=$((voters + 1))
  set -- "$@" -o "$PILOTLIGHT_RUN/voter.$voters" "https://$host:$PORT_chainfire/health"
done
healthy=0
if [ "$voters" -gt 0 ]; then
  rm -f "$PILOTLIGHT_RUN"/voter.*
  # One curl for all of them: starting it costs a small machine more than asking.
  curl -fsS --max-time 20 --connect-timeout 5 --cacert "$CA" "$@" 2>/dev/null || true
  healthy=$(cat "$PILOTLIGHT_RUN"/voter.* 2>/dev/null | jq -s '[.[] | select(.status == "healthy")] | length') || healthy=0
fi
if [ "$voters" -gt 0 ] && [ "$healthy" -lt $((voters / 2 + 1)) ]; then
  fail "no quorum: $healthy of $voters Chainfire voters answer"
fi
report "$step" succeeded '' "{\"facts\": {\"voters\": $voters, \"healthy_voters\": $healthy}}"
deliver_all
say "this node is ready"
