#!/usr/bin/env bash
# The same checkout with curl: hold two seats, sell them, refund one.
#
#   examples/checkout.sh EVENT SEAT SEAT
set -euo pipefail
url=${HOLDFAST_URL:-http://localhost:50002}
event=$1 first=$2 second=$3
cart=cart-$$-$RANDOM

# post KEY PATH BODY. The key makes a retry safe, so curl may retry.
post() {
  curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused \
    -H "Content-Type: application/json" -H "Idempotency-Key: $1" -d "$3" "$url$2"
}

held=$(post "$cart-hold" /v1/reservations "{\"customerId\":\"customer-123\",\"seatIds\":[\"$first\",\"$second\"]}")
id=$(sed -E 's/^\{"id":"([^"]+)".*/\1/' <<<"$held")
echo "held $id"

post "$cart-sell" "/v1/reservations/$id/consume" '{"orderId":"order-9"}' >/dev/null
echo "sold"

post "$cart-refund" "/v1/reservations/$id/return" "{\"orderId\":\"order-9\",\"seatIds\":[\"$first\"]}" >/dev/null
echo "refunded $first"

curl --silent --show-error --fail "$url/v1/events/$event/states"
echo
