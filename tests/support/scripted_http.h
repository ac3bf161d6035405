// SPDX-License-Identifier: Apache-2.0
#pragma once
// An HttpClient that follows a script: calls are expected in order, each with its answer. A call
// that was not expected fails the test and goes nowhere; so does an expected one that never came.
// For one executor. Every send suspends once, so that callers interleave as with a real network.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "net/http_client.h"

namespace brickgate::testing {

inline HttpResponse http_answer(int status, std::string body,
                                std::string content_type = "application/json") {
    HttpResponse answer;
    answer.status = status;
    answer.headers.add("Content-Type", std::move(content_type));
    answer.body = Secret::from(std::move(body));
    return answer;
}

class ScriptedHttp final : public HttpClient {
 public:
    struct Call {  // what was sent, in the clear
        std::string method;
        std::string url;
        std::string authorization;
        std::string body;
        HttpLimits limits;
        HeaderMap headers;

        // The value of a form field; empty if there is none.
        std::string field(std::string_view name) const {
            auto const fields = form_decode(body).value_or(FormFields{});
            for (auto const& [key, value] : fields) {
                if (key == name) {
                    return value;
                }
            }
            return {};
        }
    };
    using Answer = std::function<HttpAnswer(Call const&)>;

    ~ScriptedHttp() override { verify(); }

    void expect(std::string method, std::string url, Answer answer) {
        script_.push_back({std::move(method), std::move(url), std::move(answer)});
    }
    void expect(std::string method, std::string url, int status, std::string body) {
        expect(std::move(method), std::move(url),
               [status, body = std::move(body)](Call const&) -> HttpAnswer {
                   return http_answer(status, body);
               });
    }
    void expect_failure(std::string method, std::string url, ErrorCode code, Sent sent) {
        expect(std::move(method), std::move(url), [code, sent](Call const&) -> HttpAnswer {
            return std::unexpected(TransportError{Error(code, "The script says so."), sent});
        });
    }

    // Fails the test for each expected call that did not come, once.
    void verify() {
        for (auto const& line : std::exchange(script_, {})) {
            ADD_FAILURE() << "expected call did not come: " << line.method << ' ' << line.url;
        }
    }

    std::vector<Call> const& calls() const { return calls_; }
    std::size_t count(std::string_view method, std::string_view url) const {
        std::size_t found = 0;
        for (auto const& call : calls_) {
            found += call.method == method && call.url == url ? 1 : 0;
        }
        return found;
    }

    Task<HttpAnswer> send(HttpRequest request, HttpLimits limits) override {
        auto const plain = [](std::string_view text) { return std::string(text); };
        Call call{request.method,
                  request.url,
                  request.authorization.expose(plain),
                  request.body.expose(plain),
                  std::move(limits),
                  request.headers};
        calls_.push_back(call);
        if (script_.empty()) {
            ADD_FAILURE() << "unexpected call: " << call.method << ' ' << call.url;
            co_return nowhere();
        }
        auto const line = std::move(script_.front());
        script_.pop_front();
        if (line.method != call.method || line.url != call.url) {
            ADD_FAILURE() << "expected " << line.method << ' ' << line.url << ", came "
                          << call.method << ' ' << call.url;
            co_return nowhere();
        }
        co_await boost::asio::post(co_await boost::asio::this_coro::executor, use_task);
        co_return line.answer(call);
    }

 private:
    struct Line {
        std::string method;
        std::string url;
        Answer answer;
    };
    static HttpAnswer nowhere() {
        return std::unexpected(TransportError{
            Error(ErrorCode::upstream_unreachable, "This call is not in the script."),
            Sent::not_sent});
    }

    std::deque<Line> script_;
    std::vector<Call> calls_;
};

}  // namespace brickgate::testing
