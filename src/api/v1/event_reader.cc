#include "api/v1/event_reader.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cmath>
#include <utility>

#include "api/v1/event_draft.h"
#include "api/v1/event_places.h"
#include "core/ascii.h"
#include "core/limits.h"
#include "json/fields.h"
#include "json/member_names.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_depth_max = 24;
constexpr std::size_t k_text_bytes_max = 1'024;
constexpr std::size_t k_open_members_max = 100'000;   // of all open objects; their names are kept, to find duplicates
constexpr double k_price_max = 1e9;
constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";

struct Point {
  double x = 0, y = 0;
};

// One value, of any simple type.
struct Scalar {
  enum class Type { text, number, flag, null } type;
  std::string_view text{};
  double number = 0;
  bool flag = false;
};

// Whether the `status` of a plan's seat says that it can be sold. Any other word counts as a reason not to sell it.
bool says_available(std::string_view status) {
  return status.empty() || equals_ignoring_case(status, "available") || equals_ignoring_case(status, "free");
}

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

std::optional<std::string_view> check_event_name(std::string_view name) {
  if (name.empty() || name.size() > k_name_bytes_max || is_blank(name)) {
    return "must have 1 to 200 bytes and something other than white space";
  }
  if (has_control_character(name)) return "must not have control characters";
  return std::nullopt;
}

std::optional<EventStatus> event_status_named(std::string_view name) {
  for (const auto status : {EventStatus::draft, EventStatus::on_sale, EventStatus::closed}) {
    if (name == name_of(status)) return status;
  }
  return std::nullopt;
}

// The callbacks of Boost.JSON's parser. They note mistakes and go on. False, with `error` set, stops the parser.
// Names of members, and texts of members that we use, have at most k_text_bytes_max bytes. Other texts may have any length, because they are not
// kept.
class EventReader::Handler : public HandlerWithoutLimits {
 public:
  EventDraft draft;

  bool on_object_begin(Error& error) {
    names_.open();
    return enter(true, error);
  }
  bool on_object_end(std::size_t, Error& error) {
    names_.close();
    return leave(error);
  }
  bool on_array_begin(Error& error) { return enter(false, error); }
  bool on_array_end(std::size_t, Error& error) { return leave(error); }
  bool on_key_part(Text part, std::size_t, Error&) {
    keep(part);
    return true;
  }
  bool on_key(Text part, std::size_t, Error& error) {
    keep(part);
    key_.swap(text_);
    text_.clear();
    if (key_.size() > k_text_bytes_max) return stop("a member's name has more than 1024 bytes", error);
    if (!names_.add(key_)) return stop("Duplicate member " + in_backticks(key_), error);
    if (names_.size() > k_open_members_max) return stop("the objects that are open at one place have more than 100,000 members", error);
    look_up();
    return true;
  }
  bool on_string_part(Text part, std::size_t, Error&) {
    keep(part);
    return true;
  }
  bool on_string(Text part, std::size_t, Error& error) {
    keep(part);
    const bool good = value({.type = Scalar::Type::text, .text = text_}, error);
    text_.clear();
    return good;
  }
  bool on_int64(std::int64_t number, Text, Error& error) { return on_double(static_cast<double>(number), {}, error); }
  bool on_uint64(std::uint64_t number, Text, Error& error) { return on_double(static_cast<double>(number), {}, error); }
  bool on_double(double number, Text, Error& error) { return value({.type = Scalar::Type::number, .number = number}, error); }
  bool on_bool(bool flag, Error& error) { return value({.type = Scalar::Type::flag, .flag = flag}, error); }
  bool on_null(Error& error) { return value({.type = Scalar::Type::null}, error); }

  // Whether it has members of a seats.io chart. A message of its own says so better than a list of mistakes.
  bool looks_like_seatsio() const { return has_subchart_; }

  // Ends the reading, with the reason as the first mistake.
  void end(std::string what) {
    close_open_places();
    draft.note_end(std::move(what));
  }

 private:
  // An object or array that is open.
  struct Level {
    Place place;
    std::uint64_t items = 0;   // of an array: items that have begun
    bool is_not_taken = false;   // the value of an ignored member of a plan
  };

