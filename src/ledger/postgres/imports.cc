#include "ledger/postgres/imports.h"

#include "ledger/postgres/database_clock.h"
#include "ledger/postgres/piece_size.h"

namespace holdfast::pg {
namespace {

constexpr std::size_t k_ids_first = 1'000;   // in the first piece; later ones have more while the database is fast
constexpr std::size_t k_ids_a_piece_max = 10'000;
constexpr std::int32_t k_stale_at_once = 16;
constexpr Uuid k_nobody{};

constexpr Statement k_begin_import{"begin_import",
                                   "INSERT INTO holdfast.import (event, node, until) VALUES ($1, $2, " HOLDFAST_DATABASE_NOW " + $3)"};
constexpr Statement k_renew{"renew_import",
                            "UPDATE holdfast.import SET until = " HOLDFAST_DATABASE_NOW " + $3 WHERE event = $1 AND node = $2"};
constexpr Statement k_renew_all{"renew_imports", "UPDATE holdfast.import SET until = " HOLDFAST_DATABASE_NOW
                                                 " + $3 WHERE event = ANY ($1) AND node = $2 RETURNING event"};
constexpr Statement k_end{"end_import", "DELETE FROM holdfast.import WHERE event = $1 AND node = $2"};
constexpr Statement k_forget{"forget_import", "DELETE FROM holdfast.import WHERE event = $1"};
constexpr Statement k_give_up{"give_up_import", "UPDATE holdfast.import SET node = $3, until = 0 WHERE event = $1 AND node = $2"};
constexpr Statement k_take_stale{"take_stale_import",
                                 "UPDATE holdfast.import SET node = $2, until = 0 WHERE event = $1 AND until < " HOLDFAST_DATABASE_NOW};
constexpr Statement k_stale{"stale_imports", "SELECT event, node = $2 FROM holdfast.import WHERE until < " HOLDFAST_DATABASE_NOW
                                             " ORDER BY event <= $1, event LIMIT $3"};
constexpr Statement k_lock_nobodys{"lock_nobodys_import",
                                   "SELECT FROM holdfast.import WHERE event = $1 AND node = $2 FOR UPDATE SKIP LOCKED"};
constexpr Statement k_give_back_ids{"give_back_ids",
                                    "DELETE FROM holdfast.seat_directory WHERE id = ANY (ARRAY(SELECT id FROM holdfast.seat_directory "
                                    "WHERE event = $1 LIMIT $2))"};
constexpr Statement k_give_back_event_id{"give_back_event_id", "DELETE FROM holdfast.event_directory WHERE event = $1"};

struct Piece {
  bool was_last = false;
  bool there_is_more = false;
};

Piece give_back_piece(Connection& connection, EventNumber event, std::size_t ids) {
  connection.query(k_begin);
  if (connection.query(k_lock_nobodys, Parameters().event(event).uuid(k_nobody)).rows() == 0) {
    connection.query(k_rollback);
    return {};
  }
  const auto gone = connection.query(k_give_back_ids, Parameters().event(event).unsigned8(ids)).affected();
  const bool was_last = gone < ids;
  if (was_last) {
    connection.query(k_give_back_event_id, Parameters().event(event));
    connection.query(k_end, Parameters().event(event).uuid(k_nobody));
  }
  connection.query(k_commit);
  return {.was_last = was_last, .there_is_more = !was_last};
}

}   // namespace

void begin_import(Connection& connection, EventNumber event, const Uuid& node) {
  connection.query(k_begin_import, Parameters().event(event).uuid(node).int8(k_import_lease));
}

bool renew_import(Connection& connection, EventNumber event, const Uuid& node) {
  return connection.query(k_renew, Parameters().event(event).uuid(node).int8(k_import_lease)).affected() == 1;
}

bool end_import(Connection& connection, EventNumber event, const Uuid& node) {
  return connection.query(k_end, Parameters().event(event).uuid(node)).affected() == 1;
}

bool give_up_import(Connection& connection, EventNumber event, const Uuid& node) {
  return connection.query(k_give_up, Parameters().event(event).uuid(node).uuid(k_nobody)).affected() == 1;
}

std::set<EventNumber> renew_imports(Connection& connection, const std::set<EventNumber>& events, const Uuid& node) {
  if (events.empty()) return {};
  const std::vector<EventNumber> numbers(events.begin(), events.end());
  const Result rows = connection.query(k_renew_all, Parameters().events(numbers).uuid(node).int8(k_import_lease));
  std::set<EventNumber> renewed;
  for (int row = 0; row < rows.rows(); ++row) renewed.insert(rows.event(row, 0));
  return renewed;
}

std::vector<StaleImport> stale_imports(Connection& connection, EventNumber last) {
  const Result rows = connection.query(k_stale, Parameters().event(last).uuid(k_nobody).int4(k_stale_at_once));
  std::vector<StaleImport> stale;
  stale.reserve(static_cast<std::size_t>(rows.rows()));
  for (int row = 0; row < rows.rows(); ++row) stale.push_back({rows.event(row, 0), rows.boolean(row, 1)});
  return stale;
}

bool take_stale_import(Connection& connection, EventNumber event) {
  return connection.query(k_take_stale, Parameters().event(event).uuid(k_nobody)).affected() == 1;
}

void forget_import(Connection& connection, EventNumber event) { connection.query(k_forget, Parameters().event(event)); }

bool give_back_ids(Connection& connection, EventNumber event, std::chrono::steady_clock::time_point until) {
  return connection.reset_on_error([&] {
    for (PieceSize size(k_ids_first, k_ids_a_piece_max);;) {
      const auto began = PieceSize::Timer::now();
      const Piece piece = give_back_piece(connection, event, size.now());
      const auto ended = PieceSize::Timer::now();
      if (!piece.there_is_more || ended >= until) return piece.was_last;
      size.took(ended - began);
    }
  });
}

}   // namespace holdfast::pg
