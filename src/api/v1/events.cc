// /v1/events: creating, listing and changing events, their plans and states (docs/api.md).
#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <memory>

#include <openssl/evp.h>

#include "api/access.h"
#include "api/background.h"
#include "api/endpoints.h"
#include "api/pages.h"
#include "api/presence.h"
#include "api/shared_texts.h"
#include "api/text_sink.h"
#include "api/v1/event_reader.h"
#include "api/v1/members.h"
#include "core/check.h"
#include "core/limits.h"
#include "json/fields.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_time_text_bytes_max = 64;
constexpr std::size_t k_status_text_bytes_max = 16;
constexpr std::size_t k_seats_worth_compressing = 16;
constexpr std::size_t k_states_head_bytes = 128;   // of the text of states: all but the letters
constexpr std::size_t k_seats_copied_each_ms = 100'000;   // of a busy event's states, for readers
constexpr std::size_t k_states_passing_bytes = std::size_t{16} * 1024 * 1024;   // beyond it, states are copied ten times a second at most
constexpr std::size_t k_states_worth_sharing = 16'384;   // seats; the connection copies smaller answers into its buffer anyway

// How many seats of something are in each state: the member `counts`.
struct Tally {
  std::array<std::size_t, 4> by_state{};   // available, held, sold, blocked
  void add(char letter) { ++by_state[letter == 'a' ? 0 : letter == 'h' ? 1 : letter == 's' ? 2 : 3]; }
  void append(Json& json) const {
    json.object("counts", [&] {
      json.member("total", by_state[0] + by_state[1] + by_state[2] + by_state[3]);
      json.member("available", by_state[0]);
      json.member("held", by_state[1]);
      json.member("sold", by_state[2]);
      json.member("blocked", by_state[3]);
    });
  }
};

// The limits as the caller sees them: a visitor sees the limit for visitors if that is smaller.
EventLimits limits_for(const Call& call, EventLimits limits) {
  const std::uint32_t most = call.services.access.held_seats_max(call.caller);
  if (most == 0) return limits;
  std::uint32_t& held = limits.held_seats_per_customer;
  held = held == 0 ? most : std::min(held, most);
  return limits;
}

// `not_taken`: only in the answer to the creation of an event from a plan.
void append_event(const Call& call, Json& json, const PublishedEvent& event, const NotTaken* not_taken = nullptr) {
  const Millis now = call.ledger().now();
  const EventSettings settings = event.settings();
  const EventLimits limits = limits_for(call, settings.limits);
  const Plan& plan = *event.plan();
  const auto states = event.states(now);
  Tally all;
  std::vector<Tally> by_section(plan.sections().size());
  std::vector<Tally> by_category(plan.categories().size());
  for (const RowSegment& segment : plan.segments()) {
    for (SeatIndex seat = segment.first; seat < segment.first + segment.count; ++seat) {
      const char letter = states->states[seat];
      all.add(letter);
      by_section[segment.section].add(letter);
      by_category[plan.category_of(seat)].add(letter);
    }
  }
  json.object([&] {
    json.member("id", to_string(event.card().id));
    json.member("name", settings.name);
    json.member("status", name_of(settings.status));
    json.member_or_null("startsAt", settings.starts_at == 0 ? "" : rfc3339(settings.starts_at));
    json.member("venue", event.card().venue);
    json.member_or_null("currency", event.card().currency);
    json.member("holdSeconds", settings.hold_seconds);
    json.member("maxHoldSeconds", settings.max_hold_seconds);
    json.object("limits", [&] {
      json.member("seatsPerReservation", limits.seats_per_reservation);
      json.member("heldSeatsPerCustomer", limits.held_seats_per_customer);
    });
    json.member("planVersion", 1);
    json.member("seq", states->seq);
    all.append(json);
    json.array("sections", [&] {
      for (std::size_t i = 0; i < by_section.size(); ++i) {
        json.object([&] {
          json.member("name", plan.sections()[i]);
          by_section[i].append(json);
        });
      }
    });
    json.array("categories", [&] {
      for (std::size_t i = 0; i < by_category.size(); ++i) {
        json.object([&] {
          append_category(json, plan.categories()[i]);
          by_category[i].append(json);
        });
      }
    });
    if (not_taken != nullptr) not_taken->append(json);
  });
}

