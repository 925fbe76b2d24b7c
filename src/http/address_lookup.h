// Finds the addresses of hosts, on threads that nobody waits for.
//
//   AddressLookup lookup(context);
//   const FoundAddresses found = co_await lookup.find("example.org", 443, deadline);
//
// A look-up at the system's resolver cannot be interrupted and may take half a minute. So the caller leaves it behind when its deadline is
// over, and so does the process: no destructor waits for it. Addresses that are written as such are looked up by nobody.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::http {

inline constexpr std::size_t k_lookups_at_once = 4;   // threads; further look-ups wait for one of them

struct FoundAddresses {
  enum class Kind : std::uint8_t { found, failed, timed_out };
  Kind kind = Kind::timed_out;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints{};   // found: at least one
  boost::system::error_code error{};                         // failed: why
};

// All members on the context's thread, which must be one.
class AddressLookup {
 public:
  explicit AddressLookup(boost::asio::io_context& context);
  ~AddressLookup();   // at once, whatever is being looked up
  AddressLookup(const AddressLookup&) = delete;
  AddressLookup& operator=(const AddressLookup&) = delete;

  // Ends by the deadline, or with its context.
  boost::asio::awaitable<FoundAddresses> find(std::string host, std::uint16_t port, std::chrono::steady_clock::time_point deadline);

 private:
  struct Asked;
  struct Threads;

  boost::asio::io_context& context_;
  std::shared_ptr<Threads> threads_;   // shared with the threads, which may live longer
};

}  // namespace holdfast::http
