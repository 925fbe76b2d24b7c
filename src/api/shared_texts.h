// Large answers that are the same for every caller. Each text is made once and shared by all answers that send it, until the last of them has
// been sent. So a slow reader costs a connection, but no copy of the text.
//
//   const auto text = co_await texts.get({event->card().number, SharedTexts::Kind::plan_gzip}, event->plan(), make, background);
//   if (text == nullptr) …503…
//
// Texts are kept after use; the least recently used goes first. Any thread.
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
  std::size_t kept_bytes_max = std::size_t{128} * 1024 * 1024;   // of texts that no answer uses
  // Of all texts, in use or kept. At the limit no further text is begun. Those that threads are making at that moment, at most one each, come on
  // top.
  std::size_t bytes_max = std::size_t{512} * 1024 * 1024;
};

class SharedTexts {
 public:
  using Text = std::shared_ptr<const std::string>;
  enum class Kind : std::uint8_t { plan, plan_gzip, states };
  using Key = std::pair<EventNumber, Kind>;

  explicit SharedTexts(SharedTextLimits limits = {}) : limits_(limits) {}

  // The text of `source`. If it does not exist, `make` writes it on a background thread, once per key; callers in the meantime wait for it.
  // nullptr if the limit of bytes is reached. A text that was made of another source is not used.
  boost::asio::awaitable<Text> get(Key key, std::shared_ptr<const void> source, std::function<std::string()> make,
                                   BackgroundPool& background);

  // The same, but makes the text on the caller's thread.
  Text get_now(Key key, std::shared_ptr<const void> source, const std::function<std::string()>& make);

  // Drops the coroutines that wait for a text. After the background threads have stopped.
  void stop();

  std::size_t bytes() const;
  // Of texts that are not kept: older ones, or too large ones, that answers still send. Slow readers make these many.
  std::size_t passing_bytes() const;

 private:
  struct Entry {
    std::weak_ptr<const void> source;
    std::weak_ptr<const std::string> text;
    Text kept;
    std::uint64_t used = 0;   // when it was used last, as a value of `uses_`
    bool is_being_made = false;
    std::vector<std::function<void()>> waiters;   // each resumes its coroutine on its own thread
  };

  static bool is_of(const Entry& entry, const std::shared_ptr<const void>& source);
  bool has_room();
  Text enter(Entry& entry, const std::shared_ptr<const void>& source, std::string text);
  void keep(Entry& entry, Text text);
  void forget_one();
  void tidy();   // removes entries whose texts are gone, if there are many entries

  SharedTextLimits limits_;
  // Shared, because texts that are still being sent outlive this object.
  std::shared_ptr<std::atomic<std::size_t>> bytes_ = std::make_shared<std::atomic<std::size_t>>(0);
  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t uses_ = 0;
};

}   // namespace holdfast::api