void answer_event(Call& call, unsigned status, const PublishedEvent& event, const NotTaken* not_taken = nullptr) {
  Json json = begin_json(call, status);
  append_event(call, json, event, not_taken);
}

// Turns the ledger's words into a sentence: "An event with the id … already exists."
std::string sentence_of(const CreationProblem& problem) {
  std::string sentence = problem.what + ".";
  if (sentence.front() >= 'a' && sentence.front() <= 'z') sentence.front() = static_cast<char>(sentence.front() - 'a' + 'A');
  return sentence;
}

void answer_problem(Call& call, const CreationProblem& problem) {
  switch (problem.kind) {
    case CreationProblem::Kind::event_exists: return fail(call, {409, "event_exists", sentence_of(problem)});
    case CreationProblem::Kind::seat_exists:
      return fail(call, {409, "seat_exists", sentence_of(problem) + " No event was created.", problem.seat_ids});
    case CreationProblem::Kind::too_many_events: return fail(call, {409, "limit_exceeded", sentence_of(problem)});
    case CreationProblem::Kind::key_reused: return fail(call, {422, "idempotency_key_reused", sentence_of(problem)});
    case CreationProblem::Kind::too_many_keys: return fail(call, {503, k_unavailable, sentence_of(problem)});
    case CreationProblem::Kind::unavailable: return fail(call, unavailable());
    case CreationProblem::Kind::no_room: return fail(call, no_room(false));
    case CreationProblem::Kind::incomplete: return fail(call, {503, k_unavailable, sentence_of(problem)});
  }
}

Uuid id_of(const Fingerprint& fingerprint) {
  Uuid id;
  std::ranges::copy(fingerprint, id.begin());
  id.data[6] = static_cast<std::uint8_t>((id.data[6] & 0x0F) | 0x80);
  id.data[8] = static_cast<std::uint8_t>((id.data[8] & 0x3F) | 0x80);
  return id;
}

// Answers a request with a key whose event exists already. If this request created the event, finishes what an interruption left undone and
// answers again. If not, refuses.
Answer answer_again(Call& call, const Uuid& id, const IdempotencyKey& key, EventStatus status, const ReadEvent& read) {
  if (!co_await bring_event(call, id)) co_return;
  const auto number = call.ledger().event_by_id(id);
  const auto event = number ? call.ledger().event(*number) : nullptr;
  if (event == nullptr) co_return fail(call, {409, "event_exists", "Another request is creating this event at the moment."});
  Submission submission{.parts = {}, .key = key};
  submission.parts.push_back({*number, Configure{}});   // changes nothing and keeps no key, but finds out what the key stands for
  const auto verdict = co_await call.gateway.ask(std::move(submission));
  if (!verdict) co_return fail(call, busy());
  if (!verdict->accepted()) co_return fail(call, fault_of(verdict->outcomes.front()));
  if (!verdict->replayed) co_return fail(call, {409, "event_exists", "An event with the id " + to_string(id) + " already exists."});
  std::expected<bool, CreationProblem> was_whole = true;
  if (!read.taken.empty()) {
    co_await call.services.background.run([&] { was_whole = call.services.engine.finish_event(*number, status, read.taken, key); });
  }
  if (!was_whole) co_return answer_problem(call, was_whole.error());
  if (*was_whole) mark_replayed(call, *verdict);
  call.event = id;
  call.response.headers.emplace_back("Location", "/v1/events/" + to_string(id));
  answer_event(call, 201, *event, read.has_plan ? &read.not_taken : nullptr);
}

