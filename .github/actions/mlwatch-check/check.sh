#!/usr/bin/env bash
# The step of the action: mlwatch check with the inputs as MLWATCH_…; its exit code is the step's.
set -euo pipefail

if [ -n "${MLWATCH_INSTALL:-}" ]; then
    python -m pip install --quiet "$MLWATCH_INSTALL"
fi

check=(--format github --summary "${GITHUB_STEP_SUMMARY:-/dev/null}")
[ -z "${MLWATCH_CONFIG:-}" ] || check+=(--config "$MLWATCH_CONFIG")
[ -z "${MLWATCH_REFERENCE:-}" ] || check+=(--reference "$MLWATCH_REFERENCE")
[ -z "${MLWATCH_WAIT:-}" ] || check+=(--wait "$MLWATCH_WAIT" --until decided)
[ -z "${MLWATCH_REPORT:-}" ] || check+=(--html "$MLWATCH_REPORT")
read -r -a further <<<"${MLWATCH_ARGUMENTS:-}" # where there are none, Bash before 4.4 calls it unset: hence ${…+…}

code=0
mlwatch check "$MLWATCH_PATH" "${check[@]}" ${further[@]+"${further[@]}"} || code=$?

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
