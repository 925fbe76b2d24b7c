#include "api/v1/members.h"

#include <algorithm>
#include <string>

#include "api/query.h"
#include "json/member_names.h"

namespace holdfast::api {
namespace {

using Paths = std::initializer_list<std::string_view>;

struct Refused {
  std::string unknown;   // `a`, `b.c`
  std::size_t unknown_count = 0;
  std::string fixed;   // sentences, each with a space behind it
};

bool is_on_the_way(std::string_view path, Paths taken) {
  return std::ranges::any_of(taken,
                             [&](std::string_view each) { return each.starts_with(path) && each.substr(path.size()).starts_with('.'); });
}

void look_at(const boost::json::object& object, const std::string& prefix, Paths taken, std::initializer_list<FixedMember> fixed,
             Refused& refused) {
  for (const auto& member : object) {
    const std::string_view name = member.key();
    const boost::json::value& value = member.value();
    const std::string path = prefix + std::string(name);
    const bool is_path = name.find('.') != std::string_view::npos;   // a name with a dot is none of ours, whatever it looks like
    if (!is_path && is_on_the_way(path, taken)) {
      if (value.is_object()) look_at(value.get_object(), path + ".", taken, fixed, refused);
    } else if (const auto known = std::ranges::find(fixed, path, &FixedMember::name); known != fixed.end()) {
      refused.fixed.append("`").append(path).append("` cannot be changed here: ").append(known->why).append(". ");
    } else if (is_path || std::ranges::find(taken, path) == taken.end()) {
      if (++refused.unknown_count > k_members_named_max) continue;
      refused.unknown.append(refused.unknown.empty() ? "`" : ", `").append(prefix).append(shown_name(name)).append("`");
    }
  }
}

}  // namespace

std::string problem_of_members(const boost::json::object& object, std::initializer_list<std::string_view> taken,
                               std::initializer_list<FixedMember> fixed) {
  Refused refused;
  look_at(object, "", taken, fixed, refused);
  std::string problem = std::move(refused.fixed);
  if (refused.unknown_count > 0) {
    problem.append("This call does not know ").append(refused.unknown);
    if (refused.unknown_count > k_members_named_max) {
      problem.append(" and ").append(std::to_string(refused.unknown_count - k_members_named_max)).append(" more members");
    }
    problem.append(taken.size() == 0 ? "; it takes no members. " : "; it takes " + list_of(taken) + ". ");
  }
  return problem.empty() ? "" : problem + "Nothing was changed.";
}

BodyReader::BodyReader(Call& call, Required required, std::initializer_list<std::string_view> taken,
                       std::initializer_list<FixedMember> fixed)
    : call_(call),
      body_(required == Required::no && call.request.body.empty() ? std::string_view("{}") : std::string_view(call.request.body)),
      problem_(body_.object() == nullptr ? body_.problem() : problem_of_members(*body_.object(), taken, fixed)),
      fields_(body_.object(), problem_) {}

bool BodyReader::is_good() {
  if (problem_.empty()) return true;
  fail(call_, {400, k_invalid_request, problem_});
  return false;
}

bool takes_nothing(Call& call) {
  if (call.request.body.empty()) return true;
  return check_content_type(call, true) && BodyReader(call, Required::yes, {}).is_good();
}

}  // namespace holdfast::api
