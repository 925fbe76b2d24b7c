// The cart of contract 1's platform as a process of its own: examples/ordering, which Node.js runs.
//
//   const Cart cart(server.url(), kafka, prefix);   // returns when it serves, and throws with its log when it does not
//   const Answer answer = cart.add({.reservation = …, .seat = …, .price = 45}, R"("userId":"customer-1")");
//
// add() may be called from any thread.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "contract/strict_messages.h"
#include "support/process.h"

namespace holdfast::test {

class Cart {
 public:
  // `holdfast`: its URL; `bootstrap`: HOST:PORT of Kafka; `prefix`: of Holdfast's topics.
  Cart(const std::string& holdfast, const std::string& bootstrap, const std::string& prefix)
      : process_(
            {.arguments = {"/usr/bin/env", "node", HOLDFAST_CART},
             .environment =
                 {{"HOLDFAST_URL", holdfast}, {"KAFKA", bootstrap}, {"PORT", "0"}, {"TOPIC_PREFIX", prefix}, {"GROUP", prefix + "cart"}},
             .stdout_file = folder_ / "out",
             .stderr_file = folder_ / "err",
             .folder = {}}) {
    const std::string begin = "listening on ";
    const bool listens = eventually([&] { return !process_.runs() || read_file(folder_ / "out").ends_with('\n'); });
    const std::string out = read_file(folder_ / "out");
    if (!listens || !out.starts_with(begin)) throw std::runtime_error("the cart did not start: " + out + read_file(folder_ / "err"));
    port_ = static_cast<std::uint16_t>(std::stoul(out.substr(begin.size())));
  }
  ~Cart() {
    if (::testing::Test::HasFailure()) std::cout << "---- what the cart wrote ----\n" << read_file(folder_ / "err");
  }
  Cart(const Cart&) = delete;
  Cart& operator=(const Cart&) = delete;

  // POST /cart/add. `buyer`: the member that names whose cart it is. On a connection of its own: Node.js ends one that is idle for 5 s.
  Answer add(const StrictCart::Item& item, const std::string& buyer) const {
    std::ostringstream body;
    body << std::setprecision(15) << R"({"reservationId":")" << item.reservation << R"(","seatId":")" << item.seat << R"(","price":)"
         << item.price << "," << buyer << "}";
    return Client(port_).post("/cart/add", body.str());
  }

 private:
  TempFolder folder_;
  Process process_;
  std::uint16_t port_ = 0;
};

}   // namespace holdfast::test
