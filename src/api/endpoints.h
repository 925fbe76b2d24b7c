// The endpoints, by file. Each reads top-down: decode, ask, encode.
#pragma once

#include "api/call.h"

namespace holdfast::api {

// contract1.cc
Answer reserve_seat(Call& call);
Answer get_reservation(Call& call);
Answer release_seat(Call& call);

// contract2.cc
Answer tickets_lock(Call& call);
Answer tickets_unlock(Call& call);
Answer tickets_unlock_param(Call& call);

// events.cc
Answer create_event(Call& call);
Answer list_events(Call& call);
Answer get_event(Call& call);
Answer change_event(Call& call);
Answer get_plan(Call& call);
Answer get_states(Call& call);

// changes.cc
Answer list_event_changes(Call& call);
Answer list_changes(Call& call);
// live.cc
Answer follow_event(Call& call);

// seats.cc
Answer get_seat(Call& call);
Answer get_seat_history(Call& call);
Answer list_seats(Call& call);
Answer block_seats(Call& call);
Answer unblock_seats(Call& call);

// reservations.cc
Answer hold_seats(Call& call);
Answer show_reservation(Call& call);
Answer list_reservations(Call& call);
Answer add_seats(Call& call);
Answer extend_reservation(Call& call);
Answer consume_reservation(Call& call);
Answer pay_for_demo(Call& call);
Answer release_reservation(Call& call);
Answer return_reservation(Call& call);

// reservation_history.cc
Answer get_reservation_history(Call& call);

// sessions.cc
Answer create_session(Call& call);
Answer show_session(Call& call);
Answer forget_session(Call& call);

// api.cc
Answer show_operations(Call& call);

// operations.cc
Answer show_health(Call& call);
Answer show_series(Call& call);
Answer list_actions(Call& call);

// webhooks.cc
Answer create_webhook(Call& call);
Answer list_webhooks(Call& call);
Answer get_webhook(Call& call);
Answer change_webhook(Call& call);
Answer delete_webhook(Call& call);
Answer rotate_webhook_secret(Call& call);
Answer list_dead_messages(Call& call);
Answer redeliver_dead_messages(Call& call);
Answer test_webhook(Call& call);

// embedded.cc
Answer get_embedded(Call& call);

// server.cc
Answer show_server(Call& call);

}  // namespace holdfast::api
