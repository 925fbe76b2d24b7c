#!/usr/bin/env bash
# compile.sh CLIENT DOCUMENT: generates the client's types from the OpenAPI document and compiles client, tests and examples.
set -euo pipefail
cd "$1"
mkdir -p src/generated
HOLDFAST_OPENAPI=$2 npm run --silent generate
rm -rf dist
node ../../node_modules/typescript/bin/tsc -p tsconfig.json
node ../../node_modules/typescript/bin/tsc -p tsconfig.examples.json
