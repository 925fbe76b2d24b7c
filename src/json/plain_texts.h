// Reads the most frequent body of a request without building a tree: a JSON object of texts in ASCII, without escapes.
//
//   static constexpr std::array<std::string_view, 2> k_names{"seatId", "customerId"};
//   std::array<std::optional<std::string_view>, 2> values;
//   if (read_plain_texts(body, k_names, values)) …   // values[0] is the seat's id
//   else …                                           // JsonBody (json.h) reads every form, and says what is wrong with it
//
// Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace holdfast {

// True: JsonBody would accept `json`, its members have only these names, and their values are such texts. Then values[i] is the text of names[i],
// in the bytes of `json`, or nothing if there is no such member. False says nothing about `json`, and `values` are of no use. There must be as
// many values as names.
bool read_plain_texts(std::string_view json, std::span<const std::string_view> names, std::span<std::optional<std::string_view>> values);

}   // namespace holdfast
