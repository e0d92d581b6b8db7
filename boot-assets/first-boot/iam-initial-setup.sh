#!/bin/sh
# Creates IAM's first administrator, once per cluster. The password comes from the server's gate and is in no argument,
# log or report; the server keeps it, sealed, and hands it to the operator once. A machine whose role runs no IAM skips.
here=${0%/*}
[ "$here" != "$0" ] || here=.
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"
# shellcheck source=boot-assets/first-boot/health.sh
. "$here/health.sh"

HEALTH_SECONDS=${PILOTLIGHT_HEALTH_SECONDS:-120}
step=iam-initial-setup
load_boot
# Whatever way this script ends, the password does not stay.
trap 'rm -f "$PILOTLIGHT_RUN/gate-$step.json"' EXIT

report "$step" started
if runs_here iam; then
  wait_for_health "$step" "$HEALTH_SECONDS" iam ||
    step_failed "$step" "nothing was sent: IAM is not healthy after $HEALTH_SECONDS s: $health_word: $health_why"
fi
pass_gate "$step" ''
if [ "$gate_action" = setup ]; then
  path=$(setting SETUP iam)
  [ -n "$path" ] || step_failed "$step" "nothing was sent: endpoint-not-found: the cluster's settings name no set-up endpoint of IAM"
  # 409: it was set up already, by an earlier try whose answer was lost.
  answer=$(jq -c '.secret | {admin_user, admin_password}' "$GATE" | service_post "https://localhost:$(setting PORT iam)$path")
  rm -f "$GATE" "$PILOTLIGHT_RUN/service.answer"
  case $answer in
  200 | 201 | 409) ;;
  404 | 405) step_failed "$step" "endpoint-not-found: $path answered $answer" ;;
  *) step_failed "$step" "$path answered $answer" ;;
  esac
fi
step_succeeded "$step" "$gate_action" "\"slot_no\": $gate_slot, \"epoch\": $gate_epoch"
