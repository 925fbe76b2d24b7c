// Finds duplicate members while a JSON text is being read:
//
//   MemberNames names;
//   …on '{'    names.open();
//   …on a key  if (!names.add(key)) …400, duplicate member…
//   …on '}'    names.close();
//
// The work is linear in the length of the text: the hash is seeded, so a hostile text cannot choose names that collide. Not for several threads
// at once.
#pragma once

#include <boost/json/error.hpp>
#include <boost/json/string_view.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

// A handler for Boost.JSON's parser that limits no sizes, because others do, and looks at nothing. A handler derives from it, and has
// members of the same names for what it looks at.
struct HandlerWithoutLimits {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Error = boost::json::error_code;
  using Text = boost::json::string_view;

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_string_part(Text, std::size_t, Error&) { return true; }
  bool on_string(Text, std::size_t, Error&) { return true; }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(std::int64_t, Text, Error&) { return true; }
  bool on_uint64(std::uint64_t, Text, Error&) { return true; }
  bool on_double(double, Text, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }
};

class MemberNames {
 public:
  MemberNames();

  // An object begins, inside the innermost open object.
  void open();
  // The innermost object ends.
  void close();
  // Adds a name, with its escapes resolved, to the innermost object. False if the object has it already.
  bool add(std::string_view name);
  // The number of names in all open objects.
  std::size_t size() const { return size_; }

 private:
  struct SeededHash {
    std::uint64_t seed;
    std::size_t operator()(std::string_view name) const;
  };
  using Set = boost::unordered_flat_set<std::string, SeededHash>;

  // Most objects have few members, and comparing a few names is faster than hashing them.
  struct Object {
    std::vector<std::string> few;   // the strings stay allocated for the next object at this depth
    std::size_t few_used = 0;
    Set many;
  };

  SeededHash hash_;
  std::vector<Object> objects_;   // by depth; the first `depth_` are open
  std::size_t depth_ = 0;
  std::size_t size_ = 0;
};

// A name as a message shows it. A long name is cut between two characters and ends with `…`.
std::string shown_name(std::string_view name);

// "Duplicate member `price`." A long name is cut.
std::string duplicate_member(std::string_view name);

}   // namespace holdfast
