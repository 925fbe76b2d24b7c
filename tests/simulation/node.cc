#include "simulation/node.h"

#include <stdlib.h>

#include <algorithm>
#include <array>

#include "core/check.h"
#include "simulation/failure.h"

namespace holdfast::simulation {
namespace {

namespace fs = std::filesystem;

// In memory where there is such a folder: what is synced is decided here, not by the machine.
fs::path new_folder() {
  const fs::path memory = "/dev/shm";
  std::string name = ((fs::is_directory(memory) ? memory : fs::temp_directory_path()) / "holdfast-simulation-XXXXXX").string();
  HOLDFAST_CHECK(::mkdtemp(name.data()) != nullptr);
  return name;
}

}   // namespace

Node::Node(std::uint64_t seed, NodeOptions options, std::function<Position()> removable_through,
           std::function<void(const std::string&)> tell)
    : base_(new_folder()), options_(options), removable_through_(std::move(removable_through)), tell_(std::move(tell)) {
  disk().begin(base_, seed, [this](Millis millis) { clock_.pass(millis); });
  disk().set_slowness(options_.slowness);
  disk().set_passes_cache(options_.passes_cache);
}

Node::~Node() {
  ledger_.reset();
  std::error_code ignored;
  fs::remove_all(base_, ignored);
}

bool Node::lives_on() const { return ledger_ != nullptr && !Disk::get().has_crashed() && ledger_->trouble().empty(); }

void Node::stop() {
  const bool is_clean = lives_on();
  ledger_.reset();
  if (is_clean && !disk().has_crashed() && !disk().has_failed()) is_marked_ = true;
}

void Node::end_old_life(Choices& choices) {
  ledger_.reset();
  if (!disk().has_crashed()) {
    disk().heal();
    return;
  }
  if (disk().last_end() == Disk::End::power) {
    is_marked_ = false;
    clock_.pass(static_cast<Millis>(choices.below(600'000)));
    clock_.reboot();
  }
  tell_(disk().last_end() == Disk::End::kill ? "killed" : "power lost");
  disk().start_again();
}

std::string Node::draw_damage(Choices& choices) {
  if (options_.has_segments && choices.one_in(6)) return disk().swap_segments();
  return choices.one_in(3) ? disk().lose_file() : disk().rot(options_.retention_days > 0);
}

// Rot, or a lost file. After a power failure the marker may be old, so that a loss of the journal's end could not be noticed.
// Tables that the journal no longer has all rows of cannot be compared at a start: a bit of theirs that has changed may show (decision 13).
bool Node::damage(Choices& choices) {
  if (!is_marked_ || !choices.one_in(4)) return false;
  const std::string what = draw_damage(choices);
  if (!what.empty()) tell_(what);
  return !what.empty();
}

JournalOptions Node::new_journal() {
  if (!options_.has_segments) return {};
  const fs::path folder = DataFolder::journal_folder_in(disk().folder());
  fs::create_directories(folder);
  segments_ = std::make_unique<SegmentsDisk>(folder);
  return {.for_new = JournalFormat::segments,
          .disk = segments_.get(),
          .draw = [] { return Disk::get().draw(); },
          .has_thread = false,
          .segment_bytes = options_.segment_bytes,
          .first_segment_bytes = options_.segment_bytes};
}

bool Node::try_to_open() {
  refusal_.clear();
  try {
    ledger_ = std::make_unique<EmbeddedLedger>(EmbeddedOptions{.data = disk().folder(),
                                                               .journal = new_journal(),
                                                               .idempotency_keys_max = options_.keys_max,
                                                               .ended_in_memory_max = options_.ended_in_memory_max,
                                                               .journal_retention_days = options_.retention_days,
                                                               .journal_removable_through = removable_through_,
                                                               .clock = &clock_,
                                                               .has_tables_thread = false});
  } catch (const DataError& error) {
    refusal_ = error.what();
  } catch (const sqlite::Error& error) {
    refusal_ = error.what();
  }
  return lives_on();
}

// The start, or a call about a reservation whose row in the tables is not what was written, is refused and names the file; or nothing shows.
void Node::try_damaged(const std::function<void()>& check_start) {
  bool shows_nothing = try_to_open();
  if (shows_nothing) {
    try {
      check_start();
    } catch (const ReservationUnreadable& unreadable) {
      refusal_ = unreadable.what();
      shows_nothing = false;
    }
  }
  if (!shows_nothing) {
    tell_("refused: " + refusal_);
    const bool names_file = std::ranges::any_of(std::array{".db", "journal.head", "registry.head", ".segment", "/reach", "/journal"},
                                                [&](const char* name) { return refusal_.find(name) != std::string::npos; });
    expect(names_file, "a refusal names no file: " + refusal_);
  }
  ledger_.reset();
  disk().undo_damage();
}

void Node::plan_trouble(Choices& choices, bool has_faults) {
  if (choices.one_in(4)) disk().plan_crash(choices.below(40), choices.one_in(2) ? Disk::End::kill : Disk::End::power);
  if (!has_faults || !choices.one_in(6)) return;
  static constexpr Disk::Fault k_faults[] = {Disk::Fault::write_error, Disk::Fault::full, Disk::Fault::sync_error, Disk::Fault::read_error};
  disk().plan_fault(choices.of(k_faults), choices.below(60), 1);
}

void Node::open(Choices& choices, bool has_faults, const std::function<void()>& check_start) {
  end_old_life(choices);
  if (has_faults && damage(choices)) try_damaged(check_start);
  plan_trouble(choices, has_faults);
  while (!try_to_open()) {
    tell_("not started: " + refusal_);
    const bool has_cause = disk().has_crashed() || disk().has_failed();
    expect(has_cause, "a start is refused without a cause: " + refusal_ + (ledger_ == nullptr ? "" : ledger_->trouble()));
    end_old_life(choices);
    plan_trouble(choices, has_faults);
  }
  disk().heal();
  if (options_.has_segments) is_marked_ = true;   // a start notes durably how far its segments reach
  ++lives_;
}

}   // namespace holdfast::simulation
