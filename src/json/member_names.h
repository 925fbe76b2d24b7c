// Finds duplicate members while a JSON text is read:
//
//   MemberNames names;
//   …on '{'    names.open();
//   …on a key  if (!names.add(key)) …400, duplicate member…
//   …on '}'    names.close();
//
// The work is linear in the text, whatever names it has: a hostile text can't make them collide. Not for several threads at once.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

class MemberNames {
 public:
  MemberNames();

  // An object begins, inside the one that is open.
  void open();
  // The innermost object ends.
  void close();
  // Adds a name, with its escapes resolved, to the innermost object. False: the object has it already.
  bool add(std::string_view name);
  // How many names are kept: those of all objects that are open.
  std::size_t size() const { return size_; }

 private:
  struct SeededHash {
    std::uint64_t seed;
    std::size_t operator()(std::string_view name) const;
  };
  using Set = boost::unordered_flat_set<std::string, SeededHash>;

  // Most objects have few members, and comparing these is faster than hashing.
  struct Object {
    std::vector<std::string> few;   // kept when the object ends, for the next one at its depth
    std::size_t few_used = 0;
    Set many;
  };

  SeededHash hash_;
  std::vector<Object> objects_;   // by depth; the first `depth_` are open
  std::size_t depth_ = 0;
  std::size_t size_ = 0;
};

// A name as a message shows it: a long one is cut, between two characters, and ends with `…`.
std::string shown_name(std::string_view name);

// "Duplicate member `price`." A long name is cut.
std::string duplicate_member(std::string_view name);

}  // namespace holdfast
