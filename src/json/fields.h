// Reading single members of an object that has been read (json.h), with what is wrong with them in words for the client.
//
//   std::string problem;
//   const auto order = read_text(object, "orderId", k_order_bytes_max, true, problem);
//   if (!problem.empty()) …   // "`orderId` is missing."
//
// Pure: any thread.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

// The text member `name` of 1 to `bytes_max` bytes; otherwise nothing, and `problem` says what is wrong. A member that is not there is nothing
// without a problem when it is not `required`.
std::optional<std::string_view> read_text(const boost::json::object& object, std::string_view name, std::size_t bytes_max, bool required,
                                          std::string& problem);
// A whole number within [least, most], likewise.
std::optional<std::int64_t> read_whole(const boost::json::object& object, std::string_view name, std::int64_t least, std::int64_t most,
                                       bool required, std::string& problem);
std::optional<bool> read_flag(const boost::json::object& object, std::string_view name, std::string& problem);
// Whether a text can be a customer's or an order's name: something other than white space, and no NUL.
bool is_blank(std::string_view text);

}   // namespace holdfast
