#include "api/event_reader.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cmath>

#include "api/call.h"
#include "api/member_names.h"
#include "api/random.h"
#include "core/limits.h"

namespace holdfast::api {
namespace {

constexpr std::size_t k_depth_max = 24;
constexpr std::size_t k_text_bytes_max = 1'024;
constexpr std::size_t k_open_members_max = 100'000;   // of the objects that are open: their names are kept, to find duplicates
constexpr double k_price_max = 1e9;

// Where in the document the reader is: what kind of object or array.
enum class Place {
  event,
  limits,
  plan,
  zones,
  zone,
  rows,
  row,
  seats_of_row,
  seat_of_row,
  position,
  categories,
  category,
  seats,
  seat,
  ignored,   // a member that is not ours, with all that is in it
};

// A seat as it was read: texts by their number, the category by name.
struct ReadSeat {
  std::string id;
  std::uint32_t section = 0, row = 0, number = 0, category = 0;
  float x = 0, y = 0;
};

struct Point {
  double x = 0, y = 0;
};

// Each different text once.
class Texts {
 public:
  std::uint32_t number(std::string_view text) {
    const auto [at, is_new] = numbers_.try_emplace(std::string(text), static_cast<std::uint32_t>(texts_.size()));
    if (is_new) texts_.emplace_back(text);
    return at->second;
  }
  const std::string& operator[](std::uint32_t number) const { return texts_[number]; }
  std::size_t size() const { return texts_.size(); }

