// SPDX-License-Identifier: Apache-2.0
#pragma once
// The session's side of one streamed request: pieces of the body out of the connection, pieces of
// the answer into it, with the memory of one piece each way. Inside net/ only.
#include <vector>

#include "net/http_session.h"

namespace brickgate {

class SessionExchange final : public Exchange {
 public:
    explicit SessionExchange(Session& session);
    ~SessionExchange() override;
    SessionExchange(SessionExchange const&) = delete;
    SessionExchange& operator=(SessionExchange const&) = delete;

    ServerRequest const& request() const override { return session_.request_; }
    bool is_tls() const override { return session_.wire_.is_tls(); }
    std::optional<std::uint64_t> body_length() const override;
    Task<Result<std::string_view>> read_body() override;
    void begin(int status, std::string_view header_lines,
               std::optional<std::uint64_t> length) override;
    Task<bool> write(std::string_view piece) override;
    Task<bool> finish() override;
    bool begun() const override { return begun_; }
    Task<bool> answer(ServerResponse response) override;
    Task<bool> flush() override { return send({}, 0); }
    void abort() override;
    void when_gone(std::function<void()> call) override;
    bool is_gone() override;
    void each_second(std::function<void()> call) override { second_call_ = std::move(call); }
    void cut() override;
    // Once a second, by the shard: whether the client has left while we wait for somebody else.
    void look_for_client();

    // After the handler: true where the connection can take the next request. What was read beyond
    // this request's end goes back into the session's buffer.
    bool leave();
    bool complete() const { return finished_; }

 private:
    enum class Framing : std::uint8_t { none, length, chunked, until_close };
    Task<Result<void>> read_more();
    std::string_view unread() const;
    // What is in the session's out buffer, then `piece`, from `done` on: what the kernel takes at
    // once needs no coroutine.
    Session::Written send_now(std::string_view piece, std::size_t& done);
    Task<bool> send(std::string_view piece, std::size_t done);

    Session& session_;
    std::function<void()> gone_call_;
    std::function<void()> second_call_;
    bool gone_ = false;
    // Body bytes that came with the header are taken where they are; later ones are read in here.
    bool in_session_buffer_ = true;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;  // of what is not parsed yet
    std::size_t end_ = 0;
    std::vector<std::string_view> pieces_;
    std::size_t next_piece_ = 0;
    std::int64_t body_time_;   // seconds that the body may still keep us waiting (T51)
    std::int64_t write_time_;  // likewise its reader
    Framing framing_ = Framing::none;
    std::uint64_t left_ = 0;  // of an announced length
    bool begun_ = false;
    bool finished_ = false;
    bool broken_ = false;
};

}  // namespace brickgate
