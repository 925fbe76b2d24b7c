// Counts the connections of each client, to limit them. Any thread. Costs nothing without a limit.
//
//   auto place = counts.take(address);
//   if (!place) …503…              // the client has its maximum
//   …                              // the destructor of `place` gives it back
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "http/proxies.h"

namespace holdfast::http {

class AddressCounts {
 public:
  // One connection of a client. Its destructor gives it back; AddressCounts must outlive it.
  class Place {
   public:
    Place() = default;   // for a connection that is not counted
    Place(Place&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)), client_(std::move(other.client_)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(counts_, other.counts_);
      std::swap(client_, other.client_);
      return *this;
    }
    ~Place() {
      if (counts_ != nullptr) counts_->give_back(client_);
    }

   private:
    friend class AddressCounts;
    Place(AddressCounts& counts, const boost::asio::ip::address& client) : counts_(&counts), client_(client) {}
    AddressCounts* counts_ = nullptr;
    boost::asio::ip::address client_;   // as one_client() returns it
  };

  explicit AddressCounts(std::size_t most) : most_(most) {}   // of one client; 0: no limit

  bool is_off() const { return most_ == 0; }
  // nullopt if the client has its maximum.
  std::optional<Place> take(const boost::asio::ip::address& any) {
    if (is_off()) return Place();
    const auto client = one_client(any);
    const std::scoped_lock lock(mutex_);
    std::size_t& count = counts_[client];
    if (count >= most_) return std::nullopt;
    ++count;
    return Place(*this, client);
  }

 private:
  void give_back(const boost::asio::ip::address& client) {
    const std::scoped_lock lock(mutex_);
    const auto at = counts_.find(client);
    if (at != counts_.end() && --at->second == 0) counts_.erase(at);
  }

  const std::size_t most_;
  std::mutex mutex_;
  std::map<boost::asio::ip::address, std::size_t> counts_;   // at most one for each connection
};

}  // namespace holdfast::http
