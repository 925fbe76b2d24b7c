// The options of `holdfast serve`, each described once. The parser (options.cc), --help, the manual page, the completion and the example
// file all use this table. Any thread, once described() has returned for the first time.
//
//   for (const Described& each : described()) std::puts(flag_of(each.key).c_str());
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/options.h"

namespace holdfast::cli {

// The kind of value that an option takes.
struct Takes {
  enum class Kind { number, flag, word, text, list, file, folder, url, pairs };

  Kind kind = Kind::text;
  std::vector<std::string> words{};   // of a word: the allowed ones
  std::uint64_t least = 0;            // of a number: the range, both ends included
  std::uint64_t most = 0;

  // As --help shows it: N, on|off, FILE.
  std::string name() const;
};

struct Described {
  std::string key;
  std::string help;   // one line of ASCII, without the default
  std::function<std::string(ServeOptions&, const std::string&)> set;   // stores a value, or returns what is wrong with it
  Takes takes{};
  std::string standard{};    // the default, as a flag would have it; empty: there is none
  std::string otherwise{};   // what holds without the option, if there is no default
  std::string example{};     // a value for options without a default
  std::string alias{};       // another name of the key
  std::string variable{};    // another variable with the same meaning; the manual page names it

  // Whether the value is NAME=VALUE pairs with k_between_pairs between them. The pairs of all sources are merged, and may be secrets.
  bool is_table() const { return takes.kind == Takes::Kind::pairs; }
  // "default 50002"; "default: on beyond loopback, else off".
  std::string default_text() const;
};

inline std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const std::string& each : words) all.append(all.empty() ? "" : between).append(each);
  return all;
}

inline constexpr char k_between_pairs = '\x1f';

// All options, table by table of the TOML file.
const std::vector<Described>& described();

std::string flag_of(std::string key);       // --http-body-bytes-max
std::string variable_of(std::string key);   // HOLDFAST_HTTP_BODY_BYTES_MAX

// The option whose key, or alias, satisfies `is_it`; nullptr if there is none.
template <typename Predicate>
const Described* find_described(Predicate is_it) {
  for (const Described& each : described()) {
    if (is_it(each.key) || (!each.alias.empty() && is_it(each.alias))) return &each;
  }
  return nullptr;
}

}   // namespace holdfast::cli
