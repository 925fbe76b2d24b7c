// Limits of the HTTP server that are not options. ServerOptions has the others.
#pragma once

#include <chrono>
#include <cstddef>

namespace holdfast::http {

inline constexpr unsigned k_threads_max = 64;
inline constexpr int k_listen_backlog = 4096;                    // the kernel cuts it to net.core.somaxconn

inline constexpr std::size_t k_headers_max = 100;                // fields of one request; more is 431
inline constexpr unsigned k_leading_crlf_max = 4;                // empty lines before a request line (RFC 9112, 2.2)
inline constexpr std::size_t k_request_id_bytes_max = 128;
inline constexpr std::size_t k_chunk_overhead_bytes_max = 16 * 1024;   // chunk extensions and trailers of one body together

inline constexpr std::size_t k_input_bytes_start = 4 * 1024;     // input buffer of an idle connection
inline constexpr std::size_t k_input_bytes_keep = 16 * 1024;     // a larger input buffer is freed once it is empty
inline constexpr std::size_t k_stream_room_bytes = 16 * 1024;    // room for the parts of a streamed body
inline constexpr std::size_t k_output_bytes_keep = 64 * 1024;    // a larger output buffer or response body is freed
inline constexpr std::size_t k_gather_bytes_max = 64 * 1024;     // answers of pipelined requests gathered for one write
inline constexpr std::size_t k_copied_body_bytes_max = 16 * 1024;      // a larger response body is written without a copy
inline constexpr std::size_t k_drain_bytes_max = 64 * 1024;      // unread rest of a streamed body that is read to keep the connection
inline constexpr std::size_t k_linger_bytes_max = 512 * 1024;    // read and discarded after the last answer
inline constexpr std::size_t k_exchanges_pooled_max = 256;       // per thread, kept for requests to come
inline constexpr std::size_t k_large_body_bytes_min = 256 * 1024;      // a body of this size gets k_body_send_buffer_bytes
inline constexpr int k_body_send_buffer_bytes = 256 * 1024;   // SO_SNDBUF of a connection from its first large body on; Linux doubles it
inline constexpr int k_stream_send_buffer_bytes = 64 * 1024;   // SO_SNDBUF of a streamed answer; Linux doubles it

inline constexpr std::chrono::milliseconds k_sweep_period_max{250};
inline constexpr std::chrono::milliseconds k_sweep_period_min{5};
inline constexpr std::chrono::milliseconds k_linger_time{2000};
inline constexpr std::chrono::milliseconds k_linger_time_stopping{300};
inline constexpr std::chrono::milliseconds k_stop_read_grace{1000};   // for a request that is half read when stop() is called
inline constexpr std::chrono::milliseconds k_over_limit_time{1000};   // for the header of a request over connections_max
inline constexpr std::chrono::seconds k_overload_report_period{60};
inline constexpr std::chrono::milliseconds k_accept_pause{100};   // after the process has run out of descriptors or memory

}   // namespace holdfast::http