  bool stop(std::string what, Error& error) {
    end(std::move(what));
    error = boost::json::error::syntax;
    return false;
  }
  // Notes a mistake of the member whose value is being read.
  bool wrong(std::string what) {
    const bool is_of_seat = std::ranges::any_of(levels_, [](const Level& level) { return is_seat(level.place); });
    const std::string path = draft.mistakes().is_full() ? "" : path_of_member();
    draft.note("`" + path + "` " + std::move(what), path, is_of_seat ? draft.seats.size() : EventDraft::k_no_seat);
    if (is_of_seat) seat_.is_wrong = true;
    return true;
  }
  bool must_be(std::string_view what) { return wrong("must be " + std::string(what)); }
  static bool is_seat(Place place) { return place == Place::seat || place == Place::seat_of_row; }

  // Keeps one byte more than the limit, so that the checks of lengths refuse a text that is too long.
  void keep(Text part) {
    const std::size_t room = k_text_bytes_max + 1 - text_.size();
    text_.append(part.data(), std::min(part.size(), room));
  }

  // ---- where it is

  // plan.zones[0].rows; as a pattern: zones[].rows
  std::string path_of_levels(bool is_pattern) const {
    std::string path;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      if (i > 0 && is_array(levels_[i - 1].place)) {
        path.append("[").append(is_pattern ? "" : std::to_string(levels_[i - 1].items - 1)).append("]");
      } else if (const std::string_view name = name_of(levels_[i].place); i > 0 && !(is_pattern && levels_[i].place == Place::plan)) {
        path.append(path.empty() ? "" : ".").append(name);
      }
    }
    return path;
  }
  std::string path_of_member() const {
    std::string path = path_of_levels(false);
    if (is_array(levels_.back().place)) return path + "[" + std::to_string(levels_.back().items - 1) + "]";
    return path.append(path.empty() ? "" : ".").append(shown_name(key_));
  }

  // Finds the member that key_ names in the object around it.
  void look_up() {
    const Place place = levels_.back().place;
    if (place == Place::ignored) return;
    member_ = find_member(place, key_);
    is_not_taken_ = false;
    if (member_ != nullptr) return;
    if (place == Place::plan || place == Place::event) has_subchart_ |= key_ == "subChart" || key_ == "subChartFloors";
    if (is_in_plan_) {
      is_not_taken_ = true;
    } else {
      wrong(draft.mistakes().is_full() ? "" : "is unknown; the known members are " + names_of_members(place));
    }
  }

  bool enter(bool is_object, Error& error) {
    if (levels_.empty()) {
      if (!is_object) return stop(must_be_object(), error);
      levels_.push_back({draft.root == Root::event ? Place::event : Place::plan});
      is_in_plan_ = draft.root == Root::plan;
      return true;
    }
    Level& outer = levels_.back();
    ++outer.items;
    Place inner = Place::ignored;
    if (is_array(outer.place)) {
      if (is_object) inner = item_of(outer.place);
      else must_be("an object");
    } else if (outer.place != Place::ignored && member_ != nullptr && member_->inner != Place::ignored) {
      if (member_->inner != Place::none && is_array(member_->inner) != is_object) inner = member_->inner;
      else must_be(member_->must);
    }
    if (outer.place != Place::ignored && is_not_taken_) begin_not_taken(is_object);
    else levels_.push_back({inner});
    begin(inner);
    return true;
  }

  std::string must_be_object() const {
    return draft.root == Root::event ? "The body must be a JSON object" : "A seating plan must be a JSON object";
  }

  void begin_not_taken(bool is_object) {
    not_taken_path_ = not_taken_path();
    not_taken_line_ = draft.line;
    not_taken_is_object_ = is_object;
    is_not_taken_ = false;
    levels_.push_back({.place = Place::ignored, .is_not_taken = true});
  }
  std::string not_taken_path() const {
    std::string path = path_of_levels(true);
    return path.append(path.empty() ? "" : ".").append(shown_name(key_));
  }

  void begin(Place place) {
    switch (place) {
      case Place::plan: draft.has_plan = is_in_plan_ = true; break;
      case Place::seats: draft.has_seats = true; break;
      case Place::zone: zone_name_.clear(), zone_at_ = {}, zone_first_ = draft.seats.size(); break;
      case Place::row: row_name_.clear(), row_at_ = {}, row_first_ = draft.seats.size(); break;
      case Place::seat:
      case Place::seat_of_row:
        seat_ = {}, section_.clear(), row_.clear(), number_.clear(), category_.clear(), seat_at_ = {};
        seat_.line = static_cast<std::uint32_t>(std::min<std::uint64_t>(draft.line, UINT32_MAX));
        break;
      case Place::category: category_read_ = {}, category_is_wrong_ = false; break;
      default: break;
    }
  }

  bool leave(Error& error) {
    const Level level = levels_.back();
    levels_.pop_back();
    if (level.is_not_taken) {
      // Nothing is lost with an empty array.
      if (not_taken_is_object_ || level.items > 0)
        draft.not_taken.add(not_taken_path_, not_taken_is_object_ ? 1 : level.items, not_taken_line_);
      return true;
    }
    switch (level.place) {
      case Place::plan: is_in_plan_ = false; return true;
      case Place::seat:
      case Place::seat_of_row: return end_seat(level.place == Place::seat, error);
      case Place::row: end_row(); return has_room_for_names(error);
      case Place::zone: end_zone(); return has_room_for_names(error);
      case Place::category: return end_category(error);
      default: return true;
    }
  }

  // The name and the position of a row may follow its seats in the text.
  void end_row() { place_seats(row_first_, row_name_, row_at_, &ReadSeat::row); }
  void end_zone() { place_seats(zone_first_, zone_name_, zone_at_, &ReadSeat::section); }
  void place_seats(std::size_t first, const std::string& called, const Point& at, std::uint32_t ReadSeat::* part) {
    if (first == draft.seats.size()) return;
    const std::uint32_t name = draft.texts.number(called);
    for (std::size_t i = first; i < draft.seats.size(); ++i) {
      draft.seats[i].*part = name;
      draft.seats[i].x += static_cast<float>(at.x);
      draft.seats[i].y += static_cast<float>(at.y);
    }
  }
  // Gives names to the seats of a text that ends early.
  void close_open_places() {
    for (; !levels_.empty(); levels_.pop_back()) {
      if (levels_.back().place == Place::row) end_row();
      if (levels_.back().place == Place::zone) end_zone();
      if (is_seat(levels_.back().place)) push_seat(levels_.back().place == Place::seat);
    }
  }

  bool end_seat(bool from_list, Error& error) {
    if (draft.seats.size() >= k_seats_per_event_max) return stop("there are more than 20,000,000 seats", error);
    push_seat(from_list);
    return has_room_for_names(error);
  }
  bool has_room_for_names(Error& error) {
    return !draft.texts.is_full() || stop("the names of sections, rows, seats and categories have more than 256 MiB together", error);
  }
  void push_seat(bool from_list) {
    seat_.number = draft.texts.number(number_);
    seat_.category = draft.texts.number(category_);
    seat_.x = static_cast<float>(seat_at_.x);
    seat_.y = static_cast<float>(seat_at_.y);
    if (from_list) {
      seat_.section = draft.texts.number(section_);
      seat_.row = draft.texts.number(row_);
    }
    draft.seats.push_back(std::move(seat_));
  }

  bool end_category(Error& error) {
    auto& categories = is_in_plan_ ? draft.plan_categories : draft.event_categories;
    const std::string path = path_of_levels(false) + "[" + std::to_string(levels_.back().items - 1) + "]";
    if (category_read_.name.empty()) {
      if (!category_is_wrong_) draft.note("`" + path + "` needs a `name` of 1 to 200 bytes", path);
      return true;
    }
    auto& names = is_in_plan_ ? plan_category_names_ : event_category_names_;
    if (names.contains(category_read_.name)) {
      draft.note("`" + path + "` has the name " + in_backticks(category_read_.name) + " of an earlier category", path);
      return true;
    }
    if (categories.size() >= k_categories_max) return stop("there are more than 1000 `categories`", error);
    names.insert(category_read_.name);
    categories.push_back(category_read_);
    return true;
  }

  // ---- values

  bool value(const Scalar& scalar, Error& error) {
    if (levels_.empty()) return stop(must_be_object(), error);
    Level& outer = levels_.back();
    ++outer.items;
    if (outer.place == Place::ignored) return true;
    if (is_array(outer.place)) return must_be("an object");
    if (std::exchange(is_not_taken_, false)) {
      if (scalar.type != Scalar::Type::null) draft.not_taken.add(not_taken_path(), 1, draft.line);
      return true;
    }
    if (member_ == nullptr || member_->inner == Place::ignored) return true;
    if (member_->inner != Place::none) {
      return (member_->may_be_null && scalar.type == Scalar::Type::null) || must_be(member_->must);
    }
    switch (outer.place) {
      case Place::event: return event_member(scalar);
      case Place::limits: return limit_member(scalar);
      case Place::zone: return text_member(scalar, zone_name_, k_name_bytes_max);
      case Place::row: return name_member(scalar, row_name_);
      case Place::seat_of_row: return seat_of_row_member(scalar);
      case Place::seat: return seat_member(scalar);
      case Place::position: return position_member(scalar);
      case Place::category: return category_member(scalar);
      default: return true;
    }
  }

  bool text_member(const Scalar& scalar, std::string& into, std::size_t bytes_max = k_text_bytes_max) {
    if (scalar.type != Scalar::Type::text) return must_be(member_->must);
    if (scalar.text.size() > bytes_max) return wrong("has more than " + std::to_string(bytes_max) + " bytes");
    if (has_control_character(scalar.text)) return wrong("must not have control characters");
    into = scalar.text;
    return true;
  }
  // The name of a section, row or seat. Many plans write it as a number.
  bool name_member(const Scalar& scalar, std::string& into) {
    if (scalar.type != Scalar::Type::number) return text_member(scalar, into, k_name_bytes_max);
    if (std::trunc(scalar.number) != scalar.number || std::abs(scalar.number) > 1e15) return must_be(member_->must);
    into = std::to_string(static_cast<std::int64_t>(scalar.number));
    return true;
  }
  bool whole_member(const Scalar& scalar, std::int64_t& into, std::int64_t least, std::int64_t most) {
    const bool good = scalar.type == Scalar::Type::number && std::trunc(scalar.number) == scalar.number &&
                      scalar.number >= static_cast<double>(least) && scalar.number <= static_cast<double>(most);
    if (!good) return must_be(member_->must);
    into = static_cast<std::int64_t>(scalar.number);
    return true;
  }
  bool coordinate(const Scalar& scalar, double& into) {
    if (scalar.type == Scalar::Type::null) return true;
    if (scalar.type != Scalar::Type::number || std::abs(scalar.number) > 1e9) return must_be(member_->must);
    into = scalar.number;
    return true;
  }

  bool event_member(const Scalar& scalar) {
    std::string text;
    if (key_ == "name") return text_member(scalar, draft.settings.name);
    if (scalar.type == Scalar::Type::null) return true;
    if (key_ == "keepIds") {
      if (scalar.type != Scalar::Type::flag) return must_be(member_->must);
      draft.keep_ids = scalar.flag;
      return true;
    }
    if (key_ == "holdSeconds") return whole_member(scalar, draft.settings.hold_seconds, 1, k_hold_seconds_max);
    if (key_ == "maxHoldSeconds") return whole_member(scalar, draft.settings.max_hold_seconds, 1, k_hold_seconds_max);
    const std::size_t before = draft.mistakes().count();
    text_member(scalar, text);
    return draft.mistakes().count() > before || event_text(text);
  }
  bool event_text(const std::string& text) {
    if (key_ == "id") {
      const auto id = parse_uuid(text);
      if (!id || id->is_nil()) return must_be(member_->must);
      draft.card.id = *id;
      draft.has_id = true;
    } else if (key_ == "startsAt") {
      const auto time = parse_rfc3339(text);
      if (!time) return must_be(member_->must);
      draft.settings.starts_at = *time;
    } else if (key_ == "venue") {
      if (text.size() > k_name_bytes_max) return wrong("has more than 200 bytes");
      draft.card.venue = text;
    } else if (key_ == "currency") {
      if (text.size() != 3 || text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) return must_be(member_->must);
      draft.card.currency = text;
    } else if (key_ == "status") {
      const auto status = event_status_named(text);
      if (!status) return must_be(member_->must);
      draft.settings.status = *status;
    }
    return true;
  }

  bool limit_member(const Scalar& scalar) {
    if (scalar.type == Scalar::Type::null) return true;
    std::int64_t number = -1;
    if (key_ == "seatsPerReservation") {
      whole_member(scalar, number, 1, k_seats_per_reservation_max);
      if (number >= 0) draft.settings.limits.seats_per_reservation = static_cast<std::uint32_t>(number);
    } else if (key_ == "heldSeatsPerCustomer") {
      whole_member(scalar, number, 0, k_held_seats_per_customer_max);
      if (number >= 0) draft.settings.limits.held_seats_per_customer = static_cast<std::uint32_t>(number);
    }
    return true;
  }

  bool seat_of_row_member(const Scalar& scalar) {
    if (key_ == "seat_guid") return scalar.type == Scalar::Type::null || text_member(scalar, seat_.id);
    if (key_ == "seat_number") return name_member(scalar, number_);
    if (key_ == "category") return text_member(scalar, category_, k_name_bytes_max);
    if (key_ != "status" || scalar.type == Scalar::Type::null) return true;
    if (scalar.type != Scalar::Type::text) return must_be(member_->must);
    seat_.is_taken = !says_available(scalar.text);
    return true;
  }

  bool seat_member(const Scalar& scalar) {
    if (key_ == "id") return scalar.type == Scalar::Type::null || text_member(scalar, seat_.id);
    if (key_ == "section") return name_member(scalar, section_);
    if (key_ == "row") return name_member(scalar, row_);
    if (key_ == "number") return name_member(scalar, number_);
    if (key_ == "category") return text_member(scalar, category_, k_name_bytes_max);
    return coordinate(scalar, key_ == "x" ? seat_at_.x : seat_at_.y);
  }

  bool position_member(const Scalar& scalar) {
    const Place of = levels_[levels_.size() - 2].place;
    Point& point = of == Place::zone ? zone_at_ : of == Place::row ? row_at_ : seat_at_;
    return coordinate(scalar, key_ == "x" ? point.x : point.y);
  }

  bool category_member(const Scalar& scalar) {
    if (key_ == "name") {
      std::string name;
      const std::size_t before = draft.mistakes().count();
      text_member(scalar, name);
      if (name.size() > k_name_bytes_max) must_be(member_->must);
      category_is_wrong_ = draft.mistakes().count() > before;
      if (!category_is_wrong_) category_read_.name = name;
      return true;
    }
    if (scalar.type == Scalar::Type::null) return true;
    if (key_ == "color") {
      std::string color;
      text_member(scalar, color);
      if (color.size() > k_color_bytes_max) return must_be(member_->must);
      category_read_.color = color;
      return true;
    }
    const double exact = scalar.number * 10'000;
    const bool good = scalar.type == Scalar::Type::number && scalar.number >= 0 && scalar.number <= k_price_max &&
                      std::abs(exact - std::round(exact)) < 1e-3;
    if (!good) return must_be(member_->must);
    category_read_.price = Price{std::llround(exact)};
    return true;
  }

  static constexpr std::size_t k_color_bytes_max = 64;

  std::vector<Level> levels_;
  MemberNames names_;
  std::string key_;
  const Member* member_ = nullptr;   // the member that key_ names; nullptr: the object has none of that name
  bool is_not_taken_ = false;   // key_ is an ignored member of a plan, and its value comes next
  bool is_in_plan_ = false;
  bool has_subchart_ = false;
  std::string text_;
  std::string zone_name_, row_name_, section_, row_, number_, category_;
  Point zone_at_, row_at_, seat_at_;
  std::size_t zone_first_ = 0, row_first_ = 0;
  ReadSeat seat_;
  Category category_read_;
  bool category_is_wrong_ = false;
  boost::unordered_flat_set<std::string> event_category_names_, plan_category_names_;
  std::string not_taken_path_;
  std::uint64_t not_taken_line_ = 0;
  bool not_taken_is_object_ = false;
};

