#include "feed/kafka/seat_imports.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "ledger/wall_time.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t k_bytes_told_whole = 512 * 1024;   // of a dead letter; every topic with default settings takes this much
constexpr milliseconds k_between_commits{1'000};
// After this an unchanged offset is committed again: brokers forget the offsets of a group without members (offsets.retention.minutes, 7 days).
constexpr std::chrono::hours k_commit_again{1};

// The desk cannot answer now.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// When a message was written, on the steady clock.
Backlog::Timer::time_point written_at(const Received& message, Backlog::Timer::time_point now) {
  if (message.timestamp < 0) return now;
  constexpr milliseconds k_age_max = std::chrono::hours(24 * 365);   // a timestamp may be anything
  return now - std::clamp(milliseconds(wall_time() - message.timestamp), milliseconds(0), k_age_max);
}

}   // namespace

SeatImports::SeatImports(SeatsOptions options, SeatsDesk& desk, FeedBoard& board)
    : options_(std::move(options)),
      desk_(desk),
      board_(board),
      gathering_(options_.limits),
      failing_(options_.event_patience, options_.failing_max),
      loop_("kafka-seats", BackOff(k_back_off, options_.back_off_max)) {
  options_.kafka.more.try_emplace("allow.auto.create.topics", "true");
}

void SeatImports::start() {
  board_.set_seats(ConsumerState::standby);
  loop_.start({.run = [this] { run(); },
               .failed = [this](const std::exception& error) { report(error); },
               .ended =
                   [this] {
                     starting_since_.reset();
                     show_pending();
                     board_.set_seats(ConsumerState::stopped);
                   }});
}

void SeatImports::run() { board_.leads() ? consume() : stand_by(); }

void SeatImports::stand_by() {
  starting_since_.reset();
  board_.set_seats(ConsumerState::standby);
  show_pending();
  loop_.worked();   // earlier errors no longer count
  loop_.wait(k_look);
}

void SeatImports::report(const std::exception& error) {
  board_.set_seats(is_refusal(error) ? ConsumerState::refused : ConsumerState::away, error.what());
}

// ---------------------------------------------------------------------------------------------------------------- the topic

void SeatImports::consume() {
  board_.set_seats(ConsumerState::starting);
  if (!starting_since_) starting_since_ = Backlog::Timer::now();
  struct AtEnd {
    SeatImports& imports;
    ~AtEnd() {
      imports.teller_.reset();
      imports.forget();
      imports.show_pending();
    }
  } const at_end{*this};
  teller_ = std::make_unique<Teller>(options_.kafka, k_bytes_told_whole);
  Client client(Client::Kind::consumer, options_.kafka, consumer_settings(options_.group), {});
  rd_kafka_poll_set_consumer(client.get());
  assign(client, await_topic());
  starting_since_.reset();
  board_.set_seats(ConsumerState::consuming);
  while (!ends()) {
    take(client);
    give_up_overdue();
    commit(client);
    look_at_backlog(client);
    show_pending();
  }
  if (!board_.leads()) return;   // the lease's new holder starts at the committed offsets
  committed_at_ = {};
  commit(client);
}

// The number of the topic's partitions. Asking creates the topic if the brokers are configured to do so.
std::int32_t SeatImports::await_topic() {
  const auto partitions = kafka::await_topic(teller_->client(), topic(), SteadyClock::now() + k_topics_patience, [&](rd_kafka_resp_err_t) {
    if (ends()) throw WorkerLoop::RunEnded{};
    loop_.wait(k_back_off);
  });
  if (!partitions && ends()) throw WorkerLoop::RunEnded{};   // at the deadline it no longer waits
  if (!partitions) throw trouble_of("the topic " + topic(), partitions.error());
  return *partitions;
}

// Reads all partitions from the committed offsets on. No consumer joins the group: its offsets belong to the lease's holder.
void SeatImports::assign(Client& client, std::int32_t partitions) {
  const PartitionList list = new_list(static_cast<std::size_t>(partitions));
  for (std::int32_t i = 0; i < partitions; ++i) rd_kafka_topic_partition_list_add(list.get(), topic().c_str(), i);
  const auto deadline = SteadyClock::now() + k_topics_patience;
  for (;;) {
    const rd_kafka_resp_err_t error = rd_kafka_committed(client.get(), list.get(), static_cast<int>(k_question.count()));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (ends()) throw WorkerLoop::RunEnded{};
    if (SteadyClock::now() >= deadline) throw trouble_of("asking how far seats were imported", error);
    loop_.wait(k_back_off);
  }
  for (int i = 0; i < list->cnt; ++i) {
    rd_kafka_topic_partition_t& each = list->elems[i];
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) throw trouble_of("asking how far seats were imported", each.err);
    Place& place = places_[{each.topic, each.partition}];
    if (each.offset < 0) {
      each.offset = RD_KAFKA_OFFSET_BEGINNING;
    } else {
      place.committed = place.begins = each.offset;
    }
  }
  const rd_kafka_resp_err_t error = rd_kafka_assign(client.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw trouble_of("reading seats", error);
}

