#include "support/receiver.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

namespace holdfast::test {
namespace {

// A socket, or TLS over one.
class Wire {
 public:
  Wire(int socket, const Certificates* certificates) : socket_(socket) {
    if (certificates == nullptr) return;
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate_chain_file(context_.get(), certificates->certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), certificates->key.c_str(), SSL_FILETYPE_PEM);
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), socket);
    good_ = SSL_accept(tls_.get()) == 1;
  }

  bool good() const { return good_; }
  // How many bytes came; 0 or less: no more will come.
  long read(char* into, std::size_t size) {
    return tls_ ? SSL_read(tls_.get(), into, static_cast<int>(size)) : static_cast<long>(::recv(socket_, into, size, 0));
  }
  void write(std::string_view bytes) {
    if (tls_) {
      SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
      SSL_shutdown(tls_.get());
      return;
    }
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

 private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  int socket_;
  bool good_ = true;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> tls_;
};

bool equal_names(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The request at the beginning of `input`; nothing while it is incomplete.
std::optional<Received> parse(const std::string& input) {
  const std::size_t end = input.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  Received request{.target = {}, .headers = {}, .body = {}, .at = std::chrono::steady_clock::now()};
  std::size_t line = input.find("\r\n");
  const std::string first = input.substr(0, line);
  const std::size_t space = first.find(' ');
  request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
  while (line < end) {
    const std::size_t begin = line + 2;
    line = input.find("\r\n", begin);
    const std::string field = input.substr(begin, line - begin);
    const std::size_t colon = field.find(':');
    request.headers.emplace_back(field.substr(0, colon), field.substr(std::min(field.size(), colon + 2)));
  }
  const std::string length = request.header("Content-Length");
  request.body = input.substr(end + 4);
  if (request.body.size() < std::stoul(length.empty() ? "0" : length)) return std::nullopt;
  return request;
}

std::string bytes_of(const Reply& reply) {
  std::string bytes = "HTTP/1.1 " + std::to_string(reply.status) + " Told\r\nConnection: close\r\n";
  for (const auto& [name, value] : reply.headers) bytes.append(name).append(": ").append(value).append("\r\n");
  return bytes + (reply.status == 204 ? "\r\n" : "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n" + reply.body);
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

// A certificate for an hour, signed by `issuer`, or by itself.
Certificate certificate_for(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3'600);
  X509_set_pubkey(made.get(), key);
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), issuer == nullptr ? subject : X509_get_subject_name(issuer));
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer == nullptr ? made.get() : issuer, made.get(), nullptr, nullptr, 0);
  const auto extend = [&](int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    X509_add_ext(made.get(), extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (issuer != nullptr) extend(NID_subject_alt_name, "DNS:" + name);
  X509_sign(made.get(), issuer_key, EVP_sha256());
  return made;
}

void write_pem(const std::filesystem::path& file, const std::function<int(FILE*)>& write) {
  const std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(file.c_str(), "w"), std::fclose);
  if (out == nullptr || write(out.get()) != 1) throw std::runtime_error("cannot write " + file.string());
}

}  // namespace

Certificates::Certificates(const std::filesystem::path& folder, const std::string& name)
    : authority(folder / "authority.pem"), certificate(folder / "certificate.pem"), key(folder / "key.pem") {
  const Key authority_key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Key own_key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate signer = certificate_for("Authority of a test", authority_key.get(), nullptr, authority_key.get());
  const Certificate own = certificate_for(name, own_key.get(), signer.get(), authority_key.get());
  write_pem(authority, [&](FILE* out) { return PEM_write_X509(out, signer.get()); });
  write_pem(certificate, [&](FILE* out) { return PEM_write_X509(out, own.get()); });
  write_pem(key, [&](FILE* out) { return PEM_write_PrivateKey(out, own_key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string Received::header(std::string_view name) const {
  for (const auto& [each, value] : headers) {
    if (equal_names(each, name)) return value;
  }
  return {};
}

Receiver::Receiver(const Certificates* certificates)
    : certificates_(certificates),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      answer_([](const Received&) { return Reply{}; }) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error(std::string("cannot listen: ") + std::strerror(errno));
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

Receiver::~Receiver() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    for (const int socket : open_) ::shutdown(socket, SHUT_RDWR);
  }
  acceptor_.join();
  for (std::thread& each : threads_) each.join();
  ::close(listener_);
}

void Receiver::answers(Reply (*answer)(const Received&)) { set_answer(answer); }

Receiver::Answering Receiver::answers_while_kept(std::function<Reply(const Received&)> answer) {
  return {*this, set_answer(std::move(answer))};
}

std::uint64_t Receiver::set_answer(std::function<Reply(const Received&)> answer) {
  const std::scoped_lock lock(mutex_);
  answer_ = std::move(answer);
  return ++answer_number_;
}

// Answers are called with the mutex, so none runs once it is had.
Receiver::Answering::~Answering() {
  const std::scoped_lock lock(receiver_.mutex_);
  if (receiver_.answer_number_ == number_) receiver_.answer_ = [](const Received&) { return Reply{}; };
}

std::vector<Received> Receiver::received() const {
  const std::scoped_lock lock(mutex_);
  return received_;
}

std::vector<Received> Receiver::of_type(std::string_view type) const {
  std::vector<Received> some = received();
  std::erase_if(some, [&](const Received& each) { return each.type() != type; });
  return some;
}

void Receiver::accept_all() {
  for (;;) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::scoped_lock lock(mutex_);
    if (stopping_ || socket < 0) {
      if (socket >= 0) ::close(socket);
      return;
    }
    ++connections_;
    open_.insert(socket);
    threads_.emplace_back([this, socket] { serve(socket); });
  }
}

void Receiver::serve(int socket) {
  Wire wire(socket, certificates_);
  std::string input;
  std::optional<Received> request;
  std::array<char, 16'384> part;
  while (wire.good() && !request) {
    const long got = wire.read(part.data(), part.size());
    if (got <= 0) break;
    input.append(part.data(), static_cast<std::size_t>(got));
    request = parse(input);
  }
  if (request) {
    Reply reply;
    {
      const std::scoped_lock lock(mutex_);
      if (request->type() != "ping") received_.push_back(*request);
      reply = answer_(*request);
    }
    if (reply.hangs) {
      while (wire.read(part.data(), part.size()) > 0) {}
    } else {
      wire.write(bytes_of(reply));
    }
  }
  const std::scoped_lock lock(mutex_);
  open_.erase(socket);
  ::close(socket);
}

}  // namespace holdfast::test
