// SPDX-License-Identifier: Apache-2.0
#include "vault/spooled_answer.h"

#include <array>
#include <charconv>

namespace brickgate {

namespace {

constexpr std::array<std::string_view, 3> kept_headers{"Content-Type", "Content-Encoding",
                                                       "Retry-After"};

std::optional<std::string_view> take_line(std::string_view& rest) {
    auto const end = rest.find('\n');
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    auto const line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return line;
}

}  // namespace

Secret encode_answer(HttpResponse const& answer) {
    std::string head = std::to_string(answer.status) + '\n';
    for (auto const name : kept_headers) {
        if (auto const value = answer.headers.get(name)) {
            head.append(name).append(":").append(*value).append("\n");
        }
    }
    head.append("\n");
    Secret out = Secret::zeros(head.size() + answer.body.size());
    out.write([&](std::span<char> bytes) {
        auto const body = std::ranges::copy(head, bytes.begin()).out;
        answer.body.expose([&](std::string_view text) { std::ranges::copy(text, body); });
    });
    return out;
}

Result<HttpResponse> decode_answer(Secret const& spooled) {
    return spooled.expose([](std::string_view rest) -> Result<HttpResponse> {
        HttpResponse answer;
        auto const status = take_line(rest);
        if (!status) {
            return fail(ErrorCode::vault_error, "A spooled answer has no status line.");
        }
        std::from_chars(status->data(), status->data() + status->size(), answer.status);
        for (;;) {
            auto const line = take_line(rest);
            if (!line) {
                return fail(ErrorCode::vault_error, "A spooled answer ends inside its head.");
            }
            if (line->empty()) {
                break;
            }
            auto const colon = line->find(':');
            if (colon == std::string_view::npos) {
                return fail(ErrorCode::vault_error,
                            "A spooled answer has a header without a name.");
            }
            answer.headers.add(std::string(line->substr(0, colon)),
                               std::string(line->substr(colon + 1)));
        }
        answer.body = Secret::copy_of(rest);
        return answer;
    });
}

}  // namespace brickgate
