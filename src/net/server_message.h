// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a handler sees and gives. A ServerRequest is views into the session's buffers: valid until
// the handler's task has ended, never longer. Names of headers are as sent and compared without
// case.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/http_message.h"
#include "base/result.h"
#include "net/task.h"

namespace brickgate {

enum class ListenerKind : std::uint8_t { public_, private_, both, local_socket };

struct HeaderField {
    std::string_view name;
    std::string_view value;
};

struct ServerRequest {
    std::string_view method;
    std::string_view target;  // origin form, as sent
    std::string_view path;    // up to '?', still encoded
    std::string_view query;   // after '?', still encoded
    std::vector<HeaderField> headers;
    std::string_view body;
    std::string_view peer_address;  // without port; empty on the local socket
    std::uint16_t peer_port = 0;
    ListenerKind listener = ListenerKind::both;
    std::optional<std::uint32_t> peer_uid;  // local socket only: who the kernel says it is

    // Splits the target; for tests and the session.
    static ServerRequest of(std::string_view method, std::string_view target);
    std::optional<std::string_view> header(std::string_view name) const;  // the first one
    std::vector<std::string_view> header_values(std::string_view name) const;
};

// What no honest server sends, for the practice one: these bytes as they are, so many at a time,
// and if endless the last of them again and again. Then the connection ends.
struct RawAnswer {
    std::string bytes = {};
    std::size_t piece = 16 * 1024;
    Milliseconds pause{0};
    bool endless = false;
};

struct ServerResponse {
    int status = 200;
    HeaderMap headers = {};  // without Content-Length, Date and Connection: the session's
    std::string body = {};
    bool close = false;  // end the connection after this answer
    // A broken server, on purpose: so many bytes of the message leave, then the connection ends.
    std::optional<std::size_t> cut_after = std::nullopt;
    std::shared_ptr<RawAnswer const> raw = nullptr;  // instead of all of the above
};

std::string_view reason_phrase(int status);

// Where a session assembles its answers, so that each leaves in one write.
class ResponseBuffer {
 public:
    struct Framing {
        bool head = false;  // HEAD: the length, not the body
        bool keep_alive = true;
        bool http_1_0 = false;
    };
    // `constant_lines` (Date and what every answer carries) are whole lines, each ended by CRLF.
    ResponseBuffer(std::string& out, Framing framing, std::string_view constant_lines)
        : out_(out), framing_(framing), constant_lines_(constant_lines) {}

    // `header_lines`: as above, written once by the handler's author, not per request.
    void send(int status, std::string_view header_lines, std::string_view body);
    void send(ServerResponse const& response);
    bool sent() const { return sent_; }
    bool keeps_alive() const { return framing_.keep_alive; }

 private:
    void begin(int status, std::size_t body_size);
    void end(int status, std::string_view body);
    std::string& out_;
    Framing framing_;
    std::string_view constant_lines_;
    bool sent_ = false;
};

// A request whose body is read in pieces and whose answer is written in pieces, with the memory of
// one piece: a proxied call, a stream of events. The session makes one for a StreamHandler's task;
// it lives on the session's executor and ends with that task. A reader that is too slow, or a
// writer, ends the connection (T51), which both sides then see as an error.
class Exchange {
 public:
    virtual ~Exchange() = default;
    virtual ServerRequest const& request() const = 0;  // its body is empty: read_body()
    virtual bool is_tls() const = 0;
    // 0 where there is no body; nothing where it is chunked.
    virtual std::optional<std::uint64_t> body_length() const = 0;
    // The next piece, decoded; empty at the end, trailers dropped. Valid until the next call. A
    // client that waits for "100 Continue" is told so by the first call. Errors: request_aborted,
    // invalid_request.
    virtual Task<Result<std::string_view>> read_body() = 0;

    // Head, pieces, end. `header_lines`: whole lines, each ended by CRLF, without framing. An
    // unknown length is chunked, or ends with the connection for HTTP/1.0. The head leaves with the
    // first piece, or with flush().
    virtual void begin(int status, std::string_view header_lines,
                       std::optional<std::uint64_t> length) = 0;
    virtual Task<bool> write(std::string_view piece) = 0;  // false: the client has gone
    virtual Task<bool> flush() = 0;
    virtual Task<bool> finish() = 0;
    virtual bool begun() const = 0;
    // Instead of all that: one answer from memory.
    virtual Task<bool> answer(ServerResponse response) = 0;
    // What began cannot be ended: the client sees a broken transfer, never a short success.
    virtual void abort() = 0;
    // Called once, within a second or so, when the client leaves while we wait for somebody else.
    // Only after the body was read to its end; an empty function takes it back, and must before
    // what it refers to is gone.
    virtual void when_gone(std::function<void()> call) = 0;
    virtual bool is_gone() = 0;  // looks now
    // Called once a second as long as the request lasts, whatever we wait for; taken back likewise.
    virtual void each_second(std::function<void()> call) = 0;
    // abort() from there: whoever waits for the client sees an end.
    virtual void cut() = 0;
};

using StreamHandler = std::function<Task<void>(Exchange&)>;
using Handler = std::function<Task<ServerResponse>(ServerRequest const&)>;
// Tried before the Handler, on the session's thread, without a coroutine: answers from memory and
// returns true, or touches nothing and returns false.
using FastHandler = std::function<bool(ServerRequest const&, ResponseBuffer&)>;

}  // namespace brickgate
