"""POST /reservations: one transaction that locks the seat's row, looks whether somebody holds the seat, and inserts the reservation."""

import json
import uuid
from datetime import timedelta

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from cart.models import Reservation, Seat

HOLD_TIME = timedelta(minutes=15)
CUSTOMER_LENGTH_MAX = 256


class Taken(Exception):
    pass


def health(request):
    return HttpResponse()


@require_POST
def reservations(request):
    try:
        wanted = json.loads(request.body)
        seat_id, customer = uuid.UUID(wanted["seatId"]), wanted["customerId"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return refusal(400, "the body must be JSON with seatId, a UUID, and customerId")
    if not isinstance(customer, str) or not customer.strip() or len(customer) > CUSTOMER_LENGTH_MAX:
        return refusal(400, "customerId must have 1 to 256 characters")
    try:
        reservation = reserve(seat_id, customer)
    except Seat.DoesNotExist:
        return refusal(404, f"Seat {seat_id} not found")
    except Taken:
        return refusal(409, f"Seat {seat_id} is reserved")
    body = {
        "reservationId": reservation.id,
        "seatId": seat_id,
        "customerId": customer,
        "expiresAt": reservation.expires_at,
        "status": reservation.status,
    }
    return JsonResponse(body, status=201, headers={"Location": f"/reservations/{reservation.id}"})


@transaction.atomic
def reserve(seat_id, customer):
    seat = Seat.objects.select_for_update().get(pk=seat_id)  # other buyers of this seat wait here
    now = timezone.now()
    if Reservation.objects.filter(seat=seat, status="active", expires_at__gt=now).exists():
        raise Taken
    return Reservation.objects.create(seat=seat, customer_id=customer, created_at=now, expires_at=now + HOLD_TIME)


def refusal(status, detail):
    return JsonResponse({"status": status, "detail": detail}, status=status, content_type="application/problem+json")