// Takes one message, or none if none comes for a moment.
void SeatImports::take(Client& client) {
  const Polled message = poll_consumer(client, k_look);
  const std::string trouble = client.take_trouble();
  if (message != nullptr && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    handle(received(*message));
    loop_.worked();
    board_.set_seats(ConsumerState::consuming);
    return;
  }
  if (message != nullptr && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    places_[{rd_kafka_topic_name(message->rkt), message->partition}].end = message->offset;
    return;
  }
  if (message != nullptr) throw trouble_of("reading seats", message->err);
  if (!trouble.empty()) board_.set_seats(ConsumerState::away, trouble);
  if (board_.status().seats != ConsumerState::away) return;
  if (partitions_of(client, topic(), k_question)) board_.set_seats(ConsumerState::consuming);
}

// Commits, for each partition, the offset up to the first message that waits for other parts.
void SeatImports::commit(Client& client) {
  const auto now = Backlog::Timer::now();
  if (now < committed_at_ + k_between_commits) return;
  committed_at_ = now;
  std::map<Partition, std::int64_t> done = gathering_.first_offsets();
  const PartitionList offsets = new_list(places_.size());
  for (const auto& [partition, place] : places_) {
    const std::int64_t offset = done.try_emplace(partition, place.next >= 0 ? place.next : place.committed).first->second;
    if (offset < 0 || (offset == place.committed && now < place.committed_at + k_commit_again)) continue;
    rd_kafka_topic_partition_list_add(offsets.get(), partition.first.c_str(), partition.second)->offset = offset;
  }
  if (offsets->cnt == 0) return;
  const rd_kafka_resp_err_t error = rd_kafka_commit(client.get(), offsets.get(), 0);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw trouble_of("committing offsets of seats", error);
  for (int i = 0; i < offsets->cnt; ++i) {
    Place& place = places_[{offsets->elems[i].topic, offsets->elems[i].partition}];
    place.committed = offsets->elems[i].offset;
    place.committed_at = now;
  }
}

void SeatImports::look_at_backlog(Client& client) {
  const auto now = Backlog::Timer::now();
  if (now < looked_at_backlog_ + k_between_looks) return;
  looked_at_backlog_ = now;
  for (auto& [partition, place] : places_) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto patience = static_cast<int>(k_question.count());
    if (rd_kafka_query_watermark_offsets(client.get(), partition.first.c_str(), partition.second, &low, &high, patience) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (Backlog::Timer::now() >= now + 2 * k_question) return;   // the broker does not answer: keep what is known
      continue;
    }
    note_lost(partition, place, low);
    place.backlog.done(static_cast<std::uint64_t>(std::max({place.next, place.end, low})));
    place.backlog.wanted(static_cast<std::uint64_t>(high), now);
  }
  const auto partitions = partitions_of(client, topic(), k_question);
  if (partitions && static_cast<std::size_t>(*partitions) != places_.size()) {
    throw WorkerLoop::RunEnded{};   // the topic has more partitions: the next run reads them too
  }
}

// Counts what Kafka removed before this node could read it: parts of events that were not complete.
void SeatImports::note_lost(const Partition& partition, Place& place, std::int64_t low) {
  const std::int64_t begins = std::exchange(place.begins, -1);
  if (begins < 0 || low <= begins) return;
  board_.counters.seats_lost += static_cast<std::uint64_t>(low - begins);
  spdlog::error(
      "kafka seats: Kafka no longer has the messages {} to {} of {} [{}]. Parts of events that are not imported may be lost. "
      "Have the catalogue send these events again, and let the topic keep its messages for longer",
      begins, low - 1, partition.first, partition.second);
  place.next = std::max(place.next, low);   // so that the next start does not report it again
}

void SeatImports::show_pending() {
  std::optional<Time> oldest = earlier(starting_since_, at_hand_since_);
  for (auto& [partition, place] : places_) {
    place.backlog.done(static_cast<std::uint64_t>(std::max<std::int64_t>({place.next, place.end, place.committed, 0})));
    oldest = earlier(oldest, place.backlog.oldest());
  }
  board_.set_seats_pending(oldest, gathering_.since(), gathering_.events());
}

void SeatImports::forget() {
  places_.clear();
  gathering_.clear();
  dead_.clear();
  failing_.clear();
  at_hand_since_.reset();
  committed_at_ = looked_at_backlog_ = {};
}

// ---------------------------------------------------------------------------------------------------------------- the effect of messages