// SHA-256 of a body that arrives in parts: the meaning of the request, which an Idempotency-Key stands for.
class BodyDigest {
 public:
  BodyDigest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    HOLDFAST_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(std::string_view part) { HOLDFAST_CHECK(EVP_DigestUpdate(context_.get(), part.data(), part.size()) == 1); }
  std::string bytes() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HOLDFAST_CHECK(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1);
    return {reinterpret_cast<const char*>(digest), size};
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

// Clients that read slowly hold as many bytes of large answers as the server keeps in memory.
Fault too_much_is_read() { return {503, k_unavailable, "Too many large answers are being sent at the moment. Try again in a moment."}; }

void answer_shared(Call& call, const SharedTexts::Text& text) {
  if (text == nullptr) {
    call.response.headers.clear();
    call.services.access.cors().mark(call.request, call.response);
    return fail(call, too_much_is_read());
  }
  begin_json(call);
  call.response.shared_body = {*text, text};
}

std::string plan_text(const PublishedEvent& event, bool compressed) {
  const Plan& plan = *event.plan();
  TextSink sink(compressed);
  Json json(sink.part());
  const auto seats = static_cast<SeatIndex>(plan.size());
  const auto column = [&](std::string_view name, auto append) {
    json.array(name, [&] {
      for (SeatIndex seat = 0; seat < seats; ++seat) {
        append(seat);
        sink.part_done();
      }
    });
  };
  const auto coordinate = [&](float value) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
    json.raw({text, static_cast<std::size_t>(end - text)});
  };
  // A segment has one section and one row for all of its seats.
  std::vector<std::uint32_t> section_of(seats);
  std::vector<std::uint32_t> row_of(seats);
  for (const RowSegment& segment : plan.segments()) {
    std::fill_n(section_of.begin() + segment.first, segment.count, segment.section);
    std::fill_n(row_of.begin() + segment.first, segment.count, segment.row);
  }
  json.object([&] {
    json.member("eventId", to_string(event.card().id));
    json.member("planVersion", 1);
    json.member("size", plan.size());
    json.texts("sections", plan.sections());
    json.texts("names", plan.names());
    json.array("categories", plan.categories(), [&](const Category& category) { json.object([&] { append_category(json, category); }); });
    json.object("seats", [&] {
      column("id", [&](SeatIndex seat) { json.text(plan.seat_id(seat)); });
      column("section", [&](SeatIndex seat) { json.number(section_of[seat]); });
      column("row", [&](SeatIndex seat) { json.number(row_of[seat]); });
      column("number", [&](SeatIndex seat) { json.text(plan.number_of(seat)); });
      column("category", [&](SeatIndex seat) { json.number(plan.category_of(seat)); });
      column("x", [&](SeatIndex seat) { coordinate(plan.x_of(seat)); });
      column("y", [&](SeatIndex seat) { coordinate(plan.y_of(seat)); });
    });
  });
  return sink.finish();
}

std::string states_text(const PublishedEvent& event, const StatesReading& reading) {
  std::string out;
  out.reserve(reading.states.size() + k_states_head_bytes);
  Json json(out);
  json.object([&] {
    json.member("eventId", to_string(event.card().id));
    json.member("planVersion", 1);
    json.member("seq", reading.seq);
    json.member("states");
    json.raw("\"");
    out.append(reading.states).append(1, '"');   // letters, so nothing is to be escaped
  });
  return out;
}

std::string version_of(Seq seq) { return "1-" + std::to_string(seq); }

// How long after the last copy of an event's states the next may be made. A copy keeps changes waiting, so large events are copied less often.
// Readers of older copies that are slow must not fill the memory with them.
Millis between_copies(const Call& call, const PublishedEvent& event) {
  if (call.services.texts.passing_bytes() >= k_states_passing_bytes) return PublishedEvent::k_states_age_max;
  return std::min(static_cast<Millis>(event.seat_count() / k_seats_copied_each_ms), PublishedEvent::k_states_age_max);
}

// The states as of change `least` or a later one. Waits, with the others who ask, if the next copy may not be made yet.
boost::asio::awaitable<std::shared_ptr<const StatesReading>> read_states(const Call& call, const PublishedEvent& event, Seq least) {
  for (;;) {
    const auto reading = event.states_since(least, call.ledger().now(), between_copies(call, event));
    if (reading) co_return *reading;
    boost::asio::steady_timer next_copy(co_await boost::asio::this_coro::executor, std::chrono::milliseconds(reading.error()));
    co_await next_copy.async_wait(boost::asio::use_awaitable);
  }
}

