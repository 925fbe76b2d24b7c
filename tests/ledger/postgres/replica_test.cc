// Journal rows of other nodes that contradict each other, though each is what was written: they put their event aside, and never end the node.
#include "ledger/postgres/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/ledger_in_test.h"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr EventNumber k_number = 3;

class ReplicaFold : public testing::Test {
 protected:
  ReplicaFold() {
    const auto plan = plan_of(card.id, 4);
    std::string header;
    Writer header_writer(header);
    plan->encode_header(header_writer);
    Writer seats_writer(seats);
    plan->encode_seats(0, 4, seats_writer);
    fold({{.kind = ChangeKind::event_created, .text = header, .card = &card, .settings = &importing}});
  }

  // Folds one row, as another node may have written it.
  void fold(const std::vector<Change>& changes) {
    ChangeBatch batch;
    Writer writer(batch.bytes);
    for (const Change& change : changes) {
      encode_change(change, k_begin, writer);
      ++batch.count;
    }
    std::string body;
    encode_body(batch, {}, body);
    JournalRow row{.event = k_number, .first_seq = replica.place.next(), .changes = batch.count, .at = k_begin, .body = body};
    row.hash = chain(replica.place.at.hash, row);
    replica.fold(row, [](const Uuid&) { return std::nullopt; });
  }
  void finish_import() {
    fold({{.kind = ChangeKind::seats_appended, .text = seats, .count = 4}});
    fold({{.kind = ChangeKind::event_configured, .settings = &on_sale}});
  }

  const EventCard card{.id = uuid_of(1)};
  const EventSettings importing{.status = EventStatus::importing};
  const EventSettings on_sale{};
  std::string seats;
  pg::Replica replica{k_number, 42, 10};
};

TEST_F(ReplicaFold, OfAContradictionIsRefusedAndNamesIt) {
  finish_import();
  const SeatList taken{2};
  const Change held{.kind = ChangeKind::held, .reservation = uuid_of(5), .expires_at = k_begin + 1, .seats = taken};
  fold({held});
  EXPECT_THAT([&] { fold({{.kind = ChangeKind::blocked, .seats = taken}}); },
              ThrowsMessage<DataError>(AllOf(HasSubstr("change 5 of event 3 (blocked, "), HasSubstr("finds seat 2 held for reservation "),
                                             HasSubstr("holdfast verify --ledger"))));
  EXPECT_FALSE(replica.is_loaded()) << "a part of the row may be folded";
}

TEST_F(ReplicaFold, OfAnotherNumberOfSeatsThanTheChangeSaysIsRefused) {
  EXPECT_THAT([&] { fold({{.kind = ChangeKind::seats_appended, .text = seats, .count = 5}}); },
              ThrowsMessage<DataError>(HasSubstr("appends seats that cannot be read")));
}

TEST_F(ReplicaFold, OfSeatsAfterTheEndOfTheImportIsRefused) {
  finish_import();
  EXPECT_THAT([&] { fold({{.kind = ChangeKind::seats_appended, .text = seats, .count = 4}}); },
              ThrowsMessage<DataError>(HasSubstr("seats")));
}

}   // namespace
}   // namespace holdfast::test
