// A journal around the one of a ledger, which has room as a test plans it.
//
//   PlannedRoom room;
//   LedgerInTest it(folder, time, {.around_journal = room.around()});
//   room.refuse(Work::growing, NotTaken::Reason::no_room);
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ledger/embedded/journal_writer.h"

namespace holdfast::test {

// Must outlive the ledger. Any thread.
class PlannedRoom {
 public:
  struct Round {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;   // of bodies
    std::uint64_t asked_rows = 0;   // by the last question before it
    std::uint64_t asked_bytes = 0;
  };

  // Work of this kind is refused from now on, `times` times.
  void refuse(Work work, NotTaken::Reason reason, std::size_t times = SIZE_MAX) {
    const std::scoped_lock lock(mutex_);
    (work == Work::growing ? growing_ : settling_) = Refusal{reason, times};
  }
  void take_all() {
    const std::scoped_lock lock(mutex_);
    growing_.reset();
    settling_.reset();
  }
  void set_bytes_max(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    bytes_max_ = bytes;
  }
  void break_down(std::string why) {
    const std::scoped_lock lock(mutex_);
    broken_ = std::move(why);
  }
  // Since the last call.
  std::vector<Round> take_rounds() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(rounds_, {});
  }
  std::size_t questions() const {
    const std::scoped_lock lock(mutex_);
    return questions_;
  }

  std::function<std::unique_ptr<JournalWriter>(std::unique_ptr<JournalWriter>)> around() {
    return [this](std::unique_ptr<JournalWriter> journal) { return std::make_unique<Planned>(*this, std::move(journal)); };
  }

 private:
  struct Refusal {
    NotTaken::Reason reason;
    std::size_t times;
  };

  class Planned final : public JournalWriter {
   public:
    Planned(PlannedRoom& room, std::unique_ptr<JournalWriter> inner) : room_(room), inner_(std::move(inner)) {}

    JournalRows& rows() override { return inner_->rows(); }
    void settle(const std::optional<DoubtfulStart>& doubt) override { inner_->settle(doubt); }
    const JournalHead& head() const override { return inner_->head(); }
    std::expected<void, NotTaken> can_take(std::uint64_t rows, std::uint64_t body_bytes, Work work) override {
      if (auto refusal = room_.ask(rows, body_bytes, work)) return std::unexpected(NotTaken{.reason = *refusal, .what = "as planned"});
      return inner_->can_take(rows, body_bytes, work);
    }
    void begin() override { inner_->begin(); }
    void append(EventNumber event, Seq first_seq, std::uint32_t changes, Millis at, std::string_view body) override {
      ++round_.rows;
      round_.bytes += body.size();
      inner_->append(event, first_seq, changes, at, body);
    }
    void commit() override {
      inner_->commit();
      room_.wrote(std::exchange(round_, {}));
    }
    void tend() override { inner_->tend(); }
    std::string broken() const override { return room_.broken(); }
    std::unique_ptr<JournalRows> new_rows() const override { return inner_->new_rows(); }
    std::unique_ptr<JournalUpkeep> new_upkeep() override { return inner_->new_upkeep(); }
    std::string room_trouble() const override { return room_.trouble(); }
    std::string damage() const override { return inner_->damage(); }
    void found_damage(const std::string& what) override { inner_->found_damage(what); }
    std::vector<std::string> files() const override { return inner_->files(); }
    std::unique_ptr<JournalWatch> new_watch() const override { return inner_->new_watch(); }
    void stop(bool is_broken) override { inner_->stop(is_broken); }

   private:
    PlannedRoom& room_;
    std::unique_ptr<JournalWriter> inner_;
    Round round_;
  };

  std::optional<NotTaken::Reason> ask(std::uint64_t rows, std::uint64_t bytes, Work work) {
    const std::scoped_lock lock(mutex_);
    ++questions_;
    asked_ = {.asked_rows = rows, .asked_bytes = bytes};
    if (bytes > bytes_max_) return NotTaken::Reason::too_large;
    std::optional<Refusal>& refusal = work == Work::growing ? growing_ : settling_;
    if (!refusal || refusal->times == 0) return std::nullopt;
    --refusal->times;
    return refusal->reason;
  }
  void wrote(Round round) {
    const std::scoped_lock lock(mutex_);
    round.asked_rows = asked_.asked_rows;
    round.asked_bytes = asked_.asked_bytes;
    rounds_.push_back(round);
  }
  std::string broken() const {
    const std::scoped_lock lock(mutex_);
    return broken_;
  }
  std::string trouble() const {
    const std::scoped_lock lock(mutex_);
    return growing_ && growing_->times > 0 ? "the disk is full, as planned" : "";
  }

  mutable std::mutex mutex_;
  std::optional<Refusal> growing_;
  std::optional<Refusal> settling_;
  std::uint64_t bytes_max_ = UINT64_MAX;
  std::string broken_;
  Round asked_;
  std::vector<Round> rounds_;
  std::size_t questions_ = 0;
};

}   // namespace holdfast::test
