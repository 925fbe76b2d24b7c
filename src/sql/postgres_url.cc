#include "sql/postgres_url.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <vector>

namespace holdfast::pg {
namespace {

// Where a URL has its password, as its author meant it: up to the last @ before the host, whatever characters it has.
struct PasswordPlace {
  std::size_t begin = 0;
  std::size_t size = 0;   // 0: there is none
};

// The names of libpq's parameters, each with the = that follows it.
const std::vector<std::string>& parameter_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"ssl="};   // in URLs that JDBC reads too
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> defaults(PQconndefaults(), &PQconninfoFree);
    for (const PQconninfoOption* each = defaults.get(); each != nullptr && each->keyword != nullptr; ++each)
      all.push_back(std::string(each->keyword) + "=");
    return all;
  }();
  return names;
}

// Where the part after the scheme begins: the user, or the host. npos: it is not a URL.
std::size_t authority_in(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? scheme : scheme + 3;
}

// The question mark before the parameters. npos: there are none. Any other question mark may belong to a password.
std::size_t parameters_in(std::string_view url) {
  for (std::size_t mark = url.find('?', authority_in(url)); mark != std::string_view::npos; mark = url.find('?', mark + 1)) {
    const std::string_view behind = url.substr(mark + 1);
    if (std::ranges::any_of(parameter_names(), [&](const std::string& name) { return behind.starts_with(name); })) return mark;
  }
  return std::string_view::npos;
}

// An @ in a parameter that libpq takes for the one before the host, because no slash comes before it. npos: there is none.
std::size_t misread_at_in(std::string_view url) {
  const std::size_t at = url.find_first_of("@/", authority_in(url));
  const std::size_t parameters = parameters_in(url);
  return at != std::string_view::npos && url[at] == '@' && parameters < at ? at : std::string_view::npos;
}

// The password after a colon that no port follows, up to the last @. libpq would take it for a port.
PasswordPlace password_instead_of_port_in(std::string_view url, std::size_t user) {
  const std::size_t host_end = url.substr(user).starts_with('[') ? url.find(']', user) : user;
  const std::size_t colon = url.find_first_of(":@/?", host_end);
  if (colon == std::string_view::npos || url[colon] != ':') return {};
  const std::size_t port_end = url.find_first_not_of("0123456789", colon + 1);
  if (port_end == std::string_view::npos || std::string_view(",/?").contains(url[port_end])) return {};
  const std::size_t at = url.rfind('@');
  return at == std::string_view::npos || at < colon ? PasswordPlace{} : PasswordPlace{colon + 1, at - colon - 1};
}

PasswordPlace user_password_in(std::string_view url) {
  const std::size_t user = authority_in(url);
  if (user == std::string_view::npos) return {};
  std::size_t at = misread_at_in(url);
  if (at == std::string_view::npos) {
    const std::string_view before = url.substr(0, parameters_in(url));
    const std::size_t mark = before.find('?', user);
    at = before.substr(0, mark).rfind('@');
    // The question mark may belong to the password, if no slash comes before it.
    if ((at == std::string_view::npos || at < user) && before.substr(user, mark - user).find('/') == std::string_view::npos)
      at = before.rfind('@');
  }
  const std::size_t colon = url.find(':', user);
  if (at == std::string_view::npos || at < user || colon == std::string_view::npos || colon > at)
    return password_instead_of_port_in(url, user);
  return {colon + 1, at - colon - 1};
}

// The values of the parameters `password` and `sslpassword`.
std::vector<PasswordPlace> password_parameters_in(std::string_view url) {
  constexpr std::string_view k_name = "password=";
  std::vector<PasswordPlace> places;
  for (std::size_t at = url.find(k_name); at != std::string_view::npos; at = url.find(k_name, at)) {
    at += k_name.size();
    places.push_back({at, std::min(url.size(), url.find_first_of("& ", at)) - at});
  }
  return places;
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
      std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      plain.push_back(static_cast<char>(value));
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

}   // namespace

std::string without_password(std::string_view url) {
  std::string shown(url);
  auto places = password_parameters_in(url);
  std::ranges::reverse(places);
  for (const auto& [begin, size] : places) shown.replace(begin, size, "***");
  const auto [begin, size] = user_password_in(shown);
  if (size > 0) shown.replace(begin, size, "***");
  return shown;
}

std::string misreading_of(std::string_view url) {
  if (misread_at_in(url) != std::string_view::npos)
    return "everything before the @ would be read as user and password; write an @ in a parameter as %40";
  const auto [begin, size] = user_password_in(url);
  const std::string_view password = url.substr(begin, size);
  for (std::size_t i = 0; i < password.size(); ++i) {
    const bool is_escape = password[i] == '%' && i + 2 < password.size() && is_hex(password[i + 1]) && is_hex(password[i + 2]);
    if (password[i] != '/' && password[i] != '@' && (password[i] != '%' || is_escape)) continue;
    return std::string("the password in the URL has the character ") + password[i] + ", which must be written as " +
           (password[i] == '/'   ? "%2F"
            : password[i] == '@' ? "%40"
                                 : "%25");
  }
  return {};
}

std::string without_secrets(std::string text, std::string_view url, std::string_view password) {
  std::vector<std::string> secrets = {std::string(password)};
  auto places = password_parameters_in(url);
  places.push_back(user_password_in(url));
  for (const auto& [begin, size] : places) {
    const std::string_view secret = url.substr(begin, size);
    secrets.emplace_back(secret);
    secrets.push_back(decoded(secret));
  }
  for (const std::string& secret : secrets) {
    for (std::size_t at = secret.empty() ? std::string::npos : text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

}   // namespace holdfast::pg
