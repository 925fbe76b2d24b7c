// /v1/sessions: makes a visitor's browser a customer (docs/api.md).
#include "api/access.h"
#include "api/endpoints.h"
#include "api/query.h"
#include "api/v1/members.h"
#include "ledger/wall_time.h"

namespace holdfast::api {
namespace {

void answer_session(Call& call, unsigned status, const Session& session) {
  Json json = begin_uncached_json(call, status);
  json.object([&] {
    json.member("customerId", session.customer);
    json.member("expiresAt", rfc3339(session.expires_at));
  });
}

}  // namespace

// POST /v1/sessions. Renews the session of a visitor who has one, up to its customer's longest life.
Answer create_session(Call& call) {
  AccessControl& access = call.services.access;
  if (!takes_nothing(call)) co_return;
  const auto old = access.session_of(call.request);
  if (old ? !access.take_request_of(call, old->customer) : !access.take_new_session(call)) co_return;
  const auto longer = old ? access.renewed(*old, wall_time()) : std::nullopt;
  const Session session = longer ? *longer : access.new_session();
  call.response.headers.emplace_back("Set-Cookie", access.cookie_of(session));
  answer_session(call, 201, session);
}

// GET /v1/sessions
Answer show_session(Call& call) {
  if (!Query::read(call, {}) || !takes_nothing(call)) co_return;
  const auto session = call.services.access.session_of(call.request);
  if (!session) {
    call.response.headers.emplace_back("WWW-Authenticate", "Bearer");
    co_return fail(call, {401, k_unauthorized, "There is no session, or it has expired. POST /v1/sessions creates one."});
  }
  if (!call.services.access.take_request_of(call, session->customer)) co_return;
  answer_session(call, 200, *session);
}

// DELETE /v1/sessions. The browser forgets its session. A copy of the token stays valid until it expires.
Answer forget_session(Call& call) {
  if (!takes_nothing(call)) co_return;
  call.response.status = 204;
  call.response.headers.emplace_back("Set-Cookie", call.services.access.no_cookie());
}

}  // namespace holdfast::api
