// How many rounds a second each kind of the embedded ledger's journal writes: journal.db, and segment files.
//
//   bench_journal_rounds FOLDER [ROUNDS [BYTES]]     5,000 rounds of 6,000 bytes in each kind, unless told otherwise
//
// One thread, one row a round. The kinds take turns, a few rounds each, so that what else the machine does meets both alike. What the tables'
// thread does for a journal (moving the log) is done between turns, and told apart. Prints rounds a second, and the median and the 99th
// percentile of a round in microseconds.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ledger/embedded/data_folder.h"
#include "ledger/embedded/journal_files.h"

namespace holdfast {
namespace {

using Timer = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

constexpr std::size_t k_rounds_a_turn = 25;
constexpr Millis k_at = 1'771'949'700'000;

class Contender {
 public:
  Contender(std::string name, const std::filesystem::path& data, JournalFormat format)
      : name_(std::move(name)), folder_(data), journal_(open_journal(folder_, {.for_new = format})) {
    journal_->settle({});
    upkeep_ = journal_->new_upkeep();
  }
  ~Contender() {
    upkeep_.reset();
    journal_->stop(false);
  }
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;

  void take_turn(const std::string& body) {
    for (std::size_t i = 0; i < k_rounds_a_turn; ++i) {
      while (!journal_->can_take(1, body.size(), Work::growing)) ++refused_;
      const auto began = Timer::now();
      journal_->begin();
      journal_->append(1, static_cast<Seq>(journal_->head().position + 1), 1, k_at, body);
      journal_->commit();
      journal_->tend();
      rounds_.push_back(Micros(Timer::now() - began).count());
    }
    const auto began = Timer::now();
    upkeep_->tend(true);
    upkeep_micros_ += Micros(Timer::now() - began).count();
  }

  void report() {
    double sum = 0;
    for (const double micros : rounds_) sum += micros;
    std::ranges::sort(rounds_);
    const auto at = [&](double share) { return rounds_[static_cast<std::size_t>(static_cast<double>(rounds_.size() - 1) * share)]; };
    fmt::print("{:<10} {:>8.0f} rounds/s   median {:>6.0f} us   p99 {:>7.0f} us   upkeep {:>5.1f} us a round   asked again {}\n", name_,
               static_cast<double>(rounds_.size()) * 1e6 / sum, at(0.5), at(0.99), upkeep_micros_ / static_cast<double>(rounds_.size()),
               refused_);
  }

 private:
  const std::string name_;
  const DataFolder folder_;
  const std::unique_ptr<JournalWriter> journal_;
  std::unique_ptr<JournalUpkeep> upkeep_;
  std::vector<double> rounds_;
  double upkeep_micros_ = 0;
  std::uint64_t refused_ = 0;
};

void run(const std::filesystem::path& folder, std::size_t rounds, std::size_t bytes) {
  const std::filesystem::path data = folder / "bench_journal_rounds";
  std::filesystem::remove_all(data);
  const std::string body(bytes, 'x');
  {
    Contender sqlite("journal.db", data / "sqlite", JournalFormat::sqlite);
    Contender segments("segments", data / "segments", JournalFormat::segments);
    const std::array<Contender*, 2> contenders{&sqlite, &segments};
    for (std::size_t done = 0; done < rounds; done += k_rounds_a_turn) {
      for (Contender* contender : contenders) contender->take_turn(body);
    }
    for (Contender* contender : contenders) contender->report();
  }
  std::filesystem::remove_all(data);
}

}   // namespace
}   // namespace holdfast

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: bench_journal_rounds FOLDER [ROUNDS [BYTES]]\n", stderr);
    return 2;
  }
  try {
    holdfast::run(argv[1], argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 5'000, argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 6'000);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
