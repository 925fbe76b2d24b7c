#include "api/shared_texts.h"

#include <algorithm>

namespace holdfast::api {
namespace {

constexpr std::size_t k_entries_max = 4'096;   // above this, entries whose texts are gone are removed

}  // namespace

boost::asio::awaitable<SharedTexts::Text> SharedTexts::get(Key key, std::shared_ptr<const void> source, std::function<std::string()> make,
                                                           BackgroundPool& background) {
  const auto home = co_await boost::asio::this_coro::executor;
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      tidy();
      Entry& entry = entries_[key];
      if (Text text = is_of(entry, source) ? entry.text.lock() : nullptr) {
        keep(entry, text);
        co_return text;
      }
      if (!entry.is_being_made) {
        if (!has_room()) co_return nullptr;
        entry.is_being_made = true;
        break;
      }
    }
    // Afterwards the text may be of another source, or gone again. Then this caller makes it.
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [&](auto handler) {
          auto held = std::make_shared<decltype(handler)>(std::move(handler));
          std::function<void()> resume = [home, held] { boost::asio::post(home, [held] { std::move (*held)(); }); };
          const std::unique_lock lock(mutex_);
          Entry& entry = entries_[key];
          if (entry.is_being_made) entry.waiters.push_back(std::move(resume));
          else resume();
        },
        boost::asio::use_awaitable);
  }
  Text text;
  co_await background.run([&] {
    std::string made = make();
    std::vector<std::function<void()>> waiters;
    {
      const std::scoped_lock lock(mutex_);
      Entry& entry = entries_[key];
      text = enter(entry, source, std::move(made));
      keep(entry, text);
      entry.is_being_made = false;
      waiters.swap(entry.waiters);
    }
    for (const auto& resume : waiters) resume();
  });
  co_return text;
}

SharedTexts::Text SharedTexts::get_now(Key key, std::shared_ptr<const void> source, const std::function<std::string()>& make) {
  {
    const std::scoped_lock lock(mutex_);
    tidy();
    Entry& entry = entries_[key];
    if (Text text = is_of(entry, source) ? entry.text.lock() : nullptr) {
      keep(entry, text);
      return text;
    }
    if (!has_room()) return nullptr;
  }
  std::string made = make();   // without the lock
  const std::scoped_lock lock(mutex_);
  Entry& entry = entries_[key];
  Text text = is_of(entry, source) ? entry.text.lock() : nullptr;   // another thread may have been faster
  if (text == nullptr) text = enter(entry, source, std::move(made));
  keep(entry, text);
  return text;
}

void SharedTexts::stop() {
  const std::scoped_lock lock(mutex_);
  for (auto& [key, entry] : entries_) entry.waiters.clear();
}

std::size_t SharedTexts::bytes() const { return bytes_->load(std::memory_order_relaxed); }

std::size_t SharedTexts::passing_bytes() const {
  const std::scoped_lock lock(mutex_);
  const std::size_t all = bytes();
  return all > kept_bytes_ ? all - kept_bytes_ : 0;
}

bool SharedTexts::is_of(const Entry& entry, const std::shared_ptr<const void>& source) {
  return !entry.source.owner_before(source) && !source.owner_before(entry.source);
}

// Whether another text may be made. Drops kept texts that no answer uses if it must.
bool SharedTexts::has_room() {
  while (bytes() >= limits_.bytes_max && kept_bytes_ > 0) forget_one();
  return bytes() < limits_.bytes_max;
}

SharedTexts::Text SharedTexts::enter(Entry& entry, const std::shared_ptr<const void>& source, std::string text) {
  text.shrink_to_fit();
  const std::size_t size = text.size();
  bytes_->fetch_add(size, std::memory_order_relaxed);
  Text shared(new const std::string(std::move(text)), [bytes = bytes_, size](const std::string* gone) {
    delete gone;
    bytes->fetch_sub(size, std::memory_order_relaxed);
  });
  entry.source = source;
  entry.text = shared;
  if (entry.kept != nullptr) kept_bytes_ -= std::exchange(entry.kept, nullptr)->size();   // of another source
  return shared;
}

void SharedTexts::keep(Entry& entry, Text text) {
  entry.used = ++uses_;
  if (text->size() > limits_.kept_bytes_max) return;
  if (entry.kept == nullptr) {
    kept_bytes_ += text->size();
    entry.kept = std::move(text);
  }
  while (kept_bytes_ > limits_.kept_bytes_max) forget_one();
}

void SharedTexts::tidy() {
  if (entries_.size() <= k_entries_max) return;
  std::erase_if(entries_, [](const auto& each) { return !each.second.is_being_made && each.second.text.expired(); });
}

// Drops the kept text that was used longest ago.
void SharedTexts::forget_one() {
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->second.kept != nullptr && (oldest == entries_.end() || at->second.used < oldest->second.used)) oldest = at;
  }
  if (oldest == entries_.end()) return;
  kept_bytes_ -= std::exchange(oldest->second.kept, nullptr)->size();
}

}  // namespace holdfast::api