// Repeats a step after an error, with growing pauses.
template <typename Step>
void SeatImports::until_done(Step step) {
  BackOff back_off(k_back_off, options_.back_off_max);
  for (;;) {
    try {
      return step();
    } catch (const std::exception& error) {
      report(error);
    }
    ++board_.counters.seats_retried;
    show_pending();
    loop_.wait(back_off.next());
    if (ends()) throw WorkerLoop::RunEnded{};
  }
}

// The message's offset may be committed after this, so this leaves nothing undone.
void SeatImports::handle(const Received& message) {
  at_hand_since_ = Backlog::Timer::now();
  until_done([&] { place(message); });
  Place& place = places_[{message.topic, message.partition}];
  place.next = std::max(place.next, message.offset + 1);
  until_done([&] { import_complete(); });
  until_done([&] { tell_dead(); });
  at_hand_since_.reset();
}

// If it throws, it has done nothing with the message.
void SeatImports::place(const Received& message) {
  if (!message.value) return give_up(message, "The message has no body.");
  if (message.value->size() > k_part_bytes_max) {
    return give_up(message, "The message has more than " + std::to_string(k_part_bytes_max) + " bytes.");
  }
  const auto part = desk_.read(*message.value);
  if (!part) return give_up(message, part.error());
  const Standing standing = desk_.standing(part->event, part->seats);
  if (standing.kind == Standing::Kind::unavailable) {
    if (must_wait(part->event, false)) throw Unavailable(standing.why);
    return give_up(message, standing.why);
  }
  failing_.note_read(part->event);
  switch (standing.kind) {
    case Standing::Kind::has_all: ++board_.counters.seats_skipped; return;
    case Standing::Kind::refused: return give_up(message, standing.why);
    default: return gather(*part, message);
  }
}

// If a part contradicts earlier ones, one of them is wrong, and no further part could complete the event. The latest part counts: a catalogue
// that has corrected its data sends the event again, and it is imported.
void SeatImports::gather(const SeatsPart& part, const Received& message) {
  const auto now = Backlog::Timer::now();
  Gathering::Added added = gathering_.add(part, message, now, written_at(message, now));
  if (added.answer == Gathering::Answer::contradicts) {
    give_up(part.event, "A later part contradicts this one: " + added.why);
    added = gathering_.add(part, message, now, written_at(message, now));
  }
  switch (added.answer) {
    case Gathering::Answer::kept: return;
    case Gathering::Answer::repeated: ++board_.counters.seats_skipped; return;
    case Gathering::Answer::refused:
    case Gathering::Answer::contradicts: return give_up(message, added.why);
    case Gathering::Answer::no_room: give_up(part.event, added.why); return give_up(message, added.why);
  }
}

// Whether to retry an event that cannot be read or created.
bool SeatImports::must_wait(const Uuid& event, bool can_be_read) {
  if (!desk_.trouble().empty()) {
    failing_.forget(event);   // nothing works at present, so its time starts when that is over
    return true;
  }
  return failing_.must_wait(event, can_be_read, Backlog::Timer::now());
}

void SeatImports::import_complete() {
  while (const auto event = gathering_.complete()) {
    const Standing standing = desk_.import(*event, gathering_.seats(*event));
    switch (standing.kind) {
      case Standing::Kind::has_all:
        board_.counters.seats_imported += gathering_.take(*event).size();
        failing_.forget(*event);
        spdlog::info("kafka seats: event {} is imported", to_string(*event));
        break;
      case Standing::Kind::refused: give_up(*event, standing.why); break;
      case Standing::Kind::absent:
      case Standing::Kind::unavailable:
        if (must_wait(*event, true)) throw Unavailable(standing.why);
        give_up(*event, standing.why);
        break;
    }
  }
}

void SeatImports::give_up_overdue() {
  while (const auto event = gathering_.overdue(Backlog::Timer::now())) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.limits.age_max).count();
    give_up(*event, "After " + std::to_string(seconds) + " s only " + gathering_.progress(*event) + " of the event have come.");
  }
  until_done([&] { tell_dead(); });
}

// Makes dead letters of all parts of the event.
void SeatImports::give_up(const Uuid& event, const std::string& why) {
  spdlog::warn("kafka seats: event {} is not imported: {}", to_string(event), why);
  for (Received& each : gathering_.take(event)) dead_.push_back({std::move(each), why});
}

void SeatImports::give_up(const Received& message, const std::string& why) { dead_.push_back({message, why}); }

// Sends dead letters, a part of them at a time: each is sent within its time, and none again because of another.
void SeatImports::tell_dead() {
  while (!dead_.empty()) {
    const std::size_t count = count_at_once(dead_);
    const auto fill = [&] {
      for (std::size_t i = 0; i < count; ++i) teller_->send_dead(dead_[i].message, dead_[i].why);
    };
    if (!teller_->tell(fill, [this] { return ends(); })) throw WorkerLoop::RunEnded{};
    board_.counters.seats_dead += count;
    dead_.erase(dead_.begin(), dead_.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

}   // namespace holdfast::feed::kafka
