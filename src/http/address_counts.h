// How many connections each client has, for a limit of them. Any thread. Costs nothing when there is no limit.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <map>
#include <mutex>

#include "http/proxies.h"

namespace holdfast::http {

class AddressCounts {
 public:
  explicit AddressCounts(std::size_t most) : most_(most) {}   // of one client; 0: no limit

  bool is_off() const { return most_ == 0; }
  // False when the client has as many as it may. What was taken is given back.
  bool take(const boost::asio::ip::address& client) {
    const std::scoped_lock lock(mutex_);
    std::size_t& count = counts_[one_client(client)];
    if (count >= most_) return false;
    ++count;
    return true;
  }
  void give_back(const boost::asio::ip::address& client) {
    const std::scoped_lock lock(mutex_);
    const auto at = counts_.find(one_client(client));
    if (at != counts_.end() && --at->second == 0) counts_.erase(at);
  }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::map<boost::asio::ip::address, std::size_t> counts_;   // at most one for each connection
};

}  // namespace holdfast::http
