// Gathers a text: as it is, or compressed by gzip part by part, so that a large one is never there as a whole twice.
//
//   TextSink sink(compressed);
//   for (…) { sink.part() += …; sink.part_done(); }
//   return sink.finish();
//
// One thread.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <string>

namespace holdfast::api {

class TextSink {
 public:
  explicit TextSink(bool compressed);
  ~TextSink();
  TextSink(const TextSink&) = delete;
  TextSink& operator=(const TextSink&) = delete;

  std::string& part() { return part_; }   // what is to come next is appended here
  void part_done();
  std::string finish();   // once

 private:
  void compress(int flush);

  bool compressed_;
  z_stream stream_{};
  std::string part_;
  std::string all_;
};

}   // namespace holdfast::api
