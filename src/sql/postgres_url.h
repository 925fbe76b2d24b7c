// Passwords in the URL of a database: hidden in logs and errors, and refused where libpq would read them differently than their author
// meant. Pure functions; any thread.
//
//   pg::without_password("postgresql://anna:secret@db/tickets");     // postgresql://anna:***@db/tickets
#pragma once

#include <string>
#include <string_view>

namespace holdfast::pg {

// The URL with each of its passwords as `***`: of the user, and of the parameters `password` and `sslpassword`.
std::string without_password(std::string_view url);

// Why libpq would take a part of the password for something else, and name it in its error. Empty if it would not.
std::string misreading_of(std::string_view url);

// `text` with each password of the URL and with `password` as `***`, as written and as decoded: libpq may quote them.
std::string without_secrets(std::string text, std::string_view url, std::string_view password);

}   // namespace holdfast::pg
