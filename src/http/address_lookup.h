// Resolves host names, on threads that nobody waits for.
//
//   AddressLookup lookup(context);
//   const FoundAddresses found = co_await lookup.find("example.org", 443, deadline);
//
// The system's resolver cannot be interrupted and may take half a minute. The caller therefore leaves a look-up behind when its deadline
// passes, and so does the process at its end: no destructor waits. Literal addresses need no look-up.
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

inline constexpr std::size_t k_lookups_at_once = 4;   // threads; further look-ups wait for one

struct FoundAddresses {
  enum class Kind : std::uint8_t { found, failed, timed_out };
  Kind kind = Kind::timed_out;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints{};   // found: at least one
  boost::system::error_code error{};                         // failed: why
};

// All members must be called on the context's only thread.
class AddressLookup {
 public:
  explicit AddressLookup(boost::asio::io_context& context);
  ~AddressLookup();   // does not wait for look-ups
  AddressLookup(const AddressLookup&) = delete;
  AddressLookup& operator=(const AddressLookup&) = delete;

  // Returns by the deadline, or is destroyed with its context.
  boost::asio::awaitable<FoundAddresses> find(std::string host, std::uint16_t port, std::chrono::steady_clock::time_point deadline);

 private:
  struct Asked;
  struct Threads;

  boost::asio::io_context& context_;
  std::shared_ptr<Threads> threads_;   // shared with the threads, which may outlive this
};

}  // namespace holdfast::http
