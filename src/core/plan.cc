#include "core/plan.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cmath>

#include "core/check.h"
#include "core/hash.h"
#include "core/limits.h"

namespace holdfast {
namespace {

struct OpaquePlace {
  std::uint64_t offset;
  std::uint64_t length;
};
static_assert(sizeof(OpaquePlace) == sizeof(Uuid));

OpaquePlace opaque_place(const Uuid& id) {
  OpaquePlace place;
  std::memcpy(&place, id.data, sizeof place);
  return place;
}

// Labels and ids as 128-bit fingerprints: a set of the texts themselves would cost more than the plan.
struct Fingerprint {
  std::uint64_t low;
  std::uint64_t high;
  bool operator==(const Fingerprint&) const = default;
};
struct FingerprintHash {
  using is_avalanching = void;
  std::size_t operator()(const Fingerprint& value) const { return value.low; }
};
Fingerprint fingerprint(std::string_view text) {
  const auto hash = XXH3_128bits(text.data(), text.size());
  return {hash.low64, hash.high64};
}

void append_label_of(std::string& out, std::string_view section, std::string_view row, std::string_view number) {
  out.append(section).append("-").append(row).append("-").append(number);
}

}  // namespace

void append_price(std::string& out, Price price) {
  const bool negative = price.ten_thousandths < 0;
  const auto value = negative ? 0 - static_cast<std::uint64_t>(price.ten_thousandths) : static_cast<std::uint64_t>(price.ten_thousandths);
  std::string decimals = std::to_string(10'000 + value % 10'000).substr(1);
  while (decimals.size() > 2 && decimals.back() == '0') decimals.pop_back();
  if (negative) out += '-';
  out.append(std::to_string(value / 10'000)).append(".").append(decimals);
}

std::string_view Plan::opaque_seat_id(SeatIndex seat) const {
  if (!is_opaque(seat)) return {};
  const OpaquePlace place = opaque_place(ids_[seat]);
  return std::string_view(opaque_text_).substr(place.offset, place.length);
}

void Plan::append_seat_id(std::string& out, SeatIndex seat) const {
  if (is_opaque(seat)) {
    out.append(opaque_seat_id(seat));
  } else {
    append_uuid(out, ids_[seat]);
  }
}

std::string Plan::seat_id(SeatIndex seat) const {
  std::string id;
  append_seat_id(id, seat);
  return id;
}

const RowSegment& Plan::segment_of(SeatIndex seat) const {
  HOLDFAST_CHECK(seat < size());
  const auto after = std::ranges::upper_bound(segments_, seat, {}, &RowSegment::first);
  return *(after - 1);
}

void Plan::append_label(std::string& out, SeatIndex seat) const {
  const RowSegment& segment = segment_of(seat);
  append_label_of(out, sections_[segment.section], names_[segment.row], number_of(seat));
}

void Plan::encode_header(Writer& writer) const {
  writer.varint(categories_.size());
  for (const Category& category : categories_) {
    writer.text(category.name);
    writer.byte(category.price.has_value());
    if (category.price) writer.signed_varint(category.price->ten_thousandths);
    writer.text(category.color);
  }
}

void Plan::find_gaps() {
  constexpr double k_wide = 1.6 * (1 + 1e-4);   // positions are floats, so 1.6 times in the plan may be slightly more here
  std::vector<double> distances, sorted;
  for (const RowSegment& row : segments_) {
    if (row.count < 3) continue;   // a single distance is the median
    distances.clear();
    for (SeatIndex seat = row.first + 1; seat < row.first + row.count; ++seat) {
      const double dx = double{x_[seat]} - double{x_[seat - 1]};
      const double dy = double{y_[seat]} - double{y_[seat - 1]};
      distances.push_back(std::sqrt(dx * dx + dy * dy));
    }
    sorted = distances;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::ranges::nth_element(sorted, middle);
    const double median = sorted.size() % 2 == 1 ? *middle : (*std::max_element(sorted.begin(), middle) + *middle) / 2;
    if (median == 0) continue;
    for (std::size_t i = 0; i < distances.size(); ++i) {
      if (distances[i] > k_wide * median) gaps_.push_back(row.first + static_cast<SeatIndex>(i) + 1);
    }
  }
  gaps_.shrink_to_fit();
}

// A part is the number of segments, followed by section, row and seats of each.
void Plan::encode_seats(SeatIndex first, std::size_t count, Writer& writer) const {
  HOLDFAST_CHECK(first + count <= size());
  const auto end = static_cast<SeatIndex>(first + count);
  std::vector<RowSegment> parts;
  for (SeatIndex at = first; at < end;) {
    const RowSegment& segment = segment_of(at);
    const SeatIndex until = std::min(end, segment.first + segment.count);
    parts.push_back({segment.section, segment.row, at, until - at});
    at = until;
  }
  writer.varint(parts.size());
  for (const RowSegment& part : parts) {
    writer.text(sections_[part.section]);
    writer.text(names_[part.row]);
    writer.varint(part.count);
    for (SeatIndex seat = part.first; seat < part.first + part.count; ++seat) {
      const std::string_view opaque = opaque_seat_id(seat);
      writer.varint(opaque.size());
      if (opaque.empty()) {
        writer.uuid(ids_[seat]);
      } else {
        for (const char c : opaque) writer.byte(static_cast<std::uint8_t>(c));
      }
      writer.text(number_of(seat));
      writer.varint(category_of_[seat]);
      writer.real(x_[seat]);
      writer.real(y_[seat]);
    }
  }
}

struct PlanBuilder::Impl {
  Uuid event_id{};
  std::shared_ptr<Plan> plan{new Plan};
  boost::unordered_flat_map<std::string, std::uint32_t> name_numbers;
  boost::unordered_flat_map<std::string, std::uint32_t> section_numbers;
  boost::unordered_flat_set<Fingerprint, FingerprintHash> labels;
  boost::unordered_flat_set<Fingerprint, FingerprintHash> ids;
  std::string scratch;

  static std::uint32_t number(boost::unordered_flat_map<std::string, std::uint32_t>& numbers, std::vector<std::string>& table,
                              std::string_view name) {
    const auto [at, is_new] = numbers.try_emplace(std::string(name), static_cast<std::uint32_t>(table.size()));
    if (is_new) table.emplace_back(name);
    return at->second;
  }

  void push_id(std::string_view id, const std::optional<Uuid>& uuid) {
    Plan& p = *plan;
    if (uuid) {
      p.ids_.push_back(*uuid);
      if (!p.opaque_.empty()) p.opaque_.push_back(false);
      return;
    }
    if (p.opaque_.empty()) p.opaque_.resize(p.ids_.size(), false);
    const OpaquePlace place{p.opaque_text_.size(), id.size()};
    p.opaque_text_.append(id);
    Uuid packed;
    std::memcpy(packed.data, &place, sizeof place);
    p.ids_.push_back(packed);
    p.opaque_.push_back(true);
  }

  void push_seat(std::string_view section, std::string_view row, std::string_view seat_number, std::uint32_t category, float x, float y) {
    Plan& p = *plan;
    const auto seat = static_cast<SeatIndex>(p.ids_.size() - 1);
    const bool continues =
        !p.segments_.empty() && p.sections_[p.segments_.back().section] == section && p.names_[p.segments_.back().row] == row;
    if (continues) {
      ++p.segments_.back().count;
    } else {
      p.segments_.push_back({number(section_numbers, p.sections_, section), number(name_numbers, p.names_, row), seat, 1});
    }
    p.numbers_.push_back(number(name_numbers, p.names_, seat_number));
    p.category_of_.push_back(static_cast<std::uint16_t>(category));
    p.x_.push_back(x);
    p.y_.push_back(y);
  }
};

PlanBuilder::PlanBuilder(const Uuid& event_id, std::vector<Category> categories) : impl_(new Impl) {
  HOLDFAST_CHECK(categories.size() <= k_categories_max);
  impl_->event_id = event_id;
  impl_->plan->categories_ = std::move(categories);
}
PlanBuilder::~PlanBuilder() = default;
PlanBuilder::PlanBuilder(PlanBuilder&&) noexcept = default;
PlanBuilder& PlanBuilder::operator=(PlanBuilder&&) noexcept = default;

std::size_t PlanBuilder::size() const { return impl_->plan->size(); }

std::expected<void, PlanProblem> PlanBuilder::add(const NewSeat& seat) {
  Impl& impl = *impl_;
  std::string& label = impl.scratch;
  label.clear();
  append_label_of(label, seat.section, seat.row, seat.number);
  const auto problem = [&](std::string_view rule, PlanProblem::Kind kind = PlanProblem::Kind::rule) {
    return std::unexpected(
        PlanProblem{"seat " + std::to_string(size() + 1) + " (" + label + ") " + std::string(rule), std::string(rule), kind});
  };
  const auto name_is_good = [](std::string_view name) { return !name.empty() && name.size() <= k_name_bytes_max; };
  if (!name_is_good(seat.section)) return problem("needs a section of 1 to 200 bytes");
  if (!name_is_good(seat.row)) return problem("needs a row of 1 to 200 bytes");
  if (!name_is_good(seat.number)) return problem("needs a number of 1 to 200 bytes");
  if (seat.id.size() > k_seat_id_bytes_max) return problem("has an id of more than 128 bytes");
  if (seat.category >= impl.plan->categories_.size()) return problem("has a category that the plan does not list");
  if (!std::isfinite(seat.x) || !std::isfinite(seat.y)) return problem("has a position that is not a finite number");
  if (size() >= k_seats_per_event_max) return problem("exceeds the maximum of 20,000,000 seats");
  const Fingerprint label_print = fingerprint(label);
  if (impl.labels.contains(label_print)) return problem("has the label of an earlier seat", PlanProblem::Kind::same_label);

  const std::optional<Uuid> uuid = seat.id.empty() ? derived_seat_id(impl.event_id, label) : parse_uuid(seat.id);
  if (uuid && uuid->is_nil()) return problem("has the nil UUID as its id");
  const std::string_view key = uuid ? std::string_view(reinterpret_cast<const char*>(uuid->data), sizeof uuid->data) : seat.id;
  if (!impl.ids.insert(fingerprint(key)).second) return problem("has the id of an earlier seat", PlanProblem::Kind::same_id);
  impl.labels.insert(label_print);
  impl.push_id(seat.id, uuid);
  impl.push_seat(seat.section, seat.row, seat.number, seat.category, seat.x, seat.y);
  return {};
}

std::optional<PlanBuilder> PlanBuilder::decode_header(const Uuid& event_id, Reader& reader) {
  std::vector<Category> categories(reader.varint_max(k_categories_max));
  for (Category& category : categories) {
    category.name = reader.text();
    if (reader.byte() != 0) category.price = Price{reader.signed_varint()};
    category.color = reader.text();
  }
  if (reader.failed()) return std::nullopt;
  return PlanBuilder(event_id, std::move(categories));
}

bool PlanBuilder::decode_seats(Reader& reader) {
  const auto parts = reader.varint();
  for (std::uint64_t part = 0; part < parts && !reader.failed(); ++part) {
    const std::string_view section = reader.text();
    const std::string_view row = reader.text();
    const auto count = reader.varint();
    for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
      const auto opaque_bytes = reader.varint_max(k_seat_id_bytes_max);
      std::optional<Uuid> uuid;
      std::string_view opaque;
      if (opaque_bytes == 0) {
        uuid = reader.uuid();
      } else {
        opaque = reader.bytes(opaque_bytes);
      }
      const std::string_view number = reader.text();
      const auto category = static_cast<std::uint32_t>(reader.varint_max(k_categories_max));
      const float x = reader.real();
      const float y = reader.real();
      if (reader.failed() || category >= impl_->plan->categories_.size() || size() >= k_seats_per_event_max) return false;
      impl_->push_id(opaque, uuid);
      impl_->push_seat(section, row, number, category, x, y);
    }
  }
  return !reader.failed();
}

std::expected<std::shared_ptr<const Plan>, PlanProblem> PlanBuilder::finish() {
  if (size() == 0) return std::unexpected(PlanProblem{"a plan needs at least one seat"});
  Plan& plan = *impl_->plan;
  plan.segments_.shrink_to_fit();
  plan.find_gaps();
  plan.ids_.shrink_to_fit();
  plan.numbers_.shrink_to_fit();
  plan.category_of_.shrink_to_fit();
  plan.x_.shrink_to_fit();
  plan.y_.shrink_to_fit();
  std::shared_ptr<const Plan> done = std::move(impl_->plan);
  impl_ = std::make_unique<Impl>();
  return done;
}

}  // namespace holdfast
