// Bad bytes get a 4xx that says what is wrong. They never crash or hang the program, and they change nothing.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {

class BadInput : public OneServer {
 protected:
  using Ids = std::vector<std::string>;

  // A body that is refused, and the member that the refusal names.
  struct Row {
    std::string body;
    const char* member;
  };

  void SetUp() override {
    ASSERT_EQ(hold(client, "owner", {event[1], event[2]}).status, 201);
    before_ = look(client, event);
    events_made = events();
  }

  void TearDown() override {
    Client after = server().connect();
    EXPECT_EQ(look(after, event), before_) << "a refused request has changed something";
    EXPECT_EQ(events(), events_made) << "a refused request has created an event";
    EXPECT_EQ(reserve(after, event[0], "afterwards").status, 201) << "it serves on";
  }

  static bool is_contract_2(std::string_view target) { return target.starts_with("/tickets_"); }

  // 400, in the form of the route's contract, saying `part` somewhere in its text.
  void expect_400(const Answer& answer, std::string_view target, std::string_view part, std::string_view row) {
    bool fits = answer.status == 400;
    if (fits && is_contract_2(target)) {
      expect_contract_2_refusal(answer, 400);
      fits = string_of(answer.json().at("message")).find(part) != std::string::npos;
    } else if (fits) {
      expect_problem(answer, 400, "invalid_request");
      fits = detail_of(answer).find(part) != std::string::npos;
    }
    EXPECT_TRUE(fits) << target << " " << testing::PrintToString(std::string(row.substr(0, 300))) << "\n  was to be 400 and name `" << part
                      << "`, and is " << answer;
  }

  // A refusal may close the connection.
  Answer send(std::string_view method, std::string_view target, std::string_view body, const Headers& headers = {}) {
    Client mine = server().connect();
    return mine.request(method, target, body, headers);
  }

  std::string a_reservation() {
    Client mine = server().connect();
    return string_of(seat(mine, event[1]).at("reservationId"));
  }

  TestEvent event = make_event(client, 4);
  std::size_t events_made = 0;

 private:
  std::size_t events() {
    Client mine = server().connect();
    std::size_t count = 0;
    std::string cursor;
    for (;;) {
      const Json body = mine.get("/v1/events?limit=1000" + (cursor.empty() ? "" : "&cursor=" + cursor)).json();
      count += body.at("items").as_array().size();
      if (!body.as_object().contains("nextCursor") || body.at("nextCursor").is_null()) return count;
      cursor = string_of(body.at("nextCursor"));
    }
  }

  std::vector<std::string> before_;
};

}  // namespace holdfast::test
