#!/usr/bin/env python3
"""Draws theatre.seating-plan.json: an invented theatre of some 600 seats, in the open pretix format.

    venues/theatre.py >venues/theatre.seating-plan.json

The stage is at the top. Rows are arcs round a point behind it, cut by two aisles that run straight away from it; boxes stand along
both sides of the stalls. The same every time: a seat's guid is made from its label, except for one seat in the middle of the first
row, which has the guid of the reservation contract's example, so that the example can be pasted.
"""

import json
import math
import uuid

CONTRACT_SEAT = ("Stalls", "A", "550e8400-e29b-41d4-a716-446655440002")   # its row's middle seat gets the guid
GUIDS = uuid.UUID("b1f3a6de-60cf-4d0f-8f4a-6a8f0f6f2f11")

WIDTH, HEIGHT = 1000, 740
FOCUS = (WIDTH / 2, -140)   # what all rows are drawn round
SEAT = 20                   # between two seats of a row
AISLE = 34                  # width of the two aisles
EDGE = math.radians(34)     # rows end at this angle on both sides
AISLES = math.radians(12)   # the aisles' middle

CATEGORIES = [
    {"name": "Premium", "color": "#B3262E", "price": 95},
    {"name": "Stalls", "color": "#E07A3F", "price": 68},
    {"name": "Circle", "color": "#2F6DB5", "price": 54},
    {"name": "Box", "color": "#7A4FA3", "price": 80},
    {"name": "Balcony", "color": "#3B8F6B", "price": 32.5},
]


def at(radius, angle):
    """The point at this distance from the focus; angle 0 is straight down, away from the stage."""
    return FOCUS[0] + radius * math.sin(angle), FOCUS[1] + radius * math.cos(angle)


def arc(radius):
    """The seats of one row, from left to right: as many as fit between the edges and the aisles, each block centred."""
    half_aisle = AISLE / 2 / radius
    blocks = [(-EDGE, -AISLES - half_aisle), (-AISLES + half_aisle, AISLES - half_aisle), (AISLES + half_aisle, EDGE)]
    step = SEAT / radius
    for begin, end in blocks:
        count = int((end - begin) / step) + 1
        first = (begin + end) / 2 - step * (count - 1) / 2
        for i in range(count):
            yield at(radius, first + i * step)


def tier(name, letters, radius, pitch, category_of):
    return name, [(letter, list(arc(radius + i * pitch)), category_of(letter)) for i, letter in enumerate(letters)]


def box(number, side, radius):
    """Two rows of two chairs beside the stalls, turned to the stage. Side is -1 (left) or 1."""
    x, y = at(radius, side * EDGE)
    across = (math.cos(EDGE), -side * math.sin(EDGE))    # along a row, from left to right
    away = (side * math.sin(EDGE), math.cos(EDGE))       # from the stage
    x, y = x + side * 62 * across[0], y + side * 62 * across[1]
    rows = []
    for i, letter in enumerate("AB"):
        seats = [(x + s * across[0] + i * 22 * away[0], y + s * across[1] + i * 22 * away[1]) for s in (-10, 10)]
        rows.append((letter, seats, "Box"))
    return f"Box {number}", rows


def theatre():
    yield tier("Stalls", "ABCDEFGHJKL", 300, 24, lambda row: "Premium" if row in "BCDEFG" else "Stalls")
    yield tier("Circle", "ABCDE", 614, 26, lambda row: "Circle")
    for i in range(4):
        yield box(i + 1, -1, 325 + i * 60)
    for i in range(4):
        yield box(i + 5, 1, 325 + i * 60)
    yield tier("Balcony", "ABC", 800, 26, lambda row: "Balcony")


def tenths(point):
    """Coordinates are kept to one decimal; in whole tenths until they are written, so that the parts add up exactly."""
    return round(point[0] * 10), round(point[1] * 10)


def position(point, origin=(0, 0)):
    def number(t):
        return t // 10 if t % 10 == 0 else t / 10
    return {"x": number(point[0] - origin[0]), "y": number(point[1] - origin[1])}


def corner(points):
    return min(x for x, _ in points), min(y for _, y in points)


def plan():
    zones = []
    for zone, rows in theatre():
        rows = [(letter, [tenths(seat) for seat in seats], category) for letter, seats, category in rows]
        zone_at = corner([seat for _, seats, _ in rows for seat in seats])
        zone_rows = []
        for letter, seats, category in rows:
            row_at = corner(seats)
            zone_rows.append({"row_number": letter, "position": position(row_at, zone_at), "seats": [
                {
                    "seat_guid": guid(zone, letter, i + 1, len(seats)),
                    "seat_number": str(i + 1),
                    "position": position(seat, row_at),
                    "category": category,
                }
                for i, seat in enumerate(seats)
            ]})
        zones.append({"name": zone, "position": position(zone_at), "rows": zone_rows})
    return {"name": "Theatre", "categories": CATEGORIES, "size": {"width": WIDTH, "height": HEIGHT}, "zones": zones}


def guid(zone, row, number, count):
    if (zone, row) == CONTRACT_SEAT[:2] and number == (count + 1) // 2:
        return CONTRACT_SEAT[2]
    return str(uuid.uuid5(GUIDS, f"{zone}-{row}-{number}"))


def main():
    """One line a row: it can be read, and a change of one row is a change of one line."""
    text = plan()
    zones = text.pop("zones")
    print(json.dumps(text)[:-1] + ', "zones": [')
    for i, zone in enumerate(zones):
        rows = zone.pop("rows")
        print(json.dumps(zone)[:-1] + ', "rows": [')
        print(",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
        print("]}" + ("," if i + 1 < len(zones) else ""))
    print("]}")


if __name__ == "__main__":
    main()
