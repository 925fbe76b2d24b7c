// Large answers that are the same for everybody: each text is made once, and all answers that have it share it until the last of them has been
// read. So a slow reader costs its connection, not a copy.
//
//   const auto text = co_await texts.get({event->card().number, SharedTexts::Kind::plan_gzip}, event->plan(), make, background);
//   if (text == nullptr) …503…
//
// Texts of plans are kept after use, the least recently used are forgotten first. Any thread.
#pragma once

#include <atomic>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/background.h"
#include "core/ids.h"

namespace holdfast::api {

struct SharedTextLimits {
  std::size_t kept_bytes_max = std::size_t{128} * 1024 * 1024;   // of texts of plans that nobody reads
  // In use and kept together. While there is more, nothing is made: what is being made at that moment, at most one text a thread, comes on top.
  std::size_t bytes_max = std::size_t{512} * 1024 * 1024;
};

class SharedTexts {
 public:
  using Text = std::shared_ptr<const std::string>;
  enum class Kind : std::uint8_t { plan, plan_gzip, states };
  using Key = std::pair<EventNumber, Kind>;

  explicit SharedTexts(SharedTextLimits limits = {}) : limits_(limits) {}

  // The text of `source`, which `make` writes on a background thread when it is not there: one at a time for a key, those who ask meanwhile
  // wait for it. nullptr: there are as many bytes as there may be. `source` says what the text is of: one made of another is not used.
  boost::asio::awaitable<Text> get(Key key, std::shared_ptr<const void> source, std::function<std::string()> make,
                                   BackgroundPool& background);

  // The same for a text that is made at once, on the caller's thread, and is not kept when nobody reads it.
  Text get_now(Key key, std::shared_ptr<const void> source, const std::function<std::string()>& make);

  // After the background threads have stopped: nobody is waited for any more.
  void stop();

  std::size_t bytes() const;

 private:
  struct Entry {
    std::weak_ptr<const void> source;
    std::weak_ptr<const std::string> text;
    Text kept;
    std::uint64_t used = 0;   // a count that grows
    bool is_being_made = false;
    std::vector<std::function<void()>> waiters;   // each resumes its coroutine on its own thread
  };

  static bool is_of(const Entry& entry, const std::shared_ptr<const void>& source);
  bool has_room();
  Text enter(Entry& entry, const std::shared_ptr<const void>& source, std::string text);
  void keep(Entry& entry, Text text);
  void forget_one();
  void tidy();   // removes entries of texts that are gone, when there are many

  SharedTextLimits limits_;
  // Outlives this for texts that are still being written to somebody.
  std::shared_ptr<std::atomic<std::size_t>> bytes_ = std::make_shared<std::atomic<std::size_t>>(0);
  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t uses_ = 0;
};

}   // namespace holdfast::api
