#include "feed/kafka/seat_imports.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace holdfast::feed::kafka {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds k_look{200};              // for messages; a stop is noticed in between
constexpr milliseconds k_back_off{100};
constexpr milliseconds k_question{1'000};
constexpr milliseconds k_topics_patience{10'000};
constexpr std::size_t k_bytes_told_whole = 512 * 1024;   // a topic takes so much unless it is told otherwise
constexpr milliseconds k_between_commits{1'000};
// Of an offset that did not change: brokers forget the offsets of a group that nobody joins (offsets.retention.minutes, 7 days).
constexpr std::chrono::hours k_commit_again{1};
constexpr milliseconds k_between_looks{5'000};   // at how far the partitions go, and whether there are more

// Not failures: the process ends, or another node has the lease.
struct Ending {};
// The topic has got more partitions.
struct MorePartitions {};
// The desk cannot say now.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// When a message was written, on the clock that does not jump.
Backlog::Timer::time_point written_at(const Received& message, Backlog::Timer::time_point now) {
  if (message.timestamp < 0) return now;
  const auto wall = std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  constexpr milliseconds k_age_max = std::chrono::hours(24 * 365);   // a timestamp may be anything
  return now - std::clamp(wall - milliseconds(message.timestamp), milliseconds(0), k_age_max);
}

}  // namespace

SeatImports::SeatImports(SeatsOptions options, SeatsDesk& desk, FeedBoard& board)
    : options_(std::move(options)), desk_(desk), board_(board), gathering_(options_.limits) {
  options_.kafka.more.try_emplace("allow.auto.create.topics", "true");
}

SeatImports::~SeatImports() { stop(); }

void SeatImports::start() {
  HOLDFAST_CHECK(!thread_.joinable());
  board_.set_seats(SeatsState::standby);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "kafka-seats");
    run();
  });
}

void SeatImports::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool SeatImports::stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

void SeatImports::wait(milliseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, time, [&] { return stopping_; });
}

void SeatImports::run() {
  milliseconds back_off = k_back_off;
  while (!stopping()) {
    if (!board_.leads()) {
      starting_since_.reset();
      board_.set_seats(SeatsState::standby);
      show_pending();
      back_off = k_back_off;
      wait(k_look);
      continue;
    }
    try {
      consume();
      continue;
    } catch (const Ending&) {
      continue;
    } catch (const MorePartitions&) {
      continue;
    } catch (const Trouble& trouble) {
      board_.set_seats(trouble.kind() == Trouble::Kind::refused ? SeatsState::refused : SeatsState::away, trouble.what());
    } catch (const std::exception& error) {
      board_.set_seats(SeatsState::away, error.what());
    }
    if (std::exchange(has_worked_, false)) back_off = k_back_off;
    wait(back_off);
    back_off = std::min(2 * back_off, options_.back_off_max);
  }
  starting_since_.reset();
  show_pending();
  board_.set_seats(SeatsState::stopped);
}

// ---------------------------------------------------------------------------------------------------------------- the topic

void SeatImports::consume() {
  board_.set_seats(SeatsState::starting);
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
  Client client(Client::Kind::consumer, options_.kafka,
                {{"group.id", options_.group},
                 {"enable.auto.commit", "false"},
                 {"enable.auto.offset.store", "false"},
                 {"auto.offset.reset", "earliest"},
                 {"isolation.level", "read_committed"},
                 {"enable.partition.eof", "true"}},   // its end is no message's offset where transactions leave marks
                {});
  rd_kafka_poll_set_consumer(client.get());
  assign(client, await_topic());
  starting_since_.reset();
  board_.set_seats(SeatsState::consuming);
  while (!ends()) {
    take(client);
    give_up_overdue();
    commit(client);
    look_at_backlog(client);
    show_pending();
  }
  if (!board_.leads()) return;   // whoever has the lease now goes on from what was committed
  committed_at_ = {};
  commit(client);
}

