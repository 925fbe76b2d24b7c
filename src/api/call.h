// What an endpoint works with: the request, the answer, and the services behind them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/caller.h"
#include "api/gateway.h"
#include "core/submission.h"
#include "http/server.h"
#include "json/json.h"
#include "ledger/ledger.h"

namespace holdfast {
class LiveHub;
}

namespace holdfast::feed {
class Webhooks;
}

namespace holdfast::api {

class AccessControl;
class BackgroundPool;
class Health;
class Metrics;
class OperatorLog;
class ServerState;
class SharedTexts;
class Watch;

// The part of the API that a route belongs to. It decides which form errors take.
enum class Group { contract1, contract2, v1, operations };

struct Call;

struct Services {
  Ledger& ledger;
  Engine& engine;
  Metrics& metrics;
  BackgroundPool& background;
  SharedTexts& texts;
  Watch& watch;
  LiveHub& live;
  feed::Webhooks& webhooks;
  AccessControl& access;
  Health& health;
  OperatorLog& operators;
  ServerState& state;
  bool demo;   // there is a demo payment
};

struct Call {
  Services& services;
  Gateway& gateway;
  http::Request& request;
  http::Response& response;
  Group group = Group::operations;
  std::span<const std::string> parameters;   // of the path, decoded
  Caller caller{};
  std::string_view code{};   // why the call was refused, for the log, spans and statistics; empty: it was not. fail() sets it
  unsigned status_for_metrics = 0;   // what metrics count instead of the answer's status; 0: they count the answer's
  std::optional<Uuid> event{};         // what the call is about, for the log and spans: as its path says, or what it created
  std::optional<Uuid> reservation{};

  Ledger& ledger() const { return services.ledger; }
  // An empty submission, with the request's trace if it has one.
  Submission submission() const;
};

using Answer = boost::asio::awaitable<void>;

// ---- answers

// Begins an answer in JSON; the caller writes its value. `status` is 200 or 201.
Json begin_json(Call& call, unsigned status = 200);
// The same for an answer that no cache may keep.
Json begin_uncached_json(Call& call, unsigned status = 200);

// ---- errors

// Retry-After of a 503, in seconds: of what may be over in a moment, of a full disk, and of what an operator has to mend first.
inline constexpr unsigned k_retry_soon = 1;
inline constexpr unsigned k_retry_when_room = 10;   // freed space is used within a second, and customers are waiting
inline constexpr unsigned k_retry_when_mended = 60;

struct Fault {
  unsigned status;
  std::string_view code;   // static storage
  std::string detail;
  std::vector<std::string> seat_ids{};   // if seats are the reason
  std::string members{};                 // further members of a problem, as JSON: `"a":1,"b":2`
  unsigned retry_after = k_retry_soon;   // of a 503
};

// Writes the error in the form of the call's group: problem+json, or contract 2's own. A 503 gets Retry-After.
void fail(Call& call, const Fault& fault);

// The same for a malformed request (400 `invalid_request`). Returns nothing, for functions that return what they read.
std::nullopt_t malformed(Call& call, std::string detail);

// The same for a request that the HTTP server refused before there was a call.
void write_fault(const Fault& fault, Group group, std::string_view path, http::Response& response);

// Codes that many endpoints answer with.
inline constexpr std::string_view k_invalid_request = "invalid_request";
inline constexpr std::string_view k_not_found = "not_found";
inline constexpr std::string_view k_unavailable = "unavailable";
inline constexpr std::string_view k_no_room = "no_room";

Fault busy();          // the queue is full
Fault unavailable();   // the ledger cannot write
Fault no_room(bool comes_soon);   // the journal has no room for what grows
// The record of a reservation that ended long ago is damaged.
Fault unreadable(const Uuid& reservation);
// The fault for a refusal, without the ids of its seats. `outcome` must not be accepted.
Fault fault_of(const Outcome& outcome);

// ---- requests

// Whether the Content-Type is application/json. If not, the answer is there (415). `required`: the header must not be absent.
bool check_content_type(Call& call, bool required);

// Reads the Idempotency-Key header. False if it is malformed; then the answer is there (400). `request` is the meaning of the request, in a
// form that is the same for equal requests.
bool read_key(Call& call, std::string_view request, std::optional<IdempotencyKey>& key);
// Adds the header that says that an answer is a repeat, if it is.
void mark_replayed(Call& call, const Verdict& verdict);

}   // namespace holdfast::api
