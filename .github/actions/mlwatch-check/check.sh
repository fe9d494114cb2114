#!/usr/bin/env bash
# The step of the action: mlwatch check with the inputs as MLWATCH_…; its exit code is the step's.
set -euo pipefail

if [ -n "${MLWATCH_INSTALL:-}" ]; then
    python -m pip install --quiet "$MLWATCH_INSTALL"
fi

common=() # where it is empty, Bash before 4.4 calls it unset: hence ${…+…}
[ -z "${MLWATCH_CONFIG:-}" ] || common+=(--config "$MLWATCH_CONFIG")
[ -z "${MLWATCH_REFERENCE:-}" ] || common+=(--reference "$MLWATCH_REFERENCE")

check=(${common[@]+"${common[@]}"} --format github --summary "${GITHUB_STEP_SUMMARY:-/dev/null}")
[ -z "${MLWATCH_WAIT:-}" ] || check+=(--wait "$MLWATCH_WAIT" --until decided)
read -r -a further <<<"${MLWATCH_ARGUMENTS:-}"

code=0
mlwatch check "$MLWATCH_PATH" "${check[@]}" ${further[@]+"${further[@]}"} || code=$?

if [ -n "${MLWATCH_REPORT:-}" ] && [ "$code" -ne 2 ]; then
    mlwatch report "$MLWATCH_PATH" ${common[@]+"${common[@]}"} --format html --output "$MLWATCH_REPORT" || code=$?
fi

case "$code" in
    0) outcome=pass ;;
    1) outcome=fail ;;
    3) outcome=hold ;;
    *) outcome=error ;;
esac
{
    echo "outcome=$outcome"
    echo "exit-code=$code"
} >>"${GITHUB_OUTPUT:-/dev/null}"

if [ "$outcome" = hold ] && [ "${MLWATCH_HOLD:-fail}" = pass ]; then
    exit 0
fi
exit "$code"