// Writes a page of events after number `after`. False if one of them cannot be read at the moment.
bool append_events(Call& call, Json& json, std::size_t limit, std::uint64_t after) {
  if (!call.ledger().bring({.list_of_events = true})) return false;
  std::optional<EventNumber> next;
  bool all = true;
  json.object([&] {
    json.array("items", [&] {
      EventNumber last = 0;
      std::size_t shown = 0;
      for (const EventNumber number : call.ledger().events()) {
        if (number <= after) continue;
        const auto event = event_of_item(call.ledger(), number);
        if (event != nullptr && !is_there(call, *event)) continue;
        if (shown == limit || call.response.body.size() >= k_page_bytes_max) {
          next = last;
          break;
        }
        all = all && event != nullptr;
        if (event != nullptr) append_event(call, json, *event);
        last = number;
        ++shown;
      }
    });
    json.member_or_null("nextCursor", next ? std::to_string(*next) : "");
  });
  return all;
}

}   // namespace

// The answer to an event's text with mistakes.
Fault fault_of_text(const Mistakes& mistakes) {
  Fault fault{400, k_invalid_request, mistakes.summary()};
  Json json(fault.members);
  mistakes.append(json);
  return fault;
}

// POST /v1/events. Reads the body as it arrives. A million seats take some seconds, during which the thread serves other requests.
Answer create_event(Call& call) {
  if (!check_content_type(call, true)) co_return;
  EventReader reader(EventReader::Root::event, {});
  BodyDigest digest;
  for (;;) {
    const std::string_view part = co_await call.request.read_body();
    if (part.empty()) break;
    digest.add(part);
    if (!reader.feed(part)) co_return fail(call, fault_of_text(reader.finish().error()));
  }
  std::optional<IdempotencyKey> key;
  if (!read_key(call, digest.bytes(), key)) co_return;
  std::expected<ReadEvent, Mistakes> read = std::unexpected(Mistakes{});
  std::expected<EventNumber, CreationProblem> created = 0;
  Uuid id{};
  EventStatus status{};
  co_await call.services.background.run([&] {
    read = reader.finish();
    if (!read) return;
    // Without an id in the body, the key decides the event's id, so that a repeat finds the event.
    if (key && !reader.has_id()) read->event.card.id = id_of(key->key);
    id = read->event.card.id;
    status = read->event.settings.status;
    created = call.services.engine.create_event(std::move(read->event), {}, key, read->taken);
  });
  if (!read) co_return fail(call, fault_of_text(read.error()));
  if (!created && key && created.error().kind == CreationProblem::Kind::event_exists) {
    co_await answer_again(call, id, *key, status, *read);
    co_return;
  }
  if (!created) co_return answer_problem(call, created.error());
  const auto published = call.ledger().event(*created);
  call.event = published->card().id;
  call.response.headers.emplace_back("Location", "/v1/events/" + to_string(published->card().id));
  answer_event(call, 201, *published, read->has_plan ? &read->not_taken : nullptr);
}

// GET /v1/events
Answer list_events(Call& call) {
  const auto page = read_page(call);
  if (!page) co_return;
  const auto after = number_of(*page, UINT64_MAX);
  if (!after) co_return fail(call, fault_of(ReadProblem{ReadProblem::Kind::bad_cursor}));
  Json json = begin_json(call);
  // Counting the seats of many events would keep this thread from its other connections.
  bool all = false;
  co_await call.services.background.run([&] { all = append_events(call, json, page->limit, *after); });
  if (!all) fail(call, fault_of(ReadProblem{ReadProblem::Kind::unavailable}));
}

// GET /v1/events/{eventId}
Answer get_event(Call& call) {
  if (const auto event = find_event(call)) answer_event(call, 200, *event);
  co_return;
}

// The members of an event that PATCH can change, and those that it cannot.
constexpr std::initializer_list<std::string_view> k_changeable = {
    "name", "startsAt", "holdSeconds", "maxHoldSeconds", "limits.seatsPerReservation", "limits.heldSeatsPerCustomer", "status"};
constexpr std::string_view k_as_created = "it is fixed when the event is created";
constexpr std::string_view k_counted = "the server counts it";
constexpr std::initializer_list<FixedMember> k_fixed = {
    {"id", "it names the event"},  {"venue", k_as_created}, {"currency", k_as_created}, {"categories", k_as_created},
    {"sections", k_as_created},    {"seats", k_as_created}, {"plan", k_as_created},     {"keepIds", k_as_created},
    {"planVersion", k_as_created}, {"counts", k_counted},   {"seq", k_counted},
};