struct EventReader::Parser {
  Parser()
      : json([] {
          boost::json::parse_options options;
          options.max_depth = k_depth_max;
          return options;
        }()) {}

  // Reads a line or a part of one, so that the line of a mistake is known. Costs nothing in a text without line ends.
  bool read_line(std::string_view part) {
    boost::json::error_code error;
    const std::size_t read = json.write_some(true, part.data(), part.size(), error);
    if (!error && read == part.size()) return true;
    failed = true;
    Handler& handler = json.handler();
    if (handler.draft.has_ended()) return false;
    if (!error) {   // the parser would read the rest as another text, and add its members to those of the first
      handler.end("there is more text after the end of the JSON value");
      return false;
    }
    const bool is_deep = error == boost::json::error::too_deep;
    handler.end(is_deep ? "the text is nested more than 24 levels deep" : "the text is not JSON: " + error.message());
    return false;
  }

  // Skips a byte order mark, or the next part of one.
  std::string_view after_mark(std::string_view part) {
    while (mark_read < k_byte_order_mark.size() && !part.empty() && part.front() == k_byte_order_mark[mark_read]) {
      part.remove_prefix(1);
      ++mark_read;
    }
    if (!part.empty() && mark_read > 0 && mark_read < k_byte_order_mark.size()) {
      const std::string_view begun = k_byte_order_mark.substr(0, mark_read);
      mark_read = k_byte_order_mark.size();
      read_line(begun);   // it was not a byte order mark; the parser refuses it
    }
    if (!part.empty()) mark_read = k_byte_order_mark.size();
    return part;
  }