// How many partitions the topic has. Where brokers make topics by themselves, asking makes it.
std::int32_t SeatImports::await_topic() {
  const auto deadline = SteadyClock::now() + k_topics_patience;
  for (;;) {
    const auto partitions = partitions_of(teller_->client(), topic(), k_question);
    if (partitions) return *partitions;
    if (ends()) throw Ending{};
    if (SteadyClock::now() >= deadline) throw trouble_of("the topic " + topic(), partitions.error());
    wait(k_back_off);
  }
}

// All partitions, from what was committed on. Nobody joins the group: who has the lease has its offsets.
void SeatImports::assign(Client& client, std::int32_t partitions) {
  const PartitionList list = new_list(static_cast<std::size_t>(partitions));
  for (std::int32_t i = 0; i < partitions; ++i) rd_kafka_topic_partition_list_add(list.get(), topic().c_str(), i);
  const auto deadline = SteadyClock::now() + k_topics_patience;
  for (;;) {
    const rd_kafka_resp_err_t error = rd_kafka_committed(client.get(), list.get(), static_cast<int>(k_question.count()));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (ends()) throw Ending{};
    if (SteadyClock::now() >= deadline) throw trouble_of("asking how far seats were imported", error);
    wait(k_back_off);
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

// One message, or none when there is nothing for a moment.
void SeatImports::take(Client& client) {
  const std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)> message(
      rd_kafka_consumer_poll(client.get(), static_cast<int>(k_look.count())), &rd_kafka_message_destroy);
  const std::string trouble = client.take_trouble();
  if (message != nullptr && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    handle(received(*message));
    has_worked_ = true;
    board_.set_seats(SeatsState::consuming);
    return;
  }
  if (message != nullptr && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    places_[{rd_kafka_topic_name(message->rkt), message->partition}].end = message->offset;
    return;
  }
  if (message != nullptr) throw trouble_of("reading seats", message->err);
  if (!trouble.empty()) board_.set_seats(SeatsState::away, trouble);
  if (board_.status().seats != SeatsState::away) return;
  if (partitions_of(client, topic(), k_question)) board_.set_seats(SeatsState::consuming);
}

// Up to the first message of each partition that waits for others.
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
      if (Backlog::Timer::now() >= now + 2 * k_question) return;   // the broker does not answer; what is known stays
      continue;
    }
    note_lost(partition, place, low);
    place.backlog.done(static_cast<std::uint64_t>(std::max({place.next, place.end, low})));
    place.backlog.wanted(static_cast<std::uint64_t>(high), now);
  }
  const auto partitions = partitions_of(client, topic(), k_question);
  if (partitions && static_cast<std::size_t>(*partitions) != places_.size()) throw MorePartitions{};
}

