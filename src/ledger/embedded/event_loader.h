// What a start knows of each event: its tables, and the journal after them.
//
//   EventLoader loader(journal, tables, hash_seed);
//   loader.load([&](const KeptKey& key, Millis at) { … });   // the keys of the rows that the tables lack
//   for (auto& [number, event] : loader.events()) … event.inventory …
//
// The tables of one event may be false: they contradict themselves, or the journal after them. Then nothing of them is believed. The event is
// stopped in state.db (stopped_events.h), and replayed from the first row of the journal, as every event is that was stopped before. If the
// journal has no row of an event that is missing in the tables, there was never one: its sum in state.db is dropped. All other events are loaded as usual. So the journal is read at most twice: the rows that the tables lack, then, if there is a stopped event, all.
//
// If the journal contradicts itself, or no longer has the first row that a stopped event needs, the start is refused and state.db stays as it
// was. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/inventory.h"
#include "core/keys.h"
#include "core/plan.h"
#include "ledger/embedded/journal_rows.h"
#include "ledger/embedded/state_store.h"

namespace holdfast {

class EventLoader {
 public:
  struct Event {
    std::unique_ptr<Inventory> inventory;
    std::shared_ptr<const Plan> plan;   // nullptr while it is importing or when it was abandoned
    std::unique_ptr<PlanBuilder> importing;   // its seats so far; nullptr once the import has ended
    bool is_in_tables = false;   // begun from the tables, so a contradiction may be theirs
  };
  using OnKey = std::function<void(const KeptKey&, Millis at)>;

  // `tables` must be open for writing, and be of this journal (check_pair). Both must live as long as the loader.
  EventLoader(JournalRows& journal, StateStore& tables, std::uint64_t hash_seed)
      : journal_(journal), tables_(tables), hash_seed_(hash_seed) {}

  // Throws DataError or sqlite::Error, which name the file and say what to do.
  void load(const OnKey& on_key);

  std::map<EventNumber, Event>& events() { return events_; }
  Millis last_time() const { return last_time_; }   // of the journal rows that were read

 private:
  void load_tables();
  void follow_tables(const JournalHead& as_of, const OnKey& on_key);
  void replay_stopped();
  void forget_strays();
  void fold(const JournalRow& row, const JournalBody& body);
  void fold(const JournalRow& row, Seq seq, const Change& change, Event& event);
  void begin(const JournalRow& row, const JournalBody& body);
  void recall(Seq seq, const Change& change, Inventory& inventory);
  void stop(EventNumber event, const std::string& why);
  bool is_stopped(EventNumber event) const { return tables_.stopped().contains(event); }
  [[noreturn]] void unreadable(const JournalRow& row, const char* what) const;

  JournalRows& journal_;
  StateStore& tables_;
  const std::uint64_t hash_seed_;
  std::map<EventNumber, Event> events_;
  Position tables_through_ = 0;
  std::map<EventNumber, std::string> newly_stopped_;   // and why
  bool is_writing_ = false;   // within a transaction of `tables_`
  Millis last_time_ = 0;
};

}   // namespace holdfast
