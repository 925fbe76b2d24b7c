"""Sends POST /reservations in rounds: one request on each connection, then all answers are read. Every request is for another seat of the plan that
make_plan.awk writes. For counting what a request costs the server, not for measuring how fast it is.

    python3 rounds.py PORT CONNECTIONS REQUESTS FIRST_SEAT
"""
import socket
import sys


def request(seat):
    body = '{"seatId": "%08x-0000-4000-8000-%012x", "customerId": "customer-%07d"}' % (seat, seat, seat)
    return ("POST /reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
            "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode()


port, count, requests, seat = map(int, sys.argv[1:])
connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
while requests > 0:
    round_ = connections[:requests]
    for connection in round_:
        seat += 1
        connection.sendall(request(seat))
    for connection in round_:
        answer = connection.recv(4096)
        if not answer.startswith(b"HTTP/1.1 201 "):
            sys.exit("seat %d and before: %r" % (seat, answer))
    requests -= len(round_)
