#include "api/v1/event_draft.h"

#include <algorithm>
#include <array>

#include "access/random.h"
#include "core/limits.h"
#include "json/member_names.h"

namespace holdfast::api {

struct EventDraft::Repeated {
  std::size_t seat;
  PlanProblem::Kind kind;
};

// The categories of a plan and of its event. An event's category completes the plan's category of the same name.
class EventDraft::CategoryTable {
 public:
  CategoryTable(std::vector<Category> of_plan, const std::vector<Category>& of_event) : all(std::move(of_plan)) {
    for (std::uint32_t i = 0; i < all.size(); ++i) numbers_.emplace(all[i].name, i);
    for (const Category& category : of_event) {
      const auto [at, is_new] = numbers_.emplace(category.name, static_cast<std::uint32_t>(all.size()));
      if (is_new) {
        all.push_back(category);
      } else {
        if (category.price) all[at->second].price = category.price;
        if (!category.color.empty()) all[at->second].color = category.color;
      }
    }
  }
  std::optional<std::uint32_t> find(const std::string& name) const {
    const auto at = numbers_.find(name);
    return at == numbers_.end() ? std::nullopt : std::optional(at->second);
  }

  std::vector<Category> all;

 private:
  boost::unordered_flat_map<std::string, std::uint32_t> numbers_;
};

std::string in_backticks(std::string_view text) { return "`" + shown_name(text) + "`"; }

std::uint32_t Texts::number(std::string_view text) {
  if (const auto known = numbers_.find(text); known != numbers_.end()) return known->second;
  if (text.size() > bytes_max_ - bytes_) {
    is_full_ = true;
    return 0;
  }
  bytes_ += text.size();
  const auto number = static_cast<std::uint32_t>(texts_.size());
  numbers_.emplace(texts_.emplace_back(text), number);
  return number;
}

// ---------------------------------------------------------------------------------------------------------------- mistakes

void EventDraft::note(std::string what, std::string_view member, std::size_t seat) {
  if (!mistakes_.is_full()) noted_seats_.push_back(seat);
  const std::uint64_t at = seat < seats.size() ? seats[seat].line : line;
  mistakes_.add({.what = std::move(what), .member = std::string(member), .line = at});
}

void EventDraft::note_whole(std::string what, std::string_view member) {
  if (!mistakes_.is_full()) noted_seats_.push_back(k_no_seat);
  mistakes_.add({.what = std::move(what), .member = std::string(member)});
}

void EventDraft::note_end(std::string what) {
  mistakes_ = report();
  mistakes_.put_first({.what = std::move(what), .line = line});
  noted_seats_.assign(mistakes_.kept().size(), k_no_seat);
  has_ended_ = true;
}

Mistakes EventDraft::report() const {
  Mistakes all = mistakes_;
  for (std::size_t i = 0; i < all.kept().size(); ++i) {
    if (noted_seats_[i] >= seats.size()) continue;
    Mistake& mistake = all.kept()[i];
    mistake.seat = label_of(seats[noted_seats_[i]]);
    mistake.seat_id = shown_name(seats[noted_seats_[i]].id);
  }
  if (!has_ended_) all.sort_by_line();
  return all;
}

std::string EventDraft::label_of(const ReadSeat& seat, std::string_view unknown) const {
  std::string label;
  for (const std::uint32_t part : {seat.section, seat.row, seat.number}) {
    const std::string& text = texts[part];
    if (!label.empty()) label += '-';
    label.append(text.empty() ? unknown : std::string_view(text));
  }
  return label;
}

std::string EventDraft::name_in_words(const ReadSeat& seat) const {
  return "seat " + in_backticks(texts[seat.number]) + " of row " + in_backticks(texts[seat.row]) + " in section " +
         in_backticks(texts[seat.section]);
}

// ---------------------------------------------------------------------------------------------------------------- the event

std::expected<ReadEvent, Mistakes> EventDraft::make() {
  if (has_ended_) return std::unexpected(report());
  check_whole();
  CategoryTable categories(std::move(plan_categories), event_categories);
  if (categories.all.size() > k_categories_max) {
    note_whole("there are more than 1000 `categories`", "categories");
    return std::unexpected(report());
  }
  if (card.id.is_nil()) card.id = random_uuid();
  auto plan = make_plan(categories, has_seats || keep_ids.value_or(defaults.keep_ids));
  if (plan == nullptr) return std::unexpected(report());
  ReadEvent made{.event = {.card = std::move(card), .settings = std::move(settings), .plan = std::move(plan)},
                 .not_taken = std::move(not_taken),
                 .has_plan = !has_seats};
  for (std::size_t i = 0; i < seats.size(); ++i) {
    if (seats[i].is_taken) made.taken.push_back(static_cast<SeatIndex>(i));
  }
  return made;
}

// Checks that concern several members. A member with a mistake is not reported as missing, too.
void EventDraft::check_whole() {
  const bool names_seats = has_plan || has_seats || mistakes_.has("plan") || mistakes_.has("seats");
  if (root == EventReader::Root::event) {
    if (has_plan && has_seats) note_whole("`plan` and `seats` are two lists of seats; send only one", "plan");
    if (!names_seats) note_whole("`plan` or `seats` is missing", "seats");
  }
  if (const auto problem = check_event_name(settings.name); problem && !mistakes_.has("name")) {
    note_whole("`name` " + std::string(*problem), "name");
  }
  if (settings.hold_seconds > settings.max_hold_seconds && !mistakes_.has("holdSeconds") && !mistakes_.has("maxHoldSeconds")) {
    note_whole("`holdSeconds` must not be more than `maxHoldSeconds`", "holdSeconds");
  }
}

// nullptr if there are mistakes, new or earlier ones.
std::shared_ptr<const Plan> EventDraft::make_plan(const CategoryTable& categories, bool keeps_ids) {
  PlanBuilder builder(card.id, categories.all);
  std::vector<Repeated> repeated;
  for (std::size_t i = 0; i < seats.size(); ++i) {
    ReadSeat& seat = seats[i];
    if (seat.is_wrong) continue;
    const std::string& category = texts[seat.category];
    const auto number = categories.find(category);
    if (!number) {
      seat.is_wrong = true;
      note(category.empty() ? "needs a `category`" : "has the category " + in_backticks(category) + ", which `categories` does not list",
           {}, i);
      continue;
    }
    const auto added = builder.add({.id = keeps_ids ? std::string_view(seat.id) : std::string_view{},
                                    .section = texts[seat.section],
                                    .row = texts[seat.row],
                                    .number = texts[seat.number],
                                    .category = *number,
                                    .x = seat.x,
                                    .y = seat.y});
    if (added) continue;
    seat.is_wrong = true;
    if (added.error().kind != PlanProblem::Kind::rule && repeated.size() < k_mistakes_kept) {
      repeated.push_back({i, added.error().kind});
    } else {
      note(added.error().rule, {}, i);
    }
  }
  if (!repeated.empty()) note_repeated(repeated);
  if (!mistakes_.empty()) return nullptr;
  auto plan = builder.finish();
  if (plan) return *plan;
  note_whole(plan.error().what, has_seats ? "seats" : "plan");
  return nullptr;
}

// Finds the earlier seats in one pass over all seats, however many are repeated.
void EventDraft::note_repeated(const std::vector<Repeated>& repeated) {
  // UUIDs are equal regardless of letter case.
  const auto canonical = [](const std::string& id) {
    const auto uuid = parse_uuid(id);
    return uuid ? to_string(*uuid) : id;
  };
  boost::unordered_flat_map<std::string, std::size_t> labels, ids;
  const auto key_of = [&](const ReadSeat& seat, PlanProblem::Kind kind) {
    return kind == PlanProblem::Kind::same_label ? label_of(seat, "") : canonical(seat.id);
  };
  const auto table_of = [&](PlanProblem::Kind kind) -> auto& { return kind == PlanProblem::Kind::same_label ? labels : ids; };
  for (const Repeated& each : repeated) table_of(each.kind).emplace(key_of(seats[each.seat], each.kind), k_no_seat);
  ids.erase("");   // the id of a seat without one is derived from its label
  for (std::size_t i = 0; i < seats.size(); ++i) {
    if (seats[i].is_wrong) continue;
    for (const auto kind : {PlanProblem::Kind::same_label, PlanProblem::Kind::same_id}) {
      auto& table = table_of(kind);
      if (table.empty()) continue;
      const auto at = table.find(key_of(seats[i], kind));
      if (at != table.end() && at->second == k_no_seat) at->second = i;
    }
  }
  for (const Repeated& each : repeated) {
    const auto& table = table_of(each.kind);
    const auto at = table.find(key_of(seats[each.seat], each.kind));
    note_repeated(each, at == table.end() ? k_no_seat : at->second);
  }
}

// `first` is the earlier seat, or k_no_seat if it is unknown.
void EventDraft::note_repeated(const Repeated& each, std::size_t first) {
  const ReadSeat& seat = seats[each.seat];
  if (first >= each.seat) return note("has the label or id of an earlier seat", {}, each.seat);
  const ReadSeat& other = seats[first];
  const std::string where = " on line " + std::to_string(other.line);
  if (each.kind == PlanProblem::Kind::same_id) {
    return note("has the same id as seat " + label_of(other) + where, {}, each.seat);
  }
  if (other.section == seat.section && other.row == seat.row && other.number == seat.number) {
    return note("has the same section, row and number as the seat" + where, {}, each.seat);
  }
  note(name_in_words(other) + where + ", and " + name_in_words(seat) + ", print the same label " + label_of(seat) +
           ". Labels must be unique, because tickets and lists name seats by them. Rename one of the two",
       {}, each.seat);
}

}  // namespace holdfast::api
