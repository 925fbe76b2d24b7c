"""client_test.py URL SEAT SEAT: what a client that openapi-python-client made does with the program."""

import sys
from http import HTTPStatus

from holdfast_client import Client
from holdfast_client.api.reservations import consume_reservation, create_reservation
from holdfast_client.models import ConsumeReservationBody, HoldConflict, HoldConflictCode, HoldSeats, Reservation, ReservationStatus

url, seat, other_seat = sys.argv[1:]
client = Client(base_url=url)


def hold(customer, seats, key):
    return create_reservation.sync_detailed(
        client=client, body=HoldSeats(customer_id=customer, seat_ids=seats), idempotency_key=key
    )


held = hold("anna", [seat], "python-1")
assert held.status_code == HTTPStatus.CREATED, held
assert isinstance(held.parsed, Reservation), held.parsed
assert held.parsed.status is ReservationStatus.ACTIVE and held.parsed.total == 45, held.parsed

refused = hold("bert", [seat, other_seat], "python-2")
assert refused.status_code == HTTPStatus.CONFLICT, refused
assert isinstance(refused.parsed, HoldConflict), refused.parsed
assert refused.parsed.code is HoldConflictCode.SEAT_UNAVAILABLE and refused.parsed.seat_ids == [seat], refused.parsed

again = hold("anna", [seat], "python-1")
assert again.status_code == HTTPStatus.CREATED and again.parsed.id == held.parsed.id, again
assert again.headers["Idempotency-Replayed"] == "true", again.headers

sold = consume_reservation.sync_detailed(held.parsed.id, client=client, body=ConsumeReservationBody(order_id="order-1"))
assert sold.status_code == HTTPStatus.OK, sold
assert sold.parsed.status is ReservationStatus.CONSUMED and sold.parsed.order_id == "order-1", sold.parsed