// The change that a PATCH asks for, unless `fields` has found a problem.
Configure read_change(FieldReader& fields) {
  Configure change;
  if (const auto name = fields.text("name", k_name_bytes_max)) {
    change.name = *name;
    if (const auto problem = check_event_name(*name)) fields.reject("name", *problem);
  }
  if (const auto time = fields.text("startsAt", k_time_text_bytes_max)) {
    change.starts_at = parse_rfc3339(*time);
    if (!change.starts_at) fields.reject("startsAt", "must be a time in the format of RFC 3339");
  }
  change.hold_seconds = fields.whole("holdSeconds", 1, k_hold_seconds_max);
  change.max_hold_seconds = fields.whole("maxHoldSeconds", 1, k_hold_seconds_max);
  if (const auto status = fields.text("status", k_status_text_bytes_max)) {
    change.status = event_status_named(*status);
    if (!change.status) fields.reject("status", "must be draft, on_sale or closed");
  }
  FieldReader limits = fields.inside("limits");
  if (const auto seats = limits.whole("seatsPerReservation", 1, k_seats_per_reservation_max)) {
    change.seats_per_reservation = static_cast<std::uint32_t>(*seats);
  }
  if (const auto seats = limits.whole("heldSeatsPerCustomer", 0, k_held_seats_per_customer_max)) {
    change.held_seats_per_customer = static_cast<std::uint32_t>(*seats);
  }
  return change;
}

// PATCH /v1/events/{eventId}. Each member is checked here. Whether the settings fit together is judged with those that hold by then.
Answer change_event(Call& call) {
  if (!check_content_type(call, true)) co_return;
  const auto event = find_event(call);
  if (event == nullptr) co_return;
  BodyReader body(call, Required::yes, k_changeable, k_fixed);
  Configure change = read_change(body.fields());
  if (!body.is_good()) co_return;
  Submission submission = call.submission();
  if (!read_key(call, call.request.body, submission.key)) co_return;
  submission.parts.push_back({event->card().number, std::move(change)});
  const auto verdict = co_await call.gateway.ask(std::move(submission));
  if (!verdict) co_return fail(call, busy());
  if (!verdict->accepted()) co_return fail(call, fault_of(verdict->outcomes.front()));
  mark_replayed(call, *verdict);
  answer_event(call, 200, *event);
}

// GET /v1/events/{eventId}/plan
Answer get_plan(Call& call) {
  const auto event = find_event(call);
  if (event == nullptr) co_return;
  call.response.headers.emplace_back("Cache-Control", is_draft(*event) ? "no-store" : "public, max-age=31536000, immutable");
  call.response.headers.emplace_back("Vary", "Accept-Encoding");
  const bool compressed = accepts_gzip(call.request) && event->seat_count() >= k_seats_worth_compressing;
  if (has_already(call, "plan-1", compressed)) co_return;
  const auto kind = compressed ? SharedTexts::Kind::plan_gzip : SharedTexts::Kind::plan;
  const auto make = [event, compressed] { return plan_text(*event, compressed); };
  const auto text = co_await call.services.texts.get({event->card().number, kind}, event->plan(), make, call.services.background);
  if (text != nullptr && compressed) call.response.headers.emplace_back("Content-Encoding", "gzip");
  answer_shared(call, text);
}

// GET /v1/events/{eventId}/states
Answer get_states(Call& call) {
  const auto event = find_event(call);
  if (event == nullptr) co_return;
  call.response.headers.emplace_back("Cache-Control", is_draft(*event) ? "no-store" : "no-cache");
  const Seq seq = event->seq();   // has every change that was answered before this request came
  if (names_version(call.request, version_of(seq))) {
    has_already(call, version_of(seq));
    co_return;
  }
  const auto reading = co_await read_states(call, *event, seq);
  if (has_already(call, version_of(reading->seq))) co_return;
  const auto make = [&] { return states_text(*event, *reading); };
  if (reading->states.size() >= k_states_worth_sharing) {
    answer_shared(call, call.services.texts.get_now({event->card().number, SharedTexts::Kind::states}, reading, make));
    co_return;
  }
  begin_json(call);
  call.response.body = make();
}

}   // namespace holdfast::api
