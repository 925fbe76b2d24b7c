#include "support/events.h"

#include <algorithm>
#include <cctype>
#include <random>
#include <sstream>
#include <stdexcept>

namespace holdfast::test {
namespace {

Answer must_be_200(const Answer& answer, std::string_view what) {
  if (answer.status != 200) {
    std::ostringstream message;
    message << what << " was answered " << answer;
    throw std::runtime_error(message.str());
  }
  return answer;
}

std::string with_more(std::string body, std::string_view more) {
  if (!more.empty()) body.append(",").append(more);
  return body + '}';
}

std::string path(std::string_view before, std::string_view id, std::string_view after = {}) {
  return std::string(before).append(id).append(after);
}

}  // namespace

std::string new_uuid() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  static constexpr char k_digits[] = "0123456789abcdef";
  std::string text = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
  for (char& c : text) {
    if (c == 'x') c = k_digits[random() % 16];
  }
  return text;
}

std::string upper_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string escaped(std::string_view id) {
  static constexpr char k_digits[] = "0123456789ABCDEF";
  std::string text;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-') {
      text += c;
    } else {
      text += {'%', k_digits[byte >> 4U], k_digits[byte & 15U]};
    }
  }
  return text;
}

std::string event_body(const std::vector<std::string>& seat_ids, std::string_view more) {
  std::string body = R"({"name":"A test","currency":"EUR","categories":[{"name":"Standard","price":45.00,"color":"#4176A5"}],"seats":[)";
  for (std::size_t i = 0; i < seat_ids.size(); ++i) {
    if (i > 0) body += ',';
    body += R"({"id":)" + json_of(seat_ids[i]) + R"(,"section":")" + static_cast<char>('A' + i / 200 % 26) +
            (i / 200 >= 26 ? std::to_string(i / 200 / 26) : "") + R"(","row":")" + std::to_string(i / 20 % 10 + 1) + R"(","number":")" +
            std::to_string(i % 20 + 1) + R"(","category":"Standard"})";
  }
  return with_more(body + ']', more);
}

TestEvent make_event(Client& client, std::size_t seats, std::string_view more) {
  std::vector<std::string> ids(seats);
  for (std::string& id : ids) id = new_uuid();
  return make_event(client, std::move(ids), more);
}

TestEvent make_event(Client& client, std::vector<std::string> seat_ids, std::string_view more) {
  const Answer answer = client.post("/v1/events", event_body(seat_ids, more));
  if (answer.status != 201) {
    std::ostringstream message;
    message << "the event was not created: " << answer;
    throw std::runtime_error(message.str());
  }
  return {string_of(answer.json().at("id")), std::move(seat_ids)};
}

std::string hold_body(std::string_view customer, const std::vector<std::string>& seats, std::string_view more) {
  return with_more(R"({"customerId":)" + json_of(customer) + R"(,"seatIds":)" + json_of(seats), more);
}

std::string reserve_body(std::string_view seat, std::string_view customer) {
  return R"({"seatId":)" + json_of(seat) + R"(,"customerId":)" + json_of(customer) + "}";
}

std::string lock_body(const std::vector<std::string>& tickets, std::int64_t seconds) {
  return R"({"data":{"ticketd_reserved":)" + json_of(tickets) + R"(,"reserved_time":)" + std::to_string(seconds) + "}}";
}

std::string unlock_body(const std::vector<std::string>& tickets) { return R"({"data":{"tickets":)" + json_of(tickets) + "}}"; }

Answer hold(Client& client, std::string_view customer, const std::vector<std::string>& seats, std::string_view more,
            const Headers& headers) {
  return client.post("/v1/reservations", hold_body(customer, seats, more), headers);
}

Answer reserve(Client& client, std::string_view seat, std::string_view customer, const Headers& headers) {
  return client.post("/reservations", reserve_body(seat, customer), headers);
}

Answer lock_tickets(Client& client, const std::vector<std::string>& tickets, std::int64_t seconds, const Headers& headers) {
  return client.post("/tickets_lock", lock_body(tickets, seconds), headers);
}

Json seat(Client& client, std::string_view id) { return must_be_200(client.get(path("/v1/seats/", escaped(id))), id).json(); }

std::string seat_state(Client& client, std::string_view id) { return string_of(seat(client, id).at("state")); }

Json reservation(Client& client, std::string_view id) { return must_be_200(client.get(path("/v1/reservations/", id)), id).json(); }

std::vector<std::string> look(Client& client, const TestEvent& event) {
  std::vector<std::string> seen;
  for (std::size_t at = 0; at < event.seats.size(); at += 100) {
    const std::size_t end = std::min(at + 100, event.seats.size());
    std::string bytes;
    for (std::size_t i = at; i < end; ++i) bytes += request_bytes("GET", path("/v1/seats/", escaped(event[i])));
    client.write(bytes);
    for (std::size_t i = at; i < end; ++i) {
      const Json seat = must_be_200(client.read_answer(), event[i]).json();
      seen.push_back(string_of(seat.at("state")).substr(0, 1) + std::to_string(seat.at("version").to_number<std::int64_t>()));
    }
  }
  return seen;
}

std::string letters(Client& client, const TestEvent& event) {
  std::string text;
  for (const std::string& seat : look(client, event)) text += seat[0];
  return text;
}

States states(Client& client, const TestEvent& event) {
  const Json body = must_be_200(client.get(path("/v1/events/", event.id, "/states")), event.id).json();
  return {body.at("seq").to_number<std::int64_t>(), string_of(body.at("states"))};
}

double metric(Client& client, std::string_view name, const std::vector<std::string>& labels) {
  std::istringstream lines(must_be_200(client.get("/metrics"), "/metrics").body);
  double sum = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name) || (line[name.size()] != '{' && line[name.size()] != ' ')) continue;
    bool fits = true;
    for (const std::string& label : labels) fits = fits && line.find(label) != std::string::npos;
    if (fits) sum += std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

}  // namespace holdfast::test
