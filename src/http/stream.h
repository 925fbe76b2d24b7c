// Streamed answers: a body that continues after the handler has returned, such as server-sent events.
//
// A handler sets Response::stream. The server writes the head, calls opened() and accepts chunks from then on:
//
//   class Ticker : public StreamSource {
//     void opened(StreamWriter& writer) override { writer_ = &writer; writer.write(chunk_of("hello\n")); }
//     void writable() override {}
//     void closed(StreamEnd) override { writer_ = nullptr; }
//     …
//   };
//   response.stream = std::make_shared<Ticker>();
//
// Made for one body part with thousands of readers: a chunk is framed once and shared, and a connection neither copies nor formats. A
// connection keeps at most one chunk that the socket has not accepted yet. Until it is written the connection accepts no other: the source
// merges what a slow reader has missed. A reader that reads nothing for ServerOptions::write_timeout is dropped. An open stream costs its
// connection no buffer.
//
// The connection closes after a streamed answer. Bytes that the client sends during it are discarded, up to a limit. A client that has closed
// its side of the connection counts as gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::http {

// A body part in chunked coding: size, CRLF, the part, CRLF. All readers share it. HTTP/1.0 clients get the part alone.
using Chunk = std::shared_ptr<const std::string>;
Chunk chunk_of(std::string_view part);   // `part` must not be empty: that would end the body

enum class StreamEnd : std::uint8_t {
  ended,   // by end(), or because the server stops
  client_left,
  too_slow,   // the client read nothing for write_timeout
};

// The connection's side. Use it on the connection's thread only, from opened() to closed().
class StreamWriter {
 public:
  // Accepts the chunk and writes as much as the socket takes at once. Returns false, and accepts nothing, while an earlier chunk is not
  // written completely; writable() is called when it is. Never calls the source.
  virtual bool write(Chunk chunk) = 0;
  // Ends the body after the accepted chunks.
  virtual void end() = 0;

 protected:
  ~StreamWriter() = default;
};

// The application's side. Called on the connection's thread. Must not throw.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  // The head has been written. Not called for HEAD, nor if the client leaves before: then the source is only destroyed.
  virtual void opened(StreamWriter& writer) = 0;
  // A chunk that had to wait has been written.
  virtual void writable() = 0;
  // The writer must not be used any more. Called once after opened(); on the destroying thread if a Server is destroyed.
  virtual void closed(StreamEnd end) = 0;
};

}   // namespace holdfast::http
