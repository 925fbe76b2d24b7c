#!/usr/bin/env bash
# Builds the helm that the tests of this folder render the chart with, into build/tools. Needs Go; Debian has no package of helm.
set -euo pipefail
readonly version=v3.19.0

tools=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)/build/tools
mkdir -p "$tools"
GOBIN=$tools GOFLAGS=-mod=mod go install "helm.sh/helm/v3/cmd/helm@$version"
"$tools/helm" version