 private:
  std::vector<std::string> texts_;
  boost::unordered_flat_map<std::string, std::uint32_t> numbers_;
};

// One value, of any simple type.
struct Scalar {
  enum class Type { text, number, flag, null } type;
  std::string_view text{};
  double number = 0;
  bool flag = false;
};

std::optional<EventStatus> status_named(std::string_view name) {
  if (name == "draft") return EventStatus::draft;
  if (name == "on_sale") return EventStatus::on_sale;
  if (name == "closed") return EventStatus::closed;
  return std::nullopt;
}

// What is wrong with the settings of a new event, or nothing.
std::optional<std::string> check_settings(const EventSettings& settings) {
  if (auto problem = check_event_name(settings.name)) return problem;
  if (settings.hold_seconds < 1 || settings.hold_seconds > k_hold_seconds_max)
    return "`holdSeconds` must be a whole number from 1 to 86400.";
  if (settings.max_hold_seconds < 1 || settings.max_hold_seconds > k_hold_seconds_max) {
    return "`maxHoldSeconds` must be a whole number from 1 to 86400.";
  }
  if (settings.hold_seconds > settings.max_hold_seconds) return "`holdSeconds` must not be more than `maxHoldSeconds`.";
  if (settings.limits.seats_per_reservation < 1 || settings.limits.seats_per_reservation > k_seats_per_reservation_max) {
    return "`limits.seatsPerReservation` must be a whole number from 1 to 1000.";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check_event_name(std::string_view name) {
  if (name.empty() || name.size() > k_name_bytes_max || is_blank(name)) {
    return "`name` must have 1 to 200 bytes and something other than white space.";
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (std::ranges::any_of(name, is_control)) return "`name` must not have control characters.";
  return std::nullopt;
}

// The callbacks of Boost.JSON's parser. Each returns false to stop; `problem` says why.
class EventReader::Handler {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  // Of names and of our own members' texts k_text_bytes_max holds; other texts may be as long as they like, and are not kept.
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Error = boost::json::error_code;
  using Text = boost::json::string_view;

  Root root = Root::event;
  Defaults defaults;
  std::string problem;

  EventSettings settings;
  EventCard card;
  std::optional<bool> keep_ids;
  bool has_id = false;
  bool has_seats = false;
  bool has_plan = false;
  std::vector<Category> event_categories;
  std::vector<Category> plan_categories;
  std::vector<ReadSeat> seats;
  Texts texts;

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
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
    if (key_.size() > k_text_bytes_max) return wrong("a member's name has more than 1024 bytes.", error);
    if (!names_.add(key_)) return wrong(duplicate_member(key_), error);
    if (names_.size() > k_open_members_max) return wrong("the objects around one place have more than 100,000 members.", error);
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
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(std::int64_t number, Text, Error& error) {
    return value({.type = Scalar::Type::number, .number = static_cast<double>(number)}, error);
  }
  bool on_uint64(std::uint64_t number, Text, Error& error) {
    return value({.type = Scalar::Type::number, .number = static_cast<double>(number)}, error);
  }
  bool on_double(double number, Text, Error& error) { return value({.type = Scalar::Type::number, .number = number}, error); }
  bool on_bool(bool flag, Error& error) { return value({.type = Scalar::Type::flag, .flag = flag}, error); }
  bool on_null(Error& error) { return value({.type = Scalar::Type::null}, error); }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }

 private:
  bool wrong(std::string what, Error& error) {
    problem = std::move(what);
    error = boost::json::error::syntax;
    return false;
  }

  // What is over the limit is cut; the one byte more makes the checks of lengths refuse it.
  void keep(Text part) {
    const std::size_t room = k_text_bytes_max + 1 - text_.size();
    text_.append(part.data(), std::min(part.size(), room));
  }

  bool enter(bool is_object, Error& error) {
    if (places_.empty()) {
      if (!is_object)
        return wrong(root == Root::event ? "The body must be a JSON object." : "A seating plan must be a JSON object.", error);
      places_.push_back(root == Root::event ? Place::event : Place::plan);
      return true;
    }
    const std::optional<Place> inner = inside(is_object);
    if (!inner)
      return wrong("`" + key_ + "` must be " + (is_object ? "something other than an object." : "something other than an array."), error);
    begin(*inner);
    places_.push_back(*inner);
    return true;
  }

  // Which place an object or array is, from where it stands; nothing when it may not stand there.
  std::optional<Place> inside(bool is_object) const {
    const Place outer = places_.back();
    const auto object_named = [&](std::string_view name) { return is_object && key_ == name; };
    const auto array_named = [&](std::string_view name) { return !is_object && key_ == name; };
    switch (outer) {
      case Place::event:
        if (object_named("plan")) return Place::plan;
        if (object_named("limits")) return Place::limits;
        if (array_named("seats")) return Place::seats;
        if (array_named("categories")) return Place::categories;
        return is_member_of_event(key_) ? std::nullopt : std::optional(Place::ignored);
      case Place::plan:
        if (array_named("zones")) return Place::zones;
        if (array_named("categories")) return Place::categories;
        if (key_ == "zones" || key_ == "categories") return std::nullopt;
        return Place::ignored;
      case Place::zones: return is_object ? std::optional(Place::zone) : std::nullopt;
      case Place::rows: return is_object ? std::optional(Place::row) : std::nullopt;
      case Place::seats_of_row: return is_object ? std::optional(Place::seat_of_row) : std::nullopt;
      case Place::seats: return is_object ? std::optional(Place::seat) : std::nullopt;
      case Place::categories: return is_object ? std::optional(Place::category) : std::nullopt;
      case Place::zone:
        if (array_named("rows")) return Place::rows;
        if (object_named("position")) return Place::position;
        return key_ == "rows" || key_ == "name" || key_ == "position" ? std::nullopt : std::optional(Place::ignored);
      case Place::row:
        if (array_named("seats")) return Place::seats_of_row;
        if (object_named("position")) return Place::position;
        return key_ == "seats" || key_ == "row_number" || key_ == "position" ? std::nullopt : std::optional(Place::ignored);
      case Place::seat_of_row:
        if (object_named("position")) return Place::position;
        return key_ == "seat_guid" || key_ == "seat_number" || key_ == "category" || key_ == "position" ? std::nullopt
                                                                                                        : std::optional(Place::ignored);
      case Place::seat: {
        const bool ours =
            key_ == "id" || key_ == "section" || key_ == "row" || key_ == "number" || key_ == "category" || key_ == "x" || key_ == "y";
        return ours ? std::nullopt : std::optional(Place::ignored);
      }
      case Place::category: return key_ == "name" || key_ == "price" || key_ == "color" ? std::nullopt : std::optional(Place::ignored);
      case Place::limits:
        return key_ == "seatsPerReservation" || key_ == "heldSeatsPerCustomer" ? std::nullopt : std::optional(Place::ignored);
      case Place::position: return key_ == "x" || key_ == "y" ? std::nullopt : std::optional(Place::ignored);
      case Place::ignored: return Place::ignored;
    }
    return Place::ignored;
  }

  static bool is_member_of_event(std::string_view key) {
    for (const char* each : {"id", "name", "startsAt", "venue", "currency", "categories", "plan", "seats", "holdSeconds", "maxHoldSeconds",
                             "limits", "status", "keepIds"}) {
      if (key == each) return true;
    }
    return false;
  }

  void begin(Place place) {
    switch (place) {
      case Place::plan: has_plan = true; break;
      case Place::seats: has_seats = true; break;
      case Place::zone: zone_name_.clear(), zone_at_ = {}, zone_first_ = seats.size(); break;
      case Place::row: row_name_.clear(), row_at_ = {}, row_first_ = seats.size(); break;
      case Place::seat:
      case Place::seat_of_row: seat_ = {}, section_.clear(), row_.clear(), number_.clear(), category_.clear(), seat_at_ = {}; break;
      case Place::category: category_read_ = {}; break;
      default: break;
    }
  }

  bool leave(Error& error) {
    const Place place = places_.back();
    places_.pop_back();
    switch (place) {
      case Place::seat:
      case Place::seat_of_row: return end_seat(place == Place::seat, error);
      case Place::row:
        // The name and position of a row may stand behind its seats.
        for (std::size_t i = row_first_; i < seats.size(); ++i) {
          seats[i].row = texts.number(row_name_);
          seats[i].x += static_cast<float>(row_at_.x);
          seats[i].y += static_cast<float>(row_at_.y);
        }
        return true;
      case Place::zone:
        for (std::size_t i = zone_first_; i < seats.size(); ++i) {
          seats[i].section = texts.number(zone_name_);
          seats[i].x += static_cast<float>(zone_at_.x);
          seats[i].y += static_cast<float>(zone_at_.y);
        }
        return true;
      case Place::category: {
        if (category_read_.name.empty()) return wrong("each of `categories` needs a `name` of 1 to 200 bytes.", error);
        const bool of_plan = places_.size() >= 2 && places_[places_.size() - 2] == Place::plan;
        auto& categories = of_plan ? plan_categories : event_categories;
        const bool again = std::ranges::find(categories, category_read_.name, &Category::name) != categories.end();
        if (again) return wrong("`categories` has the name `" + category_read_.name + "` twice.", error);
        if (categories.size() >= k_categories_max) return wrong("there are more than 1000 `categories`.", error);
        categories.push_back(category_read_);
        return true;
      }
      default: return true;
    }
  }

  bool end_seat(bool from_list, Error& error) {
    if (seats.size() >= k_seats_per_event_max) return wrong("there are more than 20,000,000 seats.", error);
    seat_.number = texts.number(number_);
    seat_.category = texts.number(category_);
    seat_.x = static_cast<float>(seat_at_.x);
    seat_.y = static_cast<float>(seat_at_.y);
    if (from_list) {
      seat_.section = texts.number(section_);
      seat_.row = texts.number(row_);
    }
    seats.push_back(std::move(seat_));
    return true;
  }

  // ---- values

  bool value(const Scalar& scalar, Error& error) {
    if (places_.empty())
      return wrong(root == Root::event ? "The body must be a JSON object." : "A seating plan must be a JSON object.", error);
    switch (places_.back()) {
      case Place::event: return event_member(scalar, error);
      case Place::limits: return limit_member(scalar, error);
      case Place::zone:
        if (key_ == "rows") return wrong("`rows` must be an array.", error);
        return key_ != "name" || text_member(scalar, zone_name_, "name", error);
      case Place::row:
        if (key_ == "seats") return wrong("`seats` must be an array.", error);
        return key_ != "row_number" || name_member(scalar, row_name_, "row_number", error);
      case Place::seat_of_row: return seat_of_row_member(scalar, error);
      case Place::seat: return seat_member(scalar, error);
      case Place::position: return position_member(scalar, error);
      case Place::category: return category_member(scalar, error);
      case Place::zones:
      case Place::rows:
      case Place::seats_of_row:
      case Place::seats:
      case Place::categories: return wrong("`" + key_ + "` must have objects in it.", error);
      case Place::plan:
        if (key_ == "zones" || key_ == "categories") return wrong("`" + key_ + "` must be an array.", error);
        return true;
      case Place::ignored: return true;
    }
    return true;
  }

  bool text_member(const Scalar& scalar, std::string& into, std::string_view name, Error& error) {
    if (scalar.type != Scalar::Type::text) return wrong("`" + std::string(name) + "` must be a string.", error);
    if (scalar.text.size() > k_text_bytes_max) return wrong("`" + std::string(name) + "` is too long.", error);
    for (const char c : scalar.text) {
      if (static_cast<unsigned char>(c) < 0x20) return wrong("`" + std::string(name) + "` must not have control characters.", error);
    }
    into = scalar.text;
    return true;
  }
  // The name of a row or a seat: many plans write numbers.
  bool name_member(const Scalar& scalar, std::string& into, std::string_view name, Error& error) {
    if (scalar.type != Scalar::Type::number) return text_member(scalar, into, name, error);
    if (std::trunc(scalar.number) != scalar.number || std::abs(scalar.number) > 1e15) {
      return wrong("`" + std::string(name) + "` must be a string or a whole number.", error);
    }
    into = std::to_string(static_cast<std::int64_t>(scalar.number));
    return true;
  }
  bool whole_member(const Scalar& scalar, std::int64_t& into, std::string_view name, std::int64_t least, std::int64_t most, Error& error) {
    const bool good = scalar.type == Scalar::Type::number && std::trunc(scalar.number) == scalar.number &&
                      scalar.number >= static_cast<double>(least) && scalar.number <= static_cast<double>(most);
    if (!good) {
      return wrong("`" + std::string(name) + "` must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ".",
                   error);
    }
    into = static_cast<std::int64_t>(scalar.number);
    return true;
  }
  bool coordinate(const Scalar& scalar, double& into, Error& error) {
    if (scalar.type == Scalar::Type::null) return true;
    if (scalar.type != Scalar::Type::number || std::abs(scalar.number) > 1e9)
      return wrong("`" + key_ + "` must be a number of at most 1e9.", error);
    into = scalar.number;
    return true;
  }

  bool event_member(const Scalar& scalar, Error& error) {
    std::string text;
    if (key_ == "name") return text_member(scalar, settings.name, key_, error);
    if (key_ == "plan" || key_ == "seats" || key_ == "categories" || key_ == "limits") {
      const bool array = key_ == "seats" || key_ == "categories";
      return wrong("`" + key_ + "` must be " + (array ? "an array." : "an object."), error);
    }
    if (scalar.type == Scalar::Type::null) return true;
    if (key_ == "id") {
      if (!text_member(scalar, text, key_, error)) return false;
      const auto id = parse_uuid(text);
      if (!id || id->is_nil()) return wrong("`id` must be a UUID, and not the nil one.", error);
      card.id = *id;
      has_id = true;
      return true;
    }
    if (key_ == "startsAt") {
      if (!text_member(scalar, text, key_, error)) return false;
      const auto time = parse_rfc3339(text);
      if (!time) return wrong("`startsAt` must be a time as RFC 3339 writes it.", error);
      settings.starts_at = *time;
      return true;
    }
    if (key_ == "venue") {
      if (!text_member(scalar, card.venue, key_, error)) return false;
      return card.venue.size() <= k_name_bytes_max || wrong("`venue` must have at most 200 bytes.", error);
    }
    if (key_ == "currency") {
      if (!text_member(scalar, card.currency, key_, error)) return false;
      const bool good = card.currency.size() == 3 && card.currency.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
      return good || wrong("`currency` must be three letters, as ISO 4217 has them: EUR.", error);
    }
    if (key_ == "status") {
      if (!text_member(scalar, text, key_, error)) return false;
      const auto status = status_named(text);
      if (!status) return wrong("`status` must be draft, on_sale or closed.", error);
      settings.status = *status;
      return true;
    }
    if (key_ == "keepIds") {
      if (scalar.type != Scalar::Type::flag) return wrong("`keepIds` must be true or false.", error);
      keep_ids = scalar.flag;
      return true;
    }
    if (key_ == "holdSeconds") return whole_member(scalar, settings.hold_seconds, key_, 1, k_hold_seconds_max, error);
    if (key_ == "maxHoldSeconds") return whole_member(scalar, settings.max_hold_seconds, key_, 1, k_hold_seconds_max, error);
    return true;   // members that are not ours
  }

  bool limit_member(const Scalar& scalar, Error& error) {
    if (scalar.type == Scalar::Type::null) return true;
    std::int64_t number = 0;
    if (key_ == "seatsPerReservation") {
      if (!whole_member(scalar, number, "limits.seatsPerReservation", 1, k_seats_per_reservation_max, error)) return false;
      settings.limits.seats_per_reservation = static_cast<std::uint32_t>(number);
    } else if (key_ == "heldSeatsPerCustomer") {
      if (!whole_member(scalar, number, "limits.heldSeatsPerCustomer", 0, 1'000'000, error)) return false;
      settings.limits.held_seats_per_customer = static_cast<std::uint32_t>(number);
    }
    return true;
  }

  bool seat_of_row_member(const Scalar& scalar, Error& error) {
    if (key_ == "seat_guid") return scalar.type == Scalar::Type::null || text_member(scalar, seat_.id, key_, error);
    if (key_ == "seat_number") return name_member(scalar, number_, key_, error);
    if (key_ == "category") return text_member(scalar, category_, key_, error);
    return true;
  }

  bool seat_member(const Scalar& scalar, Error& error) {
    if (key_ == "id") return scalar.type == Scalar::Type::null || text_member(scalar, seat_.id, "seats.id", error);
    if (key_ == "section") return name_member(scalar, section_, "seats.section", error);
    if (key_ == "row") return name_member(scalar, row_, "seats.row", error);
    if (key_ == "number") return name_member(scalar, number_, "seats.number", error);
    if (key_ == "category") return text_member(scalar, category_, "seats.category", error);
    if (key_ == "x") return coordinate(scalar, seat_at_.x, error);
    if (key_ == "y") return coordinate(scalar, seat_at_.y, error);
    return true;
  }

  bool position_member(const Scalar& scalar, Error& error) {
    const Place of = places_[places_.size() - 2];
    Point& point = of == Place::zone ? zone_at_ : of == Place::row ? row_at_ : seat_at_;
    if (key_ == "x") return coordinate(scalar, point.x, error);
    if (key_ == "y") return coordinate(scalar, point.y, error);
    return true;
  }

  bool category_member(const Scalar& scalar, Error& error) {
    if (key_ == "name") {
      if (!text_member(scalar, category_read_.name, "categories.name", error)) return false;
      return category_read_.name.size() <= k_name_bytes_max || wrong("`categories.name` must have at most 200 bytes.", error);
    }
    if (key_ == "color") {
      if (scalar.type == Scalar::Type::null) return true;
      if (!text_member(scalar, category_read_.color, "categories.color", error)) return false;
      return category_read_.color.size() <= 64 || wrong("`categories.color` must have at most 64 bytes.", error);
    }
    if (key_ == "price") {
      if (scalar.type == Scalar::Type::null) return true;
      const double exact = scalar.number * 10'000;
      const bool good = scalar.type == Scalar::Type::number && scalar.number >= 0 && scalar.number <= k_price_max &&
                        std::abs(exact - std::round(exact)) < 1e-3;
      if (!good) return wrong("`categories.price` must be a number from 0 to 1e9 with at most four decimals.", error);
      category_read_.price = Price{std::llround(exact)};
    }
    return true;
  }

  std::vector<Place> places_;
  MemberNames names_;
  std::string key_;
  std::string text_;
  std::string zone_name_, row_name_, section_, row_, number_, category_;
  Point zone_at_, row_at_, seat_at_;
  std::size_t zone_first_ = 0, row_first_ = 0;
  ReadSeat seat_;
  Category category_read_;
};

struct EventReader::Parser {
  Parser()
      : json([] {
          boost::json::parse_options options;
          options.max_depth = k_depth_max;
          return options;
        }()) {}
  boost::json::basic_parser<Handler> json;
  bool failed = false;
};

EventReader::EventReader(Root root, Defaults defaults) : parser_(new Parser) {
  Handler& handler = parser_->json.handler();
  handler.root = root;
  handler.settings.name = defaults.name;
  if (defaults.id) handler.card.id = *defaults.id;
  handler.defaults = std::move(defaults);
}

EventReader::~EventReader() = default;

bool EventReader::feed(std::string_view part) {
  if (parser_->failed) return false;
  boost::json::error_code error;
  parser_->json.write_some(true, part.data(), part.size(), error);
  if (!error) return true;
  parser_->failed = true;
  std::string& problem = parser_->json.handler().problem;
  if (problem.empty()) problem = "The body is not JSON: " + error.message() + ".";
  return false;
}

const std::string& EventReader::problem() const { return parser_->json.handler().problem; }

bool EventReader::has_id() const { return parser_->json.handler().has_id; }

std::expected<NewEvent, std::string> EventReader::finish() {
  Handler& read = parser_->json.handler();
  if (!parser_->failed) {
    boost::json::error_code error;
    parser_->json.write_some(false, nullptr, 0, error);
    if (error || !parser_->json.done()) parser_->failed = true;
  }
  if (parser_->failed) return std::unexpected(read.problem.empty() ? "The body is not JSON: it is incomplete." : read.problem);
  const bool is_plan = read.root == Root::plan;
  if (!is_plan && read.has_plan && read.has_seats) return std::unexpected("`plan` and `seats` are two lists of seats; send one.");
  if (!is_plan && !read.has_plan && !read.has_seats) return std::unexpected("`plan` or `seats` is missing.");
  if (auto problem = check_settings(read.settings)) return std::unexpected(std::move(*problem));

  // The event's own categories say more about those of its plan, by name.
  std::vector<Category> categories = read.plan_categories;
  boost::unordered_flat_map<std::string, std::uint32_t> category_numbers;
  for (std::uint32_t i = 0; i < categories.size(); ++i) category_numbers.emplace(categories[i].name, i);
  for (const Category& category : read.event_categories) {
    const auto [at, is_new] = category_numbers.emplace(category.name, static_cast<std::uint32_t>(categories.size()));
    if (is_new) {
      categories.push_back(category);
    } else {
      if (category.price) categories[at->second].price = category.price;
      if (!category.color.empty()) categories[at->second].color = category.color;
    }
  }
  if (categories.size() > k_categories_max) return std::unexpected("there are more than 1000 `categories`.");

  NewEvent event{.card = std::move(read.card), .settings = std::move(read.settings), .plan = nullptr};
  if (event.card.id.is_nil()) event.card.id = random_uuid();
  const bool keep_ids = read.has_seats || read.keep_ids.value_or(read.defaults.keep_ids);
  PlanBuilder builder(event.card.id, categories);
  for (const ReadSeat& seat : read.seats) {
    const std::string& category = read.texts[seat.category];
    const auto number = category_numbers.find(category);
    if (number == category_numbers.end()) {
      return std::unexpected("seat " + std::to_string(builder.size() + 1) + " is of the category `" + category +
                             "`, which `categories` does not list.");
    }
    const auto added = builder.add({.id = keep_ids ? std::string_view(seat.id) : std::string_view{},
                                    .section = read.texts[seat.section],
                                    .row = read.texts[seat.row],
                                    .number = read.texts[seat.number],
                                    .category = number->second,
                                    .x = seat.x,
                                    .y = seat.y});
    if (!added) return std::unexpected(added.error().what + ".");
  }
  auto plan = builder.finish();
  if (!plan) return std::unexpected(plan.error().what + ".");
  event.plan = std::move(*plan);
  return event;
}

}  // namespace holdfast::api