  boost::json::basic_parser<Handler> json;
  bool failed = false;
  std::size_t mark_read = 0;
};

EventReader::EventReader(Root root, Defaults defaults) : parser_(new Parser) {
  Handler& handler = parser_->json.handler();
  handler.draft.root = root;
  handler.draft.settings.name = defaults.name;
  if (defaults.id) handler.draft.card.id = *defaults.id;
  handler.draft.defaults = std::move(defaults);
}

EventReader::~EventReader() = default;

bool EventReader::feed(std::string_view part) {
  if (!parser_->failed) part = parser_->after_mark(part);
  while (!parser_->failed && !part.empty()) {
    const std::size_t end = std::min(part.find('\n'), part.size() - 1) + 1;
    const bool has_line_end = part[end - 1] == '\n';
    if (!parser_->read_line(part.substr(0, end))) break;
    if (has_line_end) ++parser_->json.handler().draft.line;
    part.remove_prefix(end);
  }
  return !parser_->failed;
}

bool EventReader::has_id() const { return parser_->json.handler().draft.has_id; }

std::expected<ReadEvent, Mistakes> EventReader::finish() {
  Handler& read = parser_->json.handler();
  if (!parser_->failed) {
    boost::json::error_code error;
    parser_->json.write_some(false, nullptr, 0, error);
    if (error || !parser_->json.done()) {
      parser_->failed = true;
      // A number ends only with the text; its mistake has been noted by then.
      if (!read.draft.has_ended()) read.end("the text is not JSON: it is incomplete");
    }
  }
  if (read.looks_like_seatsio()) {
    Mistakes only;
    only.add(
        {.what =
             "This looks like a chart of seats.io (it has `subChart`), which Holdfast does not read. It takes a seating plan in the open "
             "pretix format, with `categories` and `zones`, or a list of `seats`"});
    return std::unexpected(std::move(only));
  }
  return read.draft.make();
}

}   // namespace holdfast::api
