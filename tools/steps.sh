# Sourced by tools/check, tools/demo, tools/test and .ci/run: steps with headings, and their seconds.
# shellcheck shell=bash
steps_name='' steps_began=$SECONDS

# Begins a step. Where IMREC_STEPS names a file, the seconds of the step before are written there.
step() {
  step_ended
  steps_name=$* steps_began=$SECONDS
  printf '\n==> %s (after %d s)\n' "$*" "$SECONDS"
}

# Ends the step that runs.
step_ended() {
  [ -z "$steps_name" ] || step_took "$steps_name" $((SECONDS - steps_began))
  steps_name=''
}

# step_took NAME SECONDS: for what runs beside a step.
step_took() {
  [ -z "${IMREC_STEPS:-}" ] || printf '%6d s  %s: %s\n' "$2" "${0##*/}" "$1" >>"$IMREC_STEPS"
}

# quietly LOG COMMAND...: what the command says goes to the log, which is shown where the command fails.
quietly() {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || status=$?
  [ "$status" -eq 0 ] || cat "$log" >&2
  return "$status"
}
