"""The tables, as Django makes them."""

import uuid

from django.db import models


class Seat(models.Model):
    id = models.UUIDField(primary_key=True)
    section = models.CharField(max_length=64)
    row = models.CharField(max_length=64)
    number = models.CharField(max_length=64)


class Reservation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    seat = models.ForeignKey(Seat, on_delete=models.PROTECT)
    customer_id = models.CharField(max_length=256)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=16, default="active")
