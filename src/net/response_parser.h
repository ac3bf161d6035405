// SPDX-License-Identifier: Apache-2.0
#pragma once
// The head and the framing of an upstream's answer: Beast's parser, made strict (T39, T41). What
// could be read differently by our client is an error, never passed on. Head fields are copies, so
// the caller's buffer may move; body pieces are views into what was fed. One answer after the
// other, interim ones (1xx) dropped; one connection's.
#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/server_message.h"

namespace brickgate {

struct UpstreamHead {
    int status = 0;
    std::vector<HeaderField> fields = {};      // views into the parser
    std::optional<std::uint64_t> length = {};  // nothing: chunked, or until the connection ends
    std::optional<std::string_view> header(std::string_view name) const;  // the first one
};

struct ResponseLimits {
    std::size_t header_bytes_max = 64 * 1024;
    std::size_t header_count_max = 200;
};

class ResponseParser final : public boost::beast::http::basic_parser<false> {
 public:
    // `to_head`: the answer to a HEAD request has no body, whatever it announces.
    ResponseParser(ResponseLimits limits, bool to_head);

    // Consumes from `bytes`; nothing: not an answer we pass on. Body views go to `pieces`. The rest
    // is to be given again, with more behind it.
    std::optional<std::size_t> feed(std::string_view bytes, std::vector<std::string_view>& pieces);
    // The connection's end: true where the answer may end so.
    bool end();
    bool head_done() const { return is_header_done(); }
    bool interim() const { return status_ >= 100 && status_ < 200; }
    bool body_done() const { return is_done(); }
    bool reusable() const { return is_done() && keep_alive() && !until_close_; }
    UpstreamHead const& head() const { return head_; }

 private:
    using error_code = boost::beast::error_code;
    using string_view = boost::beast::string_view;
    using Field = boost::beast::http::field;

    void on_request_impl(boost::beast::http::verb, string_view, string_view, int,
                         error_code&) override {}
    void on_response_impl(int code, string_view reason, int version, error_code& ec) override;
    void on_field_impl(Field field, string_view name, string_view value, error_code& ec) override;
    void on_header_impl(error_code& ec) override;
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view piece, error_code&) override;
    void on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& ec) override;
    std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code&) override;
    void on_finish_impl(error_code&) override {}
    static void refuse(error_code& ec);

    ResponseLimits limits_;
    bool to_head_;
    int status_ = 0;
    int version_ = 11;
    unsigned content_lengths_ = 0;
    bool is_chunked_ = false;
    bool until_close_ = false;
    std::string text_;  // names and values, one after the other
    struct Span {
        std::size_t name_begin, name_size, value_size;
    };
    std::vector<Span> spans_;
    UpstreamHead head_;
    std::vector<std::string_view>* pieces_ = nullptr;
};

}  // namespace brickgate
