#include "core/time.h"

#include <chrono>

namespace holdfast {
namespace {

void put_digits(char* out, unsigned value, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// Reads `digits` decimal digits at `at`, or returns -1.
int read_digits(std::string_view text, std::size_t at, std::size_t digits) {
  if (text.size() < at + digits) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// Minutes east of UTC for the text after the seconds; nullopt if it is malformed.
std::optional<int> read_offset(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const int hours = read_digits(zone, 1, 2);
  const int minutes = read_digits(zone, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

void append_rfc3339(std::string& out, Millis at) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds{at}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const auto ms_of_day = static_cast<unsigned>((time - day).count());
  char text[] = "0000-00-00T00:00:00.000Z";
  put_digits(text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put_digits(text + 5, static_cast<unsigned>(date.month()), 2);
  put_digits(text + 8, static_cast<unsigned>(date.day()), 2);
  put_digits(text + 11, ms_of_day / 3'600'000, 2);
  put_digits(text + 14, ms_of_day / 60'000 % 60, 2);
  put_digits(text + 17, ms_of_day / 1'000 % 60, 2);
  const unsigned ms = ms_of_day % 1'000;
  if (ms == 0) {
    text[19] = 'Z';
    out.append(text, 20);
    return;
  }
  put_digits(text + 20, ms, 3);
  out.append(text, 24);
}

std::string rfc3339(Millis at) {
  std::string text;
  append_rfc3339(text, at);
  return text;
}

std::optional<Millis> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const int y = read_digits(text, 0, 4), mo = read_digits(text, 5, 2), d = read_digits(text, 8, 2);
  const int h = read_digits(text, 11, 2), mi = read_digits(text, 14, 2), s = read_digits(text, 17, 2);
  if (y < 0 || mo < 0 || d < 0 || h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 60) return std::nullopt;
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
  if (!date.ok()) return std::nullopt;
  std::size_t at = 19;
  int ms = 0;
  if (text[at] == '.') {
    int scale = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) ms += scale * (text[at] - '0');
    if (at == first) return std::nullopt;
  }
  const auto offset = read_offset(text.substr(at));
  if (!offset) return std::nullopt;
  const auto seconds_of_day = hours{h} + minutes{mi - *offset} + seconds{s};
  const Millis time = duration_cast<milliseconds>(sys_days{date}.time_since_epoch() + seconds_of_day).count() + ms;
  constexpr Millis k_first = -62'167'219'200'000, k_last = 253'402'300'799'999;   // what append_rfc3339 can write
  if (time < k_first || time > k_last) return std::nullopt;
  return time;
}

}  // namespace holdfast
