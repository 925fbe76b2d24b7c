// The endpoints, by file. Each reads top-down: decode, ask, encode.
#pragma once

#include "api/call.h"

namespace holdfast::api {

// contracts/contract1.cc
Answer reserve_seat(Call& call);
Answer get_reservation(Call& call);
Answer release_seat(Call& call);

// contracts/contract2.cc
Answer tickets_lock(Call& call);
Answer tickets_unlock(Call& call);
Answer tickets_unlock_param(Call& call);

// v1/events.cc
Answer create_event(Call& call);
Answer list_events(Call& call);
Answer get_event(Call& call);
Answer change_event(Call& call);
Answer get_plan(Call& call);
Answer get_states(Call& call);

// v1/changes.cc
Answer list_event_changes(Call& call);
Answer list_changes(Call& call);
// v1/live.cc
Answer follow_event(Call& call);

// v1/seats.cc
Answer get_seat(Call& call);
Answer get_seat_history(Call& call);
Answer list_seats(Call& call);
Answer block_seats(Call& call);
Answer unblock_seats(Call& call);

// v1/reservations.cc
Answer hold_seats(Call& call);
Answer show_reservation(Call& call);
Answer list_reservations(Call& call);
Answer add_seats(Call& call);
Answer extend_reservation(Call& call);
Answer consume_reservation(Call& call);
Answer pay_for_demo(Call& call);
Answer release_reservation(Call& call);
Answer return_reservation(Call& call);

// v1/reservation_history.cc
Answer get_reservation_history(Call& call);

// v1/sessions.cc
Answer create_session(Call& call);
Answer show_session(Call& call);
Answer forget_session(Call& call);

// server_state.cc
Answer show_liveness(Call& call);
Answer show_readiness(Call& call);
Answer show_version(Call& call);
Answer show_metrics(Call& call);

// desk/operations.cc
Answer show_health(Call& call);
Answer show_series(Call& call);
Answer list_actions(Call& call);

// v1/webhooks.cc
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

// v1/server.cc
Answer show_server(Call& call);

}  // namespace holdfast::api