// Kafka may have removed what this node had to go on with: parts of events that were not complete.
void SeatImports::note_lost(const Partition& partition, Place& place, std::int64_t low) {
  const std::int64_t begins = std::exchange(place.begins, -1);
  if (begins < 0 || low <= begins) return;
  board_.counters.seats_lost += static_cast<std::uint64_t>(low - begins);
  spdlog::error(
      "kafka seats: Kafka does not have the messages {} to {} of {} [{}] any more: parts of events that are not imported may be lost; have "
      "the catalogue send those events again, and keep the topic's messages for longer",
      begins, low - 1, partition.first, partition.second);
  place.next = std::max(place.next, low);   // so that the next start does not find it again
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

// ---------------------------------------------------------------------------------------------------------------- what a message does

// A step that fails is done again, after pauses that grow.
template <typename Step>
void SeatImports::until_done(Step step) {
  milliseconds back_off = k_back_off;
  for (;;) {
    try {
      return step();
    } catch (const Trouble& trouble) {
      board_.set_seats(trouble.kind() == Trouble::Kind::refused ? SeatsState::refused : SeatsState::away, trouble.what());
    } catch (const std::exception& error) {
      board_.set_seats(SeatsState::away, error.what());
    }
    ++board_.counters.seats_retried;
    show_pending();
    wait(back_off);
    if (ends()) throw Ending{};
    back_off = std::min(2 * back_off, options_.back_off_max);
  }
}

// The offset of a message is committed after this, so nothing of it is left undone.
void SeatImports::handle(const Received& message) {
  at_hand_since_ = Backlog::Timer::now();
  until_done([&] { place(message); });
  Place& place = places_[{message.topic, message.partition}];
  place.next = std::max(place.next, message.offset + 1);
  until_done([&] { import_complete(); });
  until_done([&] { tell_dead(); });
  at_hand_since_.reset();
}

// Throws before anything has been done with the message, or not at all.
void SeatImports::place(const Received& message) {
  if (!message.value) return give_up(message, "The message has no body.");
  if (message.value->size() > options_.part_bytes_max) {
    return give_up(message, "The message has more than " + std::to_string(options_.part_bytes_max) + " bytes.");
  }
  const auto part = desk_.read(*message.value);
  if (!part) return give_up(message, part.error());
  const Standing standing = desk_.standing(part->event, part->seats);
  if (standing.kind == Standing::Kind::unavailable) {
    if (must_wait(part->event, false)) throw Unavailable(standing.why);
    return give_up(message, standing.why);
  }
  note_read(part->event);
  switch (standing.kind) {
    case Standing::Kind::has_all: ++board_.counters.seats_skipped; return;
    case Standing::Kind::refused: return give_up(message, standing.why);
    default: return gather(*part, message);
  }
}

// Where a part contradicts those before it, one of both is wrong, and no part could ever complete the event. The latest counts, so a
// catalogue that has put it right sends the event again, and it is imported.
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

// An event that alone cannot be read or made must not keep the others waiting for ever. It is waited for once: its further parts are dead
// letters at once, until it works again or this node begins anew.
bool SeatImports::must_wait(const Uuid& event, bool can_be_read) {
  if (!desk_.trouble().empty()) {
    failing_.erase(event);   // it is nobody's fault of these; its time begins when that is over
    return true;
  }
  if (failing_.size() >= options_.failing_max && !failing_.contains(event)) failing_.clear();
  const auto now = Backlog::Timer::now();
  Failing& failing = failing_.try_emplace(event, Failing{.since = now}).first->second;
  failing.can_be_read = can_be_read;
  failing.is_given_up = failing.is_given_up || now - failing.since >= options_.event_patience;
  return !failing.is_given_up;
}

// Whether an event that could not be made can be by now is known when all of it has come again.
void SeatImports::note_read(const Uuid& event) {
  const auto at = failing_.find(event);
  if (at != failing_.end() && !(at->second.is_given_up && at->second.can_be_read)) failing_.erase(at);
}

void SeatImports::import_complete() {
  while (const auto event = gathering_.complete()) {
    const Standing standing = desk_.import(*event, gathering_.seats(*event));
    switch (standing.kind) {
      case Standing::Kind::has_all:
        board_.counters.seats_imported += gathering_.take(*event).size();
        failing_.erase(*event);
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

// Nothing becomes of what came of the event.
void SeatImports::give_up(const Uuid& event, const std::string& why) {
  spdlog::warn("kafka seats: event {} is not imported: {}", to_string(event), why);
  for (Received& each : gathering_.take(event)) dead_.push_back({std::move(each), why});
}

void SeatImports::give_up(const Received& message, const std::string& why) { dead_.push_back({message, why}); }

// A slice at a time, so that each is told within its time, and none again because of another.
void SeatImports::tell_dead() {
  while (!dead_.empty()) {
    const std::size_t count = count_at_once(dead_);
    const auto fill = [&] {
      for (std::size_t i = 0; i < count; ++i) teller_->send_dead(dead_[i].message, dead_[i].why);
    };
    if (!teller_->tell(fill, [this] { return ends(); })) throw Ending{};
    board_.counters.seats_dead += count;
    dead_.erase(dead_.begin(), dead_.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

}  // namespace holdfast::feed::kafka
