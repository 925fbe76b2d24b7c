// The fixed part of an event's seats: ids, labels, categories, positions on the map. Dense columns in plan order.
//
//   PlanBuilder builder(event_id, {{.name = "Stalls", .price = Price{450'000}}});
//   if (auto added = builder.add({.section = "A", .row = "1", .number = "12", .category = 0}); !added) … added.error().what …
//   std::shared_ptr<const Plan> plan = builder.finish().value();
//
// A Plan is immutable, and any thread may read it. About 32 bytes per seat whose id is a UUID.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/codec.h"
#include "core/ids.h"

namespace holdfast {

// An amount of money in ten-thousandths of its currency's unit, so that sums are exact. JSON shows it as a number: 45.00.
struct Price {
  std::int64_t ten_thousandths = 0;
  auto operator<=>(const Price&) const = default;
};

// At least two and at most four decimals: 45.00, 0.125.
void append_price(std::string& out, Price price);

struct Category {
  std::string name{};
  std::optional<Price> price{};
  std::string color{};   // as the plan writes it, for example #4176A5; may be empty
  bool operator==(const Category&) const = default;
};

// Consecutive seats of the plan with the same section and row.
struct RowSegment {
  std::uint32_t section;   // an index into Plan::sections()
  std::uint32_t row;       // an index into Plan::names()
  SeatIndex first;
  std::uint32_t count;
};

struct NewSeat {
  std::string_view id{};   // empty: derived from event and label
  std::string_view section{};
  std::string_view row{};
  std::string_view number{};
  std::uint32_t category = 0;
  float x = 0;
  float y = 0;
};

class Plan {
 public:
  std::size_t size() const { return ids_.size(); }
  std::span<const Category> categories() const { return categories_; }
  std::span<const std::string> sections() const { return sections_; }
  std::span<const std::string> names() const { return names_; }
  std::span<const RowSegment> segments() const { return segments_; }
  // Wide gaps in rows, such as aisles: the first seat after each gap, in rising order. A gap is wide if the distance to the previous seat is
  // more than 1.6 times the row's median distance (for an even number of distances, the mean of the two in the middle). A row whose median
  // is zero has no positions, and no gaps. Only of a finished plan; 4 bytes per gap.
  std::span<const SeatIndex> gaps() const { return gaps_; }

  // The id as text: a UUID in lower case, or the platform's own.
  void append_seat_id(std::string& out, SeatIndex seat) const;
  std::string seat_id(SeatIndex seat) const;
  // The id if it is a UUID, otherwise nullptr.
  const Uuid* seat_uuid(SeatIndex seat) const { return is_opaque(seat) ? nullptr : &ids_[seat]; }
  // The id if it is not a UUID, otherwise empty.
  std::string_view opaque_seat_id(SeatIndex seat) const;

  // O(log of the number of segments).
  const RowSegment& segment_of(SeatIndex seat) const;
  std::string_view section_of(SeatIndex seat) const { return sections_[segment_of(seat).section]; }
  std::string_view row_of(SeatIndex seat) const { return names_[segment_of(seat).row]; }
  std::string_view number_of(SeatIndex seat) const { return names_[numbers_[seat]]; }
  // section-row-number
  void append_label(std::string& out, SeatIndex seat) const;
  std::uint32_t category_of(SeatIndex seat) const { return category_of_[seat]; }
  float x_of(SeatIndex seat) const { return x_[seat]; }
  float y_of(SeatIndex seat) const { return y_[seat]; }

  // The plan's encoding in the journal: a header, and the seats in parts. PlanBuilder::decode_* reads them.
  void encode_header(Writer& writer) const;
  void encode_seats(SeatIndex first, std::size_t count, Writer& writer) const;

 private:
  friend class PlanBuilder;
  Plan() = default;
  void find_gaps();
  bool is_opaque(SeatIndex seat) const { return !opaque_.empty() && opaque_[seat]; }

  std::vector<Category> categories_;
  std::vector<std::string> sections_;
  std::vector<std::string> names_;
  std::vector<RowSegment> segments_;
  std::vector<SeatIndex> gaps_;
  std::vector<Uuid> ids_;   // of an opaque id: the offset of its text (8 bytes) and its length (8 bytes)
  std::vector<bool> opaque_;   // empty while every id is a UUID
  std::string opaque_text_;
  std::vector<std::uint32_t> numbers_;   // indexes into names_
  std::vector<std::uint16_t> category_of_;
  std::vector<float> x_;
  std::vector<float> y_;
};

struct PlanProblem {
  enum class Kind { rule, same_label, same_id };
  std::string what;   // one sentence that names the seat and the rule
  std::string rule{};   // of a seat: the sentence after the seat's name, such as "needs a row of 1 to 200 bytes"
  Kind kind = Kind::rule;
};

// Not thread-safe.
class PlanBuilder {
 public:
  PlanBuilder(const Uuid& event_id, std::vector<Category> categories);
  ~PlanBuilder();
  PlanBuilder(PlanBuilder&&) noexcept;
  PlanBuilder& operator=(PlanBuilder&&) noexcept;

  std::size_t size() const;

  // Refuses an empty or too long name, an unknown category, a duplicate label or id, and too many seats.
  std::expected<void, PlanProblem> add(const NewSeat& seat);

  // A builder from what Plan::encode_header wrote; nullopt if the bytes are damaged.
  static std::optional<PlanBuilder> decode_header(const Uuid& event_id, Reader& reader);
  // Adds what Plan::encode_seats wrote, without the checks of add(). False if the bytes are damaged.
  bool decode_seats(Reader& reader);

  // The plan. Refuses a plan without seats. The builder is empty afterwards.
  std::expected<std::shared_ptr<const Plan>, PlanProblem> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}   // namespace holdfast
